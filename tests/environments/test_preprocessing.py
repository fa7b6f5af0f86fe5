"""Encodings equal hand-computed tables."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest

from neucb.core.errors import DataError, InputError
from neucb.environments.preprocessing import ENCODINGS, Preprocessing, encode
from neucb.environments.sources.bundled import covertype_sample
from neucb.environments.table import Column, Table


def table(*columns: Column) -> Table:
    rows = len(columns[0].values)
    return Table("t", columns, np.arange(rows, dtype=np.int64) % 2, ("a", "b"), "memory")


def unit(rows: Any) -> Any:
    matrix = np.array(rows, dtype=np.float64)
    norm = np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix / np.where(norm == 0, 1, norm)


TWO = Column("two", np.array([0, 1, 1, 0], np.int8), ("no", "yes"))
THREE = Column("three", np.array([0, 2, 2, 3], np.int8), ("a", "unused", "b", "c"))
HOLES = Column("holes", np.array([1, -1, 1, 1], np.int8), ("x", "y"))
NUMBER = Column("number", np.array([1.0, 3.0, np.nan, 5.0]))
CONSTANT = Column("constant", np.full(4, 7.0))
EMPTY = Column("empty", np.full(4, np.nan))
ALONE = Column("alone", np.zeros(4, np.int8), ("only",))


def test_standard_equals_hand_computed_contexts() -> None:
    z = np.sqrt(1.5)  # (5 - 3) / sd of 1, 3, 5
    encoded = encode(table(TWO, THREE, HOLES, NUMBER, CONSTANT, EMPTY, ALONE))
    rows = [
        [0, 1, 0, 0, 0, -z],
        [1, 0, 1, 0, 1, 0],  # the missing category is a level: 'y' or missing, one column
        [1, 0, 1, 0, 0, 0],  # the missing number becomes the mean
        [0, 0, 0, 1, 0, z],
    ]
    np.testing.assert_allclose(encoded.contexts, unit(rows), atol=1e-6)
    assert encoded.contexts.dtype == np.float32


def test_zscore_equals_hand_computed_contexts() -> None:
    """Every column has mean 0 and variance 1 before rows are normalised."""
    z, third = np.sqrt(1.5), np.sqrt(3.0)  # a column of one 1 and three 0 has sd sqrt(3) / 4
    encoded = encode(table(TWO, THREE, HOLES, NUMBER, CONSTANT, EMPTY, ALONE), "zscore")
    rows = [
        [-1, third, -1, -1 / third, -1 / third, -z],
        [1, -1 / third, 1, -1 / third, third, 0],
        [1, -1 / third, 1, -1 / third, -1 / third, 0],
        [-1, -1 / third, -1, third, -1 / third, z],
    ]
    np.testing.assert_allclose(encoded.contexts, unit(rows), atol=1e-6)
    assert encoded.preprocessing == "zscore"


def test_centered_equals_hand_computed_contexts() -> None:
    """Every column has mean 0 and keeps its scale."""
    encoded = encode(table(TWO, THREE, HOLES, NUMBER, CONSTANT, EMPTY, ALONE), "centered")
    rows = [
        [-0.5, 0.75, -0.5, -0.25, -0.25, -2],
        [0.5, -0.25, 0.5, -0.25, 0.75, 0],
        [0.5, -0.25, 0.5, -0.25, -0.25, 0],
        [-0.5, -0.25, -0.5, 0.75, -0.25, 2],
    ]
    np.testing.assert_allclose(encoded.contexts, unit(rows), atol=1e-6)


def test_paper_equals_hand_computed_contexts() -> None:
    encoded = encode(table(TWO, THREE, HOLES, NUMBER), "paper")
    rows = [[0.0, 0, 1, 1], [1, 2, -1, 3], [1, 2, 1, -1], [0, 3, 1, 5]]
    np.testing.assert_allclose(encoded.contexts, unit(rows), atol=1e-6)


def test_labels_are_never_used() -> None:
    first = table(TWO, NUMBER)
    second = Table("t", first.columns, first.labels[::-1].copy(), first.classes, "memory")
    np.testing.assert_array_equal(encode(first).contexts, encode(second).contexts)


def test_rows_of_zeros_are_unchanged() -> None:
    zero = Column("z", np.array([0.0, 3.0, 4.0, 5.0]))
    np.testing.assert_array_equal(encode(table(zero), "paper").contexts[:, 0], [0, 1, 1, 1])


def test_huge_numbers_do_not_overflow() -> None:
    huge = Column("h", np.array([1e300, -1e300, 5e299, 0.0]))
    assert list(ENCODINGS) == list(get_args(Preprocessing))
    for name in get_args(Preprocessing):
        contexts = encode(table(huge, TWO), name).contexts
        assert np.isfinite(contexts).all()
        np.testing.assert_allclose(np.linalg.norm(contexts, axis=1)[:3], 1.0, atol=1e-5)


def test_small_integers_do_not_overflow() -> None:
    """Whole numbers up to 255, which the OpenML client stores as uint8."""
    encoded = encode(table(Column("b", np.array([200.0, 250.0, 100.0, 0.0], np.float32)), TWO))
    assert np.abs(encoded.contexts).max() <= 1.0


@pytest.mark.parametrize("name", get_args(Preprocessing))
def test_infinite_numbers_are_rejected(name: str) -> None:
    with pytest.raises(DataError, match="infinite"):
        encode(table(Column("x", np.array([1.0, np.inf, 0.0, 2.0]))), name)


def test_a_table_without_variation_is_rejected() -> None:
    with pytest.raises(DataError, match="no feature column varies"):
        encode(table(CONSTANT, EMPTY, ALONE))


def test_an_unknown_preprocessing_is_rejected() -> None:
    with pytest.raises(InputError, match="did you mean 'standard'"):
        encode(table(TWO), "standart")


def test_the_bundled_covertype_sample_has_its_known_shape() -> None:
    sample = covertype_sample()
    assert (sample.rows, sample.arms, len(sample.columns)) == (20_000, 7, 54)
    contexts = encode(sample).contexts
    assert contexts.shape == (20_000, 54)
    assert (contexts != 0).sum(1).max() == 12  # ten numbers, one area, one soil: one-hot rows stay sparse
    np.testing.assert_allclose(np.linalg.norm(contexts, axis=1), 1.0, atol=1e-5)
    # Shares of the full table, 36.5 % and 48.8 %, within four standard errors of a uniform sample.
    shares = np.bincount(sample.labels) / 20_000
    np.testing.assert_allclose(shares[:2], [211840 / 581012, 283301 / 581012], atol=4 * 0.5 / 20_000**0.5)
