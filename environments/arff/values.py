"""Parser of the values in a line of an ARFF file: separators, quotes, comments, weights."""

from __future__ import annotations

import re

from neucb.core.errors import DataError


class ArffSyntaxError(DataError):
    """Syntax error in a line, as in a damaged ARFF file."""


# White space is every character up to the blank, as in Weka's reader. An unquoted value may hold blanks,
# and quotes and % after its first character (New York, O'Brien, 50%); a % behind a blank begins a comment.
WHITE = "".join(map(chr, range(33)))
W = r"[\x00-\x20]"
B = r"[\x00-\x08\x0a-\x20]"  # white space except the tab
SIGNS = r",{}\x00-\x20"  # characters that end a word
QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
WORD = rf"""[^%'"{SIGNS}][^{SIGNS}]*"""
WORDS = rf"{WORD}(?:{W}+[^%{SIGNS}][^{SIGNS}]*)*"
WORDS_OF_TABS = rf"{WORD}(?:{B}+[^%{SIGNS}][^{SIGNS}]*)*"
# A value and its separator; the group `more` is there if another value has to follow.
COMMAS = re.compile(rf"{W}*(?P<value>{QUOTED}|{WORDS})?{W}*(?P<more>,)?")
TABS = re.compile(rf"{B}*(?P<value>{QUOTED}|{WORDS_OF_TABS})?{B}*(?P<more>\t)?")
BLANKS = re.compile(rf"{W}*(?P<value>{QUOTED}|{WORD})?{W}*(?P<more>(?=[^%{SIGNS}]))?")
ENTRIES = re.compile(rf"{W}*(?:(?P<index>[0-9]{{1,9}}){W}+(?P<value>{QUOTED}|{WORDS}))?{W}*(?P<more>,)?")
REST = re.compile(rf"{W}*(?:%.*)?")
WEIGHT = re.compile(rf"{W}*(?:,{W}*)?\{{(?P<weight>[^{{}}]*)\}}{W}*(?:%.*)?")
NONTRIVIAL = re.compile(r"""['"{}%]""")
MARKED = re.compile(r"[?\x00-\x20]")  # missing values and blanks
ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|[0-7]{1,3}|.)")
ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


def separators(line: str, width: int) -> re.Pattern[str]:
    """Return the pattern of a file's separators, by its first dense row: commas, tabs or blanks."""
    for pattern in (TABS, BLANKS):
        if "," not in line and len(_scan(line, pattern)[0]) == width > 1:
            return pattern
    return COMMAS


def split_row(line: str, width: int, pattern: re.Pattern[str]) -> tuple[list[str | None], bool]:
    """Return the `width` values of a dense row, None for missing, and whether it has a weight.

    Raises:
        ArffSyntaxError: there are more or fewer values, or quotes or braces where none belong.
    """
    weighted = False
    if pattern is COMMAS and not NONTRIVIAL.search(line):
        values = _plain(line)
    else:
        values, position = _scan(line, pattern)
        weighted = _check_rest(line, position)
        if weighted and len(values) == width + 1 and values[-1] is None:
            values.pop()  # empty value of the comma before the weight
    if len(values) == width + 1 and values[-1] is None and line.rstrip(WHITE).endswith(","):
        values.pop()  # empty value of a comma behind the last one
    if len(values) != width:
        number = f"{len(values):,} value" + "s" * (len(values) != 1)
        raise ArffSyntaxError(f"{number} in the row, where {width:,} attributes are declared")
    return values, weighted


def split_sparse(line: str) -> tuple[dict[int, str | None], bool]:
    """Return the values of a sparse row by the index of their attribute, and whether it has a weight.

    Raises:
        ArffSyntaxError: the line is no sparse row.
    """
    values: dict[int, str | None] = {}
    position, more = 1, True
    while more:
        match = ENTRIES.match(line, position)
        assert match is not None  # every part may be absent
        if match["index"] is not None:
            index = int(match["index"])
            if index in values:
                raise ArffSyntaxError(f"two values for the attribute of index {index}")
            values[index] = _value(match["value"])
        position, more = match.end(), match["more"] is not None
    if not line.startswith("}", position):
        raise _unreadable(line, position)
    return values, _check_rest(line, position + 1)


def split_levels(text: str) -> tuple[list[str], str]:
    """Return the levels of a nominal attribute and the text behind them.

    Args:
        text: text behind the opening brace.

    Raises:
        ArffSyntaxError: the text is no list of values that ends in a brace.
    """
    values, position = _scan(text, COMMAS)
    if len(values) == 1:  # {a b c}
        values, position = _scan(text, BLANKS)
    if not text.startswith("}", position):
        raise _unreadable(text, position)
    return list(dict.fromkeys(value for value in values if value is not None)), text[position + 1 :]


def unquote(text: str) -> str:
    """Return a name or value without its quotes and the backslashes within them.

    Raises:
        ArffSyntaxError: a backslash stands before the code of no character.
    """
    if text[:1] not in ("'", '"'):
        return text
    return ESCAPE.sub(_escaped, text[1:-1]) if "\\" in text else text[1:-1]


def shown(text: str) -> str:
    """Return a value shortened for a message."""
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _scan(text: str, pattern: re.Pattern[str]) -> tuple[list[str | None], int]:
    """Return the values from the beginning on, and the position behind them."""
    values: list[str | None] = []
    position, more = 0, True
    while more:
        match = pattern.match(text, position)
        assert match is not None  # every part may be absent
        values.append(_value(match["value"]))
        more = match["more"] is not None and match.end() > position
        position = match.end()
    return values, position


def _value(text: str | None) -> str | None:
    return None if text is None or text == "?" else unquote(text)


def _plain(line: str) -> list[str | None]:
    cells = line.split(",")
    if MARKED.search(line):
        cells = [cell.strip(WHITE) for cell in cells]
        return [None if cell in ("", "?") else cell for cell in cells]
    return [cell or None for cell in cells] if "" in cells else [*cells]


def _check_rest(line: str, position: int) -> bool:
    """Return whether a weight follows the values; only a weight and a comment may."""
    if REST.fullmatch(line, position):
        return False
    match = WEIGHT.fullmatch(line, position)
    if match is None:
        raise _unreadable(line, position)
    try:
        float(match["weight"])
    except ValueError:
        raise ArffSyntaxError(f"the weight {shown(match['weight'])} is no number") from None
    return True


def _unreadable(line: str, position: int) -> ArffSyntaxError:
    rest = line[position:].strip(WHITE)
    if not rest or rest[0] == "%":
        return ArffSyntaxError("a brace is not closed")
    if rest[0] in "'\"" and not re.match(QUOTED, rest):
        return ArffSyntaxError(f"the quote before {shown(rest[1:])} is not closed")
    return ArffSyntaxError(f"{shown(rest)} is out of place; a value with one of {{ }} , % needs quotes")


def _escaped(match: re.Match[str]) -> str:
    code: str = match[1]
    if code[0] == "u" and len(code) == 5:
        number = int(code[1:], 16)
        if 0xD800 <= number < 0xE000:
            raise ArffSyntaxError(f"\\{code} is no character")
        return chr(number)
    return chr(int(code, 8)) if code[0] in "01234567" else ESCAPED.get(code, code)
