"""Delimited text: .csv and .tsv files, also .gz, as columns of text."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from neucb.core.errors import DataError
from neucb.environments.encoding import decode_text
from neucb.environments.tables.cells import dates, readings
from neucb.environments.tables.column_types import is_text, override
from neucb.environments.tables.header import NAMELESS, check_header, repeated_header
from neucb.environments.tables.raw_table import RawTable, TextColumn, text_column
from neucb.environments.tables.separators import HEAD, csv_reader, find_separator, spelled

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class _Body:
    """The records under the header: text, names of the columns, and where they begin.

    Attributes:
        text: lines with line feeds behind them.
        separator: one character.
        names: column names; None where the file has no header.
        line: number of the first line, from 1.
    """

    text: str
    separator: str
    names: list[str] | None
    line: int

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """Yield records that are not blank, each with the number of its last line."""
        reader = csv_reader(self.text, self.separator)
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
        if text.startswith("sep=") and len(text) > 5 and text[5] == "\n":  # Excel's line
            separator = separator or text[4]
            text = text[5:]
        usual = "\t" if _suffix(path) == ".tsv" else ","
        if separator is None:
            separator = find_separator(text, usual)
            if separator != usual:
                notes.append(
                    f"the fields are taken to be separated by '{spelled(separator)}'; separator=... says it"
                )
    except DataError as error:
        raise DataError(f"{path} {error}") from None
    if len(separator) != 1:
        raise DataError(f"a separator is one character, not '{separator}'")
    if separator == " ":
        text = _single_blanks(text)
    body = _without_header(path, text, separator, header)
    columns = _columns(path, body, notes)
    if body.names is not None:
        row = repeated_header(columns)
        if row is not None:
            line, _ = next(islice(body.records(), row, None))
            raise DataError(
                f"{path}: line {line} repeats the first line; take it out or, if both are data, say "
                "header=False"
            )
        check_header(path, columns, header, next(body.records())[0])
    if len(columns) == 1:
        first = shorten(text.lstrip().partition("\n")[0], 60, placeholder="...")
        raise DataError(
            f"{path} is read as one column, since '{spelled(separator)}' does not split its lines (the first "
            f"is '{first}'); say the separator with separator=..."
        )
    return RawTable(table_name(path), columns, notes)


def table_name(path: Path) -> str:
    """Return the name of the table in a file: the file's without .gz and its other suffix."""
    return Path(path.stem).stem if path.suffix.lower() == ".gz" else path.stem


def _single_blanks(text: str) -> str:
    """Return lines with single blanks between the fields, and none at their ends; quoted cells stay."""
    return re.sub(
        r'((?<![^ \n])"(?:[^"]|"")*")|^ +| *(\n) *| +$| +', lambda match: match[1] or match[2] or " ", text
    ).strip(" ")


def _suffix(path: Path) -> str:
    return Path(path.stem).suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()


def _without_header(path: Path, text: str, separator: str, header: bool | None) -> _Body:
    """Cut the first record off as the names of the columns."""
    skipped = len(text) - len(text.lstrip("\n"))
    whole = _Body(text[skipped:], separator, None, skipped + 1)
    if not whole.text.strip():
        raise DataError(f"{path} is empty")
    if header is False:
        return whole
    reader = csv_reader(whole.text, separator)
    try:
        names = [" ".join(name.replace("\ufeff", "").split()) for name in next(reader)]
    except csv.Error as error:
        raise DataError(f"{path}, line 1: {error}") from None
    lines = reader.line_num
    position = 0
    for _ in range(lines):
        position = whole.text.find("\n", position) + 1 or len(whole.text)
    if '"' in whole.text[:position]:
        _check_quotes(path, _Body(whole.text[:position], separator, None, whole.line))
    return _Body(whole.text[position:], separator, names, whole.line + lines)


def _columns(path: Path, body: _Body, notes: list[str]) -> list[TextColumn]:
    """Return the columns with their names, all records being of one length.

    Columns at the end that have neither names nor values are left out, as spreadsheets add them.
    """
    lengths = [len(record) for _, record in islice(_safely(path, body), HEAD)]
    if not lengths:
        raise DataError(f"{path} has no rows under its first line")
    names = list(body.names or [])
    width = Counter([len(names)] * bool(names) + lengths).most_common(1)[0][0]
    if width not in lengths:  # only in the header
        width = lengths[0]
    arrays = _split(path, body, width)
    while len(names) > len(arrays) and names[-1] == "":
        names.pop()
    while len(arrays) > max(len(names), 1) and not _filled(arrays[-1]):
        arrays.pop()
    if body.names is None:
        names = [f"column {j}" for j in range(1, len(arrays) + 1)]
    while 1 < len(names) == len(arrays) and names[-1] == "" and not _filled(arrays[-1]):
        names.pop()
        arrays.pop()
    if len(names) == len(arrays) - 1 and _row_names(arrays[0], notes):
        names = ["", *names]
    if len(names) != len(arrays):
        line, record = next(one for one in body.records() if len(one[1]) != len(names))
        raise DataError(
            f"{path}: the first line has {_fields(len(names))}, line {line} has {len(record)}; make them "
            "equal, or take the first line out if it is no header"
        )
    names = [name or f"{NAMELESS}{j}" for j, name in enumerate(names)]
    return [text_column(name, array) for name, array in zip(names, arrays, strict=True)]


def _row_names(array: pa.ChunkedArray, notes: list[str]) -> bool:
    """Return whether a first column under a header without a name for it holds row names, as R writes them.

    These all differ, and are words or count the rows; unless the rules of column types say that they leave
    them out, a note does.
    """
    name = f"{NAMELESS}0"
    column = text_column(name, array)
    cells = column.encoded[1]
    if len(cells) < len(column):
        return False
    if readings(cells):
        return all(map(str.isdecimal, cells)) and all(int(b) - int(a) == 1 for a, b in pairwise(cells))
    if dates(cells) or not is_text(len(cells), len(column)):
        notes.append(
            f"the first line names one column fewer than there are: the first one is taken to be '{name}', "
            f"row names, and kept as a feature; {override(name, 'skip')} leaves it out"
        )
    return True


def _fields(count: int) -> str:
    return f"{count} field" + "s" * (count != 1)


def _filled(array: pa.ChunkedArray) -> bool:
    import pyarrow.compute as pc

    return bool(pc.any(pc.not_equal(pc.utf8_trim_whitespace(array), "")).as_py())


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
    if quoted and (
        body.text.count('"') % 2
        or any(_has(array, "\n") for array in arrays)
        or (any(_has(array, '"') for array in arrays) and _has_inner_quotes(body))
    ):
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
    if bad:  # pyarrow and csv may disagree about odd quotation marks
        return _split_slowly(path, body, width)
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
    for line, record in _safely(path, body):
        if len(record) != width:
            raise DataError(
                f"{path}: line {line} has {_fields(len(record))}, most lines have {width}; mend the line or "
                "take it out, or say the separator with separator=..."
            )


def _has(array: pa.ChunkedArray, part: str) -> bool:
    import pyarrow.compute as pc

    return bool(pc.any(pc.match_substring(array, part)).as_py())


def _has_inner_quotes(body: _Body) -> bool:
    """Return whether a quotation mark that is not doubled has text of the same cell behind it.

    The patterns begin with the mark, which is fast; whether its cell is a quoted one is for
    `_check_quotes`.
    """
    sign = re.escape(body.separator)
    single = rf'"(?<![{sign}\n"]")(?=[ \t]*[^ \t{sign}\n"])'
    empty = rf'""(?<=[{sign}\n]"")(?=[ \t]*[^ \t{sign}\n"])'
    return any(re.compile(pattern).search(body.text, 1) for pattern in (single, empty))


def _check_quotes(path: Path, body: _Body) -> None:
    """Refuse cells that a quotation mark which is not closed would run together.

    Raises:
        DataError: there is one.
    """
    separator = re.escape(body.separator)
    blank = " " if body.separator == "\t" else "[ \t]"
    tidy = re.sub(rf"\"{blank}+(?=\n|{separator}|$)", '"', body.text)
    reader = csv_reader(tidy, body.separator, strict=True)
    started = 0
    try:
        for _ in reader:
            started = reader.line_num
    except csv.Error:
        line = body.line + started
        raise DataError(
            f"{path}: a quotation mark is not closed in the record that begins at line {line}; "
            'close it, or write it twice inside a quoted cell, not as \\"'
        ) from None
