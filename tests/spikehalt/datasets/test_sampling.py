from __future__ import annotations

from collections import Counter

import pytest

from spikehalt.datasets.sampling import spread, spread_indices, spread_over_classes


@pytest.mark.parametrize(
    ("total", "most", "wanted"),
    [(10, 1, [0]), (10, 3, [0, 4, 9]), (3, 3, [0, 1, 2]), (3, 9, [0, 1, 2]), (0, 5, [])],
)
def test_numbers_lie_evenly_from_first_to_last(total: int, most: int, wanted: list[int]) -> None:
    assert spread_indices(total, most) == wanted


def test_a_few_of_sorted_files_are_of_every_class() -> None:
    files = [f"{name}/{number}" for name in "abcdefghij" for number in range(150)]
    for most in (10, 100, 256, 999):
        counts = Counter(file[0] for file in spread(files, most))
        assert len(counts) == 10 and max(counts.values()) - min(counts.values()) <= 2


def test_a_few_of_unsorted_labels_are_of_every_class_in_proportion() -> None:
    labels = [number % 4 for number in range(100)]
    labels[::10] = [9] * 10
    picked = spread_over_classes(labels, 20)
    assert picked == sorted(set(picked)) and len(picked) == 20
    counts = Counter(labels[index] for index in picked)
    assert counts.keys() == {0, 1, 2, 3, 9} and counts[9] in (1, 2, 3)
