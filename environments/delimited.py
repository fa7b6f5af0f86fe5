"""Delimited text: .csv and .tsv files, also .gz, as columns of text."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neucb.environments.cells import is_missing, is_number
from neucb.environments.encoding import decode_text
from neucb.environments.raw_table import RawTable, TextColumn, text_column
from neucb.errors import DataError

if TYPE_CHECKING:
    import _csv

    import pyarrow as pa

SEPARATORS = (",", ";", "\t", "|")
NAMELESS = "Unnamed: "  # and a number: the name that pandas gives
HEAD = 200  # records that the separator is found from


@dataclass(frozen=True)
class _Body:
    """The records under the header: text, names of the columns, and where they begin.

    Attributes:
        text: lines with line feeds behind them.
        separator: one character.
        names: of the columns; None where the file has no header.
        line: number of the first line, from 1.
    """

    text: str
    separator: str
    names: list[str] | None
    line: int

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """Yield records that are not blank, each with the number of its last line."""
        reader = _reader(self.text, self.separator)
        for record in reader:
            if len(record) > 1 or (record and record[0].strip()):
                yield self.line - 1 + reader.line_num, record


def read_delimited(path: Path, *, separator: str | None = None, header: bool | None = None) -> RawTable:
    """Return the columns of a delimited text file.

    Blanks round cells do not count. The text is UTF-8, UTF-16 or UTF-32 with their mark, UTF-16 without
    one, or Windows-1252, which is noted. Every record has as many fields as the header; an empty last field
    in all of them, and row names under a header that has one field fewer, are allowed for.

    Args:
        path: of the file; .gz is decompressed.
        separator: one character; by default a comma or, of .tsv, a tab, and where that does not split
            the lines evenly, one of `SEPARATORS` that does, which is noted.
        header: whether the first line names the columns; by default it does, and a first line that looks
            like data is refused.

    Raises:
        DataError: records of different lengths, a quotation mark that is not closed, no text, two columns
            of one name, a first line that looks like data.
    """
    notes: list[str] = []
    try:
        text = decode_text(path.read_bytes(), notes)
    except DataError as error:
        raise DataError(f"{path} {error}") from None
    if text.startswith("sep=") and len(text) > 5 and text[5] == "\n":  # Excel's line
        separator = separator or text[4]
        text = text[6:]
    usual = "\t" if _suffix(path) == ".tsv" else ","
    if separator is None:
        separator = _separator(text, usual)
        if separator != usual:
            notes.append(
                f"the fields are taken to be separated by '{_spelled(separator)}'; --separator says it"
            )
    elif len(separator) != 1:
        raise DataError(f"a separator is one character, not '{separator}'")
    body = _without_header(path, text, separator, header)
    columns = _columns(path, body)
    if header is None and body.names is not None:
        _check_header(path, columns)
    return RawTable(path.name.split(".")[0], columns, notes)


def _suffix(path: Path) -> str:
    return Path(path.stem).suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()


def _spelled(separator: str) -> str:
    return "\\t" if separator == "\t" else separator


def _separator(text: str, usual: str) -> str:
    """Return the separator of a text: the usual one, or another that splits the first lines evenly."""
    head = "\n".join(text[: 1 << 20].split("\n")[: HEAD + 1])
    best = usual
    for separator in (usual, *SEPARATORS):
        reader = _reader(head, separator)
        try:
            lengths = [len(record) for record in reader if record][:HEAD]
        except csv.Error:
            continue
        if not lengths or max(lengths) < 2:
            continue
        if lengths[0] > 1 and max(lengths[1:] or lengths) - min(lengths) <= 1:
            return separator
    return best


def _without_header(path: Path, text: str, separator: str, header: bool | None) -> _Body:
    """Cut the first record off as the names of the columns."""
    skipped = len(text) - len(text.lstrip("\n"))
    whole = _Body(text[skipped:], separator, None, skipped + 1)
    if not whole.text.strip():
        raise DataError(f"{path} is empty")
    if header is False:
        return whole
    reader = _reader(whole.text, separator)
    try:
        names = [" ".join(name.replace("\ufeff", "").split()) for name in next(reader)]
    except csv.Error as error:
        raise DataError(f"{path}, line 1: {error}") from None
    lines = reader.line_num
    position = 0
    for _ in range(lines):
        position = whole.text.find("\n", position) + 1 or len(whole.text)
    return _Body(whole.text[position:], separator, names, whole.line + lines)


def _columns(path: Path, body: _Body) -> list[TextColumn]:
    """Return the columns with their names, all records being of one length."""
    names = body.names or []
    twice = [name for name in names if name and names.count(name) > 1]
    if twice:  # pandas would rename the second
        raise DataError(f"{path}: two columns are called '{twice[0]}'; the first line must name the columns")
    width = next((len(record) for _, record in _safely(path, body)), 0)
    if width == 0:
        raise DataError(f"{path} has no rows under its first line")
    arrays = _split(path, body, width)
    names = body.names if body.names is not None else [f"column {j}" for j in range(1, width + 1)]
    if len(names) == width + 1 and names[-1] == "":
        names = names[:-1]
    if len(names) == width - 1:
        if not _filled(arrays[-1]):
            arrays = arrays[:-1]
        elif len(arrays[0].unique()) == len(arrays[0]):  # row names, which R writes without one of their own
            names = ["", *names]
    if len(names) != len(arrays):
        line, record = next(iter(body.records()))
        raise DataError(
            f"{path}: the first line has {len(names)} fields, line {line} has {len(record)}; make them equal"
        )
    if len(names) > 1 and names[-1] == "" and not _filled(arrays[-1]):
        names, arrays = names[:-1], arrays[:-1]
    names = [name or f"{NAMELESS}{j}" for j, name in enumerate(names)]
    return [text_column(name, array) for name, array in zip(names, arrays, strict=True)]


def _filled(array: pa.ChunkedArray) -> bool:
    import pyarrow.compute as pc

    return bool(pc.any(pc.not_equal(pc.utf8_trim_whitespace(array), "")).as_py())


def _reader(text: str, separator: str, *, strict: bool = False) -> _csv.Reader:
    return csv.reader(_lines(text), delimiter=separator, skipinitialspace=True, strict=strict)


def _lines(text: str) -> Iterator[str]:
    """Yield the lines of a text one at a time, since most readers want the first ones only."""
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


def _safely(path: Path, body: _Body) -> Iterator[tuple[int, list[str]]]:
    try:
        yield from body.records()
    except csv.Error as error:
        raise DataError(f"{path}: {error}; a quotation mark may not be closed") from None


def _split(path: Path, body: _Body, width: int) -> list[pa.ChunkedArray]:
    """Return the fields of all records by column, by pyarrow's reader or, where it would err, by csv's."""
    quoted = '"' in body.text
    blanks = ' "' in body.text or '\t"' in body.text  # a quick look before the slow one
    if blanks and re.search(rf"(?:^|\n|{re.escape(body.separator)})[ \t]+\"", body.text):
        arrays = _split_slowly(path, body, width)
    else:
        arrays = _split_fast(path, body, width)
    if quoted and (body.text.count('"') % 2 or any(_has_lines(array) for array in arrays)):
        _check_quotes(path, body)
    return arrays


def _split_fast(path: Path, body: _Body, width: int) -> list[pa.ChunkedArray]:
    import pyarrow as pa
    import pyarrow.csv as pv

    names = [str(j) for j in range(width)]
    bad: list[Any] = []

    def refuse(row: Any) -> str:
        if row.text.strip():
            bad.append(row)
        return "skip"

    try:
        table = pv.read_csv(
            pa.BufferReader(body.text.encode()),
            read_options=pv.ReadOptions(column_names=names, block_size=1 << 24),
            parse_options=pv.ParseOptions(
                delimiter=body.separator, newlines_in_values=True, invalid_row_handler=refuse
            ),
            convert_options=pv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=False,
                quoted_strings_can_be_null=False,
            ),
        )
    except (
        pa.ArrowInvalid
    ) as error:  # a record larger than a block, such as behind a quotation mark not closed
        _check_lengths(path, body, width)
        raise DataError(f"{path}: {error}") from None
    if bad:
        _check_lengths(path, body, width)
    return list(table.columns)


def _split_slowly(path: Path, body: _Body, width: int) -> list[pa.ChunkedArray]:
    import pyarrow as pa

    _check_lengths(path, body, width)
    records = [record for _, record in body.records()]
    return [pa.chunked_array([pa.array(list(column), pa.string())]) for column in zip(*records, strict=True)]


def _check_lengths(path: Path, body: _Body, width: int) -> None:
    """Raise the error of the first record whose number of fields differs.

    Raises:
        DataError: there is one.
    """
    if '"' in body.text:
        _check_quotes(path, body)
    expected = width if body.names is None else len(body.names)
    longer = width - expected
    for line, record in _safely(path, body):
        if len(record) != width:
            fields = "the first line" if body.names is not None else "the line before"
            if longer and len(record) == expected:  # the longer ones are the odd ones
                line, record = next(iter(body.records()))
            raise DataError(
                f"{path}: line {line} has {len(record)} fields, {fields} has {expected}; mend the line, or "
                "say the separator with --separator"
            )


def _has_lines(array: pa.ChunkedArray) -> bool:
    import pyarrow.compute as pc

    return bool(pc.any(pc.match_substring(array, "\n")).as_py())


def _check_quotes(path: Path, body: _Body) -> None:
    """Refuse cells that a quotation mark which is not closed would run together.

    Raises:
        DataError: there is one.
    """
    separator = re.escape(body.separator)
    blank = " " if body.separator == "\t" else "[ \t]"
    tidy = re.sub(rf"\"{blank}+(?=\n|{separator}|$)", '"', body.text)
    reader = _reader(tidy, body.separator, strict=True)
    started = 0
    try:
        for _ in reader:
            started = reader.line_num
    except csv.Error:
        line = body.line + started
        raise DataError(
            f"{path}: a quotation mark is not closed in the record that begins at line {line}; "
            "close it, or write it twice inside a quoted cell"
        ) from None


def _check_header(path: Path, columns: Sequence[TextColumn]) -> None:
    """Refuse a first line that looks like data.

    A number above numbers is data, but for names n, n + 1, ...; a word that its column holds too is data,
    where no word stands above a column of numbers.

    Raises:
        DataError: it looks like data.
    """
    named = [
        column for column in columns if not column.name.startswith(NAMELESS) and not is_missing(column.name)
    ]
    above = [column.name for column in named if column.numbers is not None or _mostly_numbers(column)]
    words = [name for name in above if not is_number(name)]
    numbers = [name for name in above if is_number(name)]
    first = int(numbers[0]) if numbers and numbers[0].isdecimal() else -1
    run = numbers == [str(first + j) for j in range(len(numbers))] and (len(numbers) > 1 or bool(words))
    repeated = [] if words else [column.name for column in named if column.name in column.encoded[1]]
    odd = repeated if run else numbers or repeated
    if odd:
        raise DataError(
            f"{path}: the first line looks like data ('{odd[0]}'), not like names of columns; read it as "
            "data with --no-header, or as names with --header"
        )


def _mostly_numbers(column: TextColumn) -> bool:
    filled = [cell for cell in column.encoded[1] if not is_missing(cell)]
    return bool(filled) and all(map(is_number, filled))


csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
