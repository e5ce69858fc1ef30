from __future__ import annotations

import numpy as np
import pytest

from benchmarks.adapt.paired import difference


def test_a_difference_counts_the_images_on_which_methods_differ() -> None:
    ours, theirs = (np.array(each, bool) for each in ([1, 1, 1, 0], [1, 0, 0, 1]))
    found = difference(ours, theirs)
    assert found.points == 25
    assert found.error == pytest.approx(100 * np.std([0, 1, 1, -1]) / 2)
    assert str(found) == "+25.00 ± 41.46"


def test_equal_answers_differ_by_nothing() -> None:
    same = np.array([True, False, True])
    assert difference(same, same) == (0, 0)
