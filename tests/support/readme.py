"""The README, its Python blocks and its commands."""

from __future__ import annotations

import re

from tests.support.paths import ROOT

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = re.findall(r"^    (neucb .*)$", README, flags=re.MULTILINE)
(BENCH,) = (command for command in COMMANDS if command.startswith("neucb bench"))


def agent_block() -> str:
    (agent,) = (str(block) for block in BLOCKS if "class FollowTheLeader" in block)
    return agent
