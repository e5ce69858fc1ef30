from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from runtime.bundle import InputSpec
from runtime.errors import InputError
from runtime.inputs.check import check_inputs

IMAGE = InputSpec(kind="image", height=4, width=6, channels=3)
GREY = InputSpec(kind="image", height=4, width=6, channels=1)
FRAMES = InputSpec(kind="frames", height=4, width=6, channels=2, timesteps=3)


@pytest.mark.parametrize(
    ("spec", "data", "message"),
    [
        (IMAGE, np.zeros((2, 4, 6, 3), np.float32), "dtype float32; this bundle takes raw camera"),
        (IMAGE, np.zeros((2, 4, 6, 3), np.int64), "dtype int64"),
        (IMAGE, np.zeros((0, 4, 6, 3), np.uint8), "empty"),
        (IMAGE, np.zeros((2, 8, 8, 3), np.uint8), r"shape \[2, 8, 8, 3\].*resize"),
        (IMAGE, np.zeros((2, 3, 4, 6), np.uint8), "move the channels last"),
        (IMAGE, np.zeros((2, 4, 6, 1), np.uint8), r"convert them to 3 channel\(s\)"),
        (IMAGE, np.zeros((2, 4, 6, 4), np.uint8), r"convert them to 3 channel\(s\)"),
        (IMAGE, np.zeros((), np.uint8), r"shape \[\]"),
        (IMAGE, np.zeros((1, 1, 4, 6, 3), np.uint8), "resize"),
        (IMAGE, [[1, 2]], "got list: use numpy.stack"),
        (IMAGE, None, "got NoneType"),
        (IMAGE, "photo.png", "got str"),
        (GREY, np.zeros((4, 6), np.uint8), "add a channel axis"),
        (GREY, np.zeros((2, 4, 6), np.uint8), "this bundle takes"),
        (FRAMES, np.zeros((2, 4, 2, 4, 6), np.float32), r"\[B, 3, 2, 4, 6\]"),
        (FRAMES, np.zeros((2, 3, 4, 6), np.float32), r"\[B, 3, 2, 4, 6\]"),
        (FRAMES, np.zeros((0, 3, 2, 4, 6), np.float32), "empty"),
        (FRAMES, np.zeros((2, 3, 2, 4, 6), np.complex64), "dtype complex64"),
        (FRAMES, np.zeros((2, 3, 2, 4, 6), object), "dtype object"),
        (FRAMES, np.full((1, 3, 2, 4, 6), 1e300), "NaN or infinity"),
    ],
)
def test_what_does_not_fit_is_named(spec: InputSpec, data: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_inputs(spec, data)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_frames_that_are_not_finite_are_counted(value: float) -> None:
    frames = np.zeros((4, 3, 2, 4, 6), np.float32)
    frames[2, 1, 0, 3, 5] = value

    with pytest.raises(InputError, match=r"1 sample\(s\) hold NaN .* number 2"):
        check_inputs(FRAMES, frames)


def test_one_image_becomes_a_batch_of_one() -> None:
    assert check_inputs(IMAGE, np.zeros((4, 6, 3), np.uint8)).shape == (1, 4, 6, 3)
    assert check_inputs(FRAMES, np.zeros((3, 2, 4, 6))).shape == (1, 3, 2, 4, 6)


def test_slices_are_made_contiguous_without_changing_values() -> None:
    whole = np.arange(2 * 8 * 12 * 3, dtype=np.uint8).reshape(2, 8, 12, 3)

    checked = check_inputs(IMAGE, whole[:, ::2, ::-2])

    assert checked.flags.c_contiguous
    np.testing.assert_array_equal(checked, whole[:, ::2, ::-2])


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.uint8, np.int32, bool, ">f4"])
def test_event_counts_of_any_number_type_become_float32(dtype: Any) -> None:
    checked = check_inputs(FRAMES, np.ones((1, 3, 2, 4, 6), dtype))

    assert checked.dtype == np.float32 and (checked == 1).all()


class Tensor:
    """Something of another library that numpy can read."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.ones((4, 6, 3), np.uint8)


def test_what_converts_to_an_array_is_accepted() -> None:
    assert check_inputs(IMAGE, Tensor()).shape == (1, 4, 6, 3)
