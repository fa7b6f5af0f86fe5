"""XML files of a set in the OpenML client's cache: description, features and qualities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

from neucb.core.errors import DataError

NAMESPACE = "{http://openml.org/openml}"


class DamagedFileError(Exception):
    """Unreadable file of a set, or one that contradicts another; the message names it."""


@dataclass(frozen=True)
class Description:
    """Metadata of a set from description.xml, features.xml and qualities.xml.

    Attributes:
        number, name, version, licence: identity of the set on OpenML.
        target: column to predict; in this and all names percent-encoding, which some files use, is decoded.
        left_out: row identifiers and ignored columns.
        nominal: columns declared nominal.
        columns: number of listed columns, 0 without a list.
        rows: number of rows, None where it is not stated.
        md5: checksum of the ARFF file (that of the Parquet file is stated nowhere), or empty.
    """

    number: int
    name: str
    version: str
    licence: str
    target: str
    left_out: frozenset[str]
    nominal: frozenset[str]
    columns: int
    rows: int | None
    md5: str


def describe(folder: Path) -> Description:
    """Read the XML files in the folder of a set; all but the description may be absent.

    Raises:
        DamagedFileError: a file that cannot be parsed, or lacks the set's number.
        DataError: the set has no single target.
    """
    root = _parse(folder / "description.xml")
    assert root is not None

    def texts(tag: str) -> list[str]:
        found = [element.text for element in root.iter(f"{NAMESPACE}{tag}") if element.text]
        return [unquote(part.strip()) for text in found for part in text.split(",") if part.strip()]

    features = [_flags(feature) for feature in _elements(folder / "features.xml", "feature")]
    ignored = {
        unquote(feature.get("name", ""))
        for feature in features
        if "true" in (feature.get("is_row_identifier"), feature.get("is_ignore"))
    }
    nominal = frozenset(
        unquote(feature.get("name", "")) for feature in features if feature.get("data_type") == "nominal"
    )
    number, targets = texts("id")[:1], texts("default_target_attribute")
    if not (number and number[0].isdecimal()):
        raise DamagedFileError("description.xml: the number of the set is missing")
    if len(targets) != 1:
        raise DataError(f"OpenML set {number[0]} has no single target column; it is no classification set")
    first = {tag: (texts(tag) or ["unknown"])[0] for tag in ("name", "version", "licence")}
    return Description(
        int(number[0]),
        **first,
        target=targets[0],
        left_out=frozenset(texts("row_id_attribute")) | frozenset(texts("ignore_attribute")) | ignored,
        nominal=nominal,
        columns=len(features),
        rows=_rows(folder / "qualities.xml"),
        md5="".join(texts("md5_checksum")[:1]).lower(),
    )


def _rows(path: Path) -> int | None:
    """Return the number of rows, written like "120.0"; None where it is absent or no such number."""
    for quality in map(_flags, _elements(path, "quality")):
        if quality.get("name") == "NumberOfInstances":
            try:
                number = float(quality.get("value", ""))
            except ValueError:
                return None
            return int(number) if number.is_integer() else None
    return None


def _flags(element: ElementTree.Element) -> dict[str, str]:
    return {child.tag.removeprefix(NAMESPACE): (child.text or "").strip() for child in element}


def _elements(path: Path, tag: str) -> Iterator[ElementTree.Element]:
    root = _parse(path)
    return iter(()) if root is None else root.iter(f"{NAMESPACE}{tag}")


def _parse(path: Path) -> ElementTree.Element | None:
    """Return the root of an XML file, None if the file is not there."""
    if not path.is_file():
        return None
    try:
        return ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise DamagedFileError(f"{path.name}: {error}") from error
