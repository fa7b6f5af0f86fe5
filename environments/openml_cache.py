"""Read a set from the OpenML client's cache, directly: no client, no pickle, nothing written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

from neucb.environments.readers import Content, read_arff, read_parquet, sha256
from neucb.environments.table import Column, Table, labelled
from neucb.errors import DataError

NAMESPACE = "{http://openml.org/openml}"


@dataclass(frozen=True)
class Description:
    """What description.xml and features.xml say of a set.

    Attributes:
        number, name, version, licence: as OpenML has them.
        target: the column to predict; this and all names are without percent-encoding, which the
            files use or not.
        left_out: row identifiers and ignored columns.
        nominal: the columns declared nominal.
    """

    number: int
    name: str
    version: str
    licence: str
    target: str
    left_out: frozenset[str]
    nominal: frozenset[str]


def data_file(folder: Path, number: int) -> Path | None:
    """Return the file with the rows of a cached set, or None where it is not in the cache."""
    for name in (f"dataset_{number}.pq", "dataset.pq", "dataset.arff"):
        if (folder / name).is_file() and (folder / "description.xml").is_file():
            return folder / name
    return None


def read_set(folder: Path, number: int, name: str, damaged: str = "") -> Table:
    """Return the table of a set in the cache.

    Rows without a label are left out, and counted in `provenance`. So are columns of text and dates,
    which are neither numbers nor categories, and named there.

    Args:
        folder: the set's folder in the cache.
        number: its OpenML number.
        name: the name that the table will have.
        damaged: what to do about a damaged set; by default the advice to delete it and load it again.

    Raises:
        DataError: the set is not in the cache, is damaged, or is no classification set.
    """
    path = data_file(folder, number)
    if path is None:
        raise DataError(f"{name}: OpenML set {number} is not in the cache")
    try:
        description = _describe(folder)
        content = read_parquet(path, description.nominal) if path.suffix == ".pq" else read_arff(path)
    except DataError:
        raise
    except PermissionError as error:
        raise DataError(f"{name}: {error.filename or path} cannot be read: permission denied") from error
    except Exception as error:  # the readers raise whatever a damaged file makes them stumble over
        advice = damaged or f"delete the folder {folder} and load it again"
        raise DataError(
            f"{name}: OpenML set {number} is damaged ({path.name}: {_one_line(error)}); {advice}"
        ) from error
    return _table(content, description, path, name)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 120 else text[:117] + "..."


def _describe(folder: Path) -> Description:
    root = ElementTree.parse(folder / "description.xml").getroot()

    def texts(tag: str) -> list[str]:
        found = [element.text for element in root.iter(f"{NAMESPACE}{tag}") if element.text]
        return [unquote(part.strip()) for text in found for part in text.split(",") if part.strip()]

    targets = texts("default_target_attribute")
    left_out = set(texts("row_id_attribute")) | set(texts("ignore_attribute"))
    nominal = set()
    features = folder / "features.xml"
    if features.is_file():
        for feature in ElementTree.parse(features).getroot().iter(f"{NAMESPACE}feature"):
            flags = {child.tag.removeprefix(NAMESPACE): (child.text or "").strip() for child in feature}
            if "true" in (flags.get("is_row_identifier"), flags.get("is_ignore")):
                left_out.add(unquote(flags["name"]))
            if flags.get("data_type") == "nominal":
                nominal.add(unquote(flags["name"]))
    number = int(texts("id")[0])
    if len(targets) != 1:
        raise DataError(f"OpenML set {number} has no single target column; it is no classification set")
    first = {tag: (texts(tag) or ["unknown"])[0] for tag in ("name", "version", "licence")}
    return Description(
        number, **first, target=targets[0], left_out=frozenset(left_out), nominal=frozenset(nominal)
    )


def _table(content: Content, description: Description, path: Path, name: str) -> Table:
    targets = [column for column in content.columns if column.name == description.target]
    if not targets:
        raise DataError(f"{name}: the data have no usable column '{description.target}', their target")
    target = targets[0]
    if target.levels is None:
        raise DataError(f"{name}: the target '{target.name}' is a number; this is no classification set")
    known = target.values >= 0
    keep: Any = slice(None) if known.all() else known
    if not known.any():
        raise DataError(f"{name}: no row has a label")
    labels, classes = labelled(target.values[keep], target.levels)
    columns = tuple(
        Column(column.name, column.values[keep], column.levels)
        for column in content.columns
        if column is not target and column.name not in description.left_out
    )
    provenance = {
        "openml_id": description.number,
        "openml_name": description.name,
        "openml_version": description.version,
        "licence": description.licence,
        "target": description.target,
        "unlabelled_rows_left_out": int((~known).sum()),
        "sha256": sha256(path),
    }
    text = [column for column in content.text if column not in description.left_out]
    if text:
        provenance["text_columns_left_out"] = text
    return Table(name, columns, labels, classes, "openml", provenance)
