"""Parser of ARFF files, for OpenML's sets and for user files.

The format is Weka's (https://waikato.github.io/weka-wiki/formats_and_processing/arff_stable/), dense and
sparse. We do not use liac-arff: it refuses dates and comments behind an attribute, truncates INTEGER values,
skips values that it cannot convert, and takes exponential time for some lists of categories.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neucb.core.errors import DataError
from neucb.environments.arff.columns import Builder
from neucb.environments.arff.entries import ArffEntries
from neucb.environments.arff.header import Declaration, Kind, declaration
from neucb.environments.arff.values import (
    REST,
    WHITE,
    ArffSyntaxError,
    separators,
    shown,
    split_row,
    split_sparse,
)
from neucb.environments.contexts import WIDE
from neucb.environments.encoding import decode_text
from neucb.environments.table import SparseColumns

if TYPE_CHECKING:
    import pandas as pd

BLOCK = 2**20  # cells converted at once, so that few are Python objects at a time


@dataclass(frozen=True)
class Attribute:
    """Attribute and its values.

    Attributes:
        name: declared name, without quotes.
        kind: declared type.
        values: values [N]; numeric: float64, NaN for missing; date: float64 seconds since 1970, NaN for
            missing; nominal: int32 codes into `levels`, -1 for missing; string: objects, None for missing.
        levels: levels of a nominal attribute, in declared order; else None.
        note: precision that its numbers lost, or empty; it follows "column 'x' " in messages.
    """

    name: str
    kind: Kind
    values: NDArray[Any]
    levels: tuple[str, ...] | None = None
    note: str = ""


@dataclass(frozen=True)
class Relation:
    """Content of an ARFF file.

    Attributes:
        attributes: attributes in declared order, of equal length.
        rows: number of rows N.
        notes: one line for each guess and each omission.
        sparse: numeric attributes of a wide file of sparse rows, which are then not among `attributes`; else
            None.
    """

    attributes: tuple[Attribute, ...]
    rows: int
    notes: tuple[str, ...]
    sparse: SparseColumns | None = None


def parse_arff(data: bytes) -> Relation:
    """Return the content of an ARFF file.

    For encodings and gzip see `decode_text`. Row weights are left out, with a note. A value that a sparse
    row omits is 0, the first level, or a missing string.

    Args:
        data: bytes of the file.

    Raises:
        ArffSyntaxError: a line is no ARFF; the message has its number: "line 17: ...".
        DataError: a relational attribute or an unsupported date pattern, likewise with its line.
    """
    notes: list[str] = []
    try:
        text = decode_text(data, notes)
    except DataError as error:
        raise ArffSyntaxError(f"the file {error}") from error
    reader = _ArffReader()
    try:
        for line in text.removesuffix("\n").split("\n"):
            reader.line += 1
            reader.read(line.strip(WHITE))
        attributes, rows, sparse = reader.finish()
    except DataError as error:
        raise type(error)(f"line {reader.line}: {error}") from None
    if reader.weights:
        notes.append(f"weights of rows (the first in line {reader.weights:,}) are left out")
    if reader.entries is not None and reader.entries.note:
        notes.append(f"a sparse column {reader.entries.note}")
    return Relation(tuple(attributes), rows, tuple(notes), sparse)


def read_arff_frame(path: Path) -> tuple[pd.DataFrame, list[str], SparseColumns | None]:
    """Return an ARFF file as a DataFrame of the declared types, its notes and sparse columns, see `Relation`.

    Numeric attributes are float64, dates datetime64, nominal ones categories in declared order, and
    strings objects.

    Raises:
        DataError: see `parse_arff`; the message names the file.
    """
    import pandas as pd

    try:
        relation = parse_arff(path.read_bytes())
    except DataError as error:
        raise type(error)(f"{path}: {error}") from None
    columns: dict[str, Any] = {}
    notes = list(relation.notes)
    for one in relation.attributes:
        values: Any = one.values
        if one.levels is not None:
            values = pd.Categorical.from_codes(values, dtype=pd.CategoricalDtype(list(one.levels)))
        elif one.kind == "date":
            values = _datetimes(values)
        columns[one.name] = pd.Series(values, dtype=object if one.kind == "string" else None)
        if one.note:
            notes.append(f"column '{one.name}' {one.note}")
    return pd.DataFrame(columns, index=range(relation.rows)), notes, relation.sparse


def _datetimes(seconds: NDArray[np.float64]) -> NDArray[np.datetime64]:
    microseconds = np.full(len(seconds), "NaT", dtype="datetime64[us]")
    known = ~np.isnan(seconds)
    microseconds[known] = np.round(seconds[known] * 1e6).astype(np.int64).astype("datetime64[us]")
    return microseconds


@dataclass
class _ArffReader:
    """Line-by-line parser of a file; `line` is the number of the current line, from 1."""

    line: int = 0
    weights: int = 0  # number of the first line with a weight
    declared: dict[str, Declaration] = field(default_factory=dict)
    builders: list[Builder] = field(default_factory=list)
    others: list[tuple[int, Declaration]] = field(default_factory=list)  # attributes of `builders`
    in_data: bool = False
    pattern: re.Pattern[str] | None = None  # pattern of the separators, from the first dense row on
    rows: int = 0
    entries: ArffEntries | None = None  # numeric attributes of a wide file whose first row is sparse
    block: list[list[str | None]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)  # line numbers of the rows of the block

    def read(self, line: str) -> None:
        """Parse a line, stripped of white space at its ends."""
        if not line or line[0] == "%":
            return
        if self.in_data:
            self._row(line)
        else:
            self._header(line)

    def _header(self, line: str) -> None:
        match = re.match(r"[^%\x00-\x20]*", line)
        assert match is not None
        word = match[0].lower()
        if word == "@data" and REST.fullmatch(line, match.end()):
            if not self.declared:
                raise ArffSyntaxError("no attribute is declared before @data")
            self.builders = [Builder(one) for one in self.declared.values()]
            self.others = list(enumerate(self.declared.values()))
            self.in_data = True
        elif word.startswith("@attribute"):
            one = declaration(line)
            if one.name in self.declared:
                raise ArffSyntaxError(f"a second attribute is called {shown(one.name)}")
            self.declared[one.name] = one
        elif not word.startswith("@relation"):
            raise ArffSyntaxError(f"{shown(line)} is no declaration (@relation, @attribute, @data)")

    def _row(self, line: str) -> None:
        width = len(self.declared)
        if self.rows == 0 and not self.block and line[0] == "{" and width >= WIDE:
            self._open_entries()
        if line[0] == "{":
            given, weighted = split_sparse(line)
            if given and max(given) >= width:
                raise ArffSyntaxError(f"there is no attribute of index {max(given)}; the last is {width - 1}")
            if self.entries is not None:
                self.entries.add(self.line, self.rows + len(self.block), given)
            values = [given.get(i, one.left_out) for i, one in self.others]
        else:
            if self.pattern is None:
                self.pattern = separators(line, width)
            values, weighted = split_row(line, width, self.pattern)
            if self.entries is not None:
                self.entries.add(self.line, self.rows + len(self.block), dict(enumerate(values)))
                values = [values[i] for i, _ in self.others]
        if weighted and not self.weights:
            self.weights = self.line
        self.block.append(values)
        self.lines.append(self.line)
        full = self.entries is not None and self.entries.is_full
        if full or len(self.block) * len(self.others) >= BLOCK:
            self._convert()

    def _open_entries(self) -> None:
        """Collect the entries of numeric attributes instead of their columns."""
        declared = list(self.declared.values())[:-1]  # the last is the label by default
        numeric = {i: one for i, one in enumerate(declared) if one.kind == "numeric"}
        if len(numeric) >= WIDE:
            self.entries = ArffEntries(numeric)
            self.others = [(i, one) for i, one in enumerate(self.declared.values()) if i not in numeric]
            self.builders = [Builder(one) for _, one in self.others]

    def _convert(self) -> None:
        if self.entries is not None:
            line = self.entries.convert()
            if line is not None:
                self.line = line
                self.entries.refuse(line)
        for builder, cells in zip(self.builders, self._columns(), strict=True):
            try:
                builder.add(cells)
            except DataError:
                self.line = self.lines[builder.offender(cells)]
                raise
        self.rows += len(self.block)
        self.block, self.lines = [], []

    def _columns(self) -> Iterator[tuple[str | None, ...]]:
        return zip(*self.block, strict=True)

    def finish(self) -> tuple[list[Attribute], int, SparseColumns | None]:
        """Return the attributes, the number of rows, and numeric attributes in compressed rows."""
        if not self.in_data:
            raise ArffSyntaxError("the file ends before @data")
        if self.block:
            self._convert()
        attributes = {
            i: Attribute(one.name, one.kind, builder.values(), one.levels, builder.note)
            for (i, one), builder in zip(self.others, self.builders, strict=True)
        }
        sparse = None
        if self.entries is not None:
            declared = list(self.declared.values())
            dense, sparse = self.entries.finish(self.rows)
            attributes |= {i: Attribute(declared[i].name, "numeric", values) for i, values in dense.items()}
        return [attributes[i] for i in sorted(attributes)], self.rows, sparse
