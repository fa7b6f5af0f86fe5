"""The README and its Python blocks."""

from __future__ import annotations

import re

from tests.support.paths import ROOT

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def agent_block() -> str:
    (agent,) = (str(block) for block in BLOCKS if "class FollowTheLeader" in block)
    return agent
