"""Random damage to bytes, JSON-like values and tables."""

from __future__ import annotations

import copy
import json
import math
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

TEXTS = (
    "",
    " ",
    "$a$ \\frac{",
    "_",
    "a\nb",
    "\x00",
    "日本",
    "\ud800",
    "<b>",
    "x" * 5000,
    "../x",
    "nan",
    "-1",
    "/",
)
NUMBERS = (0, 1, -1, 2**31, 2**63, 10**30, 0.5, -0.0, 1e308, 5e-324, math.inf, -math.inf, math.nan)
OTHERS: tuple[Any, ...] = (None, True, False, [], {}, [[]], [None], {"": {}}, [1, "a"], {"a": [1, {"b": 2}]})
DEPTH = 3000


def odd_value(rng: random.Random, like: object = None) -> Any:
    """Return an unusual value, half of the time of the type of `like`, rarely a deeply nested one."""
    if rng.random() < 0.5 and isinstance(like, str | int | float):
        return rng.choice(TEXTS if isinstance(like, str) else NUMBERS)
    if rng.random() < 0.01:
        deep: Any = 1
        for _ in range(rng.choice((50, DEPTH))):
            deep = [deep]
        return deep
    return copy.deepcopy(rng.choice(rng.choice((TEXTS, NUMBERS, OTHERS))))


def mutated_bytes(data: bytes, rng: random.Random) -> bytes:
    """Return the bytes with one to four edits: truncation, bit flips, repetition, deletion or insertion."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(changed) + 1)
        to = min(at + rng.choice((1, 2, 8, 64)), len(changed))
        match rng.randrange(6):
            case 0:
                del changed[at:]
            case 1:
                changed[at:to] = bytes(byte ^ (1 << rng.randrange(8)) for byte in changed[at:to])
            case 2:
                changed[at:at] = changed[at:to]
            case 3:
                del changed[at:to]
            case 4:
                changed[at:at] = rng.choice((b"\x00", b"\xff\xfe", b"\n", b'"', b"[", b"=", b"\xef\xbb\xbf"))
            case _:
                changed[at:to] = rng.randbytes(to - at)
    return bytes(changed)


def mutated_value(content: Any, rng: random.Random) -> Any:
    """Return a JSON-like value with one to three changes of a key, type, number or position."""
    changed = copy.deepcopy(content)
    for _ in range(rng.choice((1, 1, 2, 3))):
        slots = list(_slots(changed))
        if not slots:
            return odd_value(rng)
        holder, key = rng.choice(slots)
        match rng.randrange(5):
            case 0 | 1:
                holder[key] = odd_value(rng, holder[key])
            case 2:
                del holder[key]
            case 3 if isinstance(holder, dict):
                holder[f"{key}{rng.choice(('s', '_', ' ', 'é'))}"] = holder.pop(key)
            case 3:
                holder.insert(0, holder[key])
            case _:
                holder[key] = [holder[key]]
    return changed


def _slots(content: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every dict with each of its keys, and every list with each of its indices."""
    waiting = [content]
    while waiting:
        holder = waiting.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        for key in keys:
            yield holder, key
            if isinstance(holder[key], dict | list):
                waiting.append(holder[key])


def mutated_table(frame: pd.DataFrame, rng: random.Random) -> pd.DataFrame:
    """Return a table with one to three changes of a name, type, value or number of rows."""
    for _ in range(rng.randint(1, 3)):
        if frame.shape[1] == 0:
            return frame
        name = rng.choice(list(frame.columns))
        match rng.randrange(9):
            case 0:
                frame = frame.drop(columns=name)
            case 1:
                frame = frame.rename(columns={name: f"{name}_"})
            case 2:
                frame = frame.assign(**{name: _retyped(frame[name], rng)})
            case 3 | 4:
                values = frame[name].astype(object).to_numpy(copy=True)
                values[rng.randrange(2) :: rng.choice((1, 2, 7))] = rng.choice(
                    (
                        None,
                        math.nan,
                        math.inf,
                        -math.inf,
                        -1,
                        0,
                        1e300,
                        "",
                        "$a$ \\frac{",
                        10**15,
                        True,
                        "日本",
                    )
                )
                frame = frame.assign(**{name: pd.Series(values, index=frame.index, dtype=object)})
            case 5:
                frame = frame.iloc[rng.randrange(len(frame) + 1) :]
            case 6:
                frame = pd.concat([frame, frame.iloc[: rng.randrange(len(frame) + 1)]], ignore_index=True)
            case 7:
                frame = frame.sample(frac=1.0, random_state=rng.randrange(2**31))
            case _:
                frame = frame.assign(**{name: frame[rng.choice(list(frame.columns))]})
    return frame.reset_index(drop=True)


def _retyped(column: pd.Series[Any], rng: random.Random) -> Any:
    """Return a column of another type, with synthetic values where conversion is impossible."""
    n = len(column)
    columns: list[Any] = [
        column.astype(str),
        column.astype("category"),
        np.arange(n, dtype=np.int8),
        np.linspace(-1.0, 1.0, n).astype(np.float32),
        np.arange(n) % 2 == 0,
        pd.date_range("2020-01-01", periods=n),
        pd.Series([[1, 2]] * n, index=column.index, dtype=object),
        pd.Series([b"\xff"] * n, index=column.index, dtype=object),
        pd.array(np.arange(n), dtype="Int64"),
        np.full(n, 2**64 - 1, dtype=np.uint64),
    ]
    return rng.choice(columns)


def as_toml(content: Any) -> bytes:
    """Return a spec as TOML: top-level tables as sections, nested ones inline."""
    if not isinstance(content, dict):
        return _toml(content).encode("utf-8", "surrogatepass")
    lines: list[str] = []
    for name, value in content.items():
        if isinstance(value, dict):
            lines += [f"[{_key(name)}]", *_lines(value)]
        elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            for item in value:
                lines += [f"[[{_key(name)}]]", *_lines(item)]
        else:
            lines.insert(0, f"{_key(name)} = {_toml(value)}")
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _lines(table: dict[str, Any]) -> list[str]:
    return [f"{_key(name)} = {_toml(value)}" for name, value in table.items()]


def _key(name: str) -> str:
    return name if name.isidentifier() and name.isascii() else json.dumps(name, ensure_ascii=False)


def _toml(value: Any) -> str:
    depth = 0
    while isinstance(value, list) and len(value) == 1:  # without recursion: the nesting may be deep
        (value,) = value
        depth += 1
    if isinstance(value, dict):
        text = "{" + ", ".join(_lines(value)) + "}"
    elif isinstance(value, list):
        text = "[" + ", ".join(map(_toml, value)) + "]"
    elif isinstance(value, float):
        text = repr(value)
    else:
        text = json.dumps(value, ensure_ascii=False)
    return "[" * depth + text + "]" * depth


def as_json(content: Any) -> bytes:
    """Return content as JSON with NaN and Infinity, or fixed nested text if it is nested too deeply."""
    try:
        return json.dumps(content).encode()
    except RecursionError:
        return b'{"failures": ' + b"[" * 10 * DEPTH + b"]" * 10 * DEPTH + b"}"
