"""K, d, rows and values of random files are read correctly."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from tests.support.everyday import WrittenFile, check, written_files


@pytest.mark.slow
@settings(
    max_examples=500,
    deadline=None,
    derandomize=True,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(written_files())
def test_random_files_are_read_correctly(written: WrittenFile) -> None:
    check(written)
