"""JSON values: what JSON lacks as text, and the hash of a content."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any


def plain(value: Any) -> Any:
    """Return `value` with what JSON lacks replaced: infinity by "inf", NaN by None, tuples by lists."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value


def digest(content: Any) -> str:
    """Return the hash of JSON-like content, 16 hexadecimal digits."""
    text = json.dumps(plain(content), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
