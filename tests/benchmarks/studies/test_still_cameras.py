"""Shares of the stem that change from frame to frame, on a small network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.common import networks
from benchmarks.studies import still_cameras
from benchmarks.studies.still_cameras import Change, Frames, Stages, changes, referenced
from tests.benchmarks.cpu.test_cost import tiny
from train.config import HaltingConfig


@pytest.fixture(scope="module")
def stages() -> Stages:
    config = replace(tiny(), halting=HaltingConfig())
    return Stages(networks.random_network(config))


def frame(seed: int = 0) -> Frames:
    return np.random.default_rng(seed).integers(0, 200, (16, 16, 3), np.uint8)


def brighter(before: Frames, by: int, *pixels: tuple[int, int]) -> Frames:
    """One channel of some pixels."""
    after = before.copy()
    for y, x in pixels:
        after[y, x, 1] += by
    return after


def change(pixels: float = 0.0, same: bool = True) -> Change:
    return Change(pixels, [pixels / n for n in (1, 2, 4, 5, 10)], pixels, (0.1, 0.2, 0.3), same)


@pytest.mark.parametrize(("by", "kept"), [(1, True), (4, True), (5, False), (50, False)])
def test_a_pixel_keeps_its_value_until_it_differs_by_more_than_the_tolerance(
    by: int, kept: bool
) -> None:
    before = frame()
    after = brighter(before, by, (3, 5))
    expected = before if kept else after
    np.testing.assert_array_equal(referenced(after, before, 4), expected)


def test_a_pixel_that_changes_takes_all_its_channels() -> None:
    before = np.full((1, 2, 3), 100, np.uint8)
    after = np.array([[[150, 101, 99], [101, 99, 100]]], np.uint8)
    expected = [[[150, 101, 99], [100, 100, 100]]]
    assert referenced(after, before, 2).tolist() == expected


@pytest.mark.parametrize(("was", "now"), [(255, 0), (0, 255)])
def test_differences_do_not_wrap_around(was: int, now: int) -> None:
    before, after = (np.full((1, 1, 3), value, np.uint8) for value in (was, now))
    found = referenced(after, before, 8)
    assert found.dtype == np.uint8 and (found == now).all()


def test_without_a_tolerance_the_frame_is_taken_as_it_is() -> None:
    np.testing.assert_array_equal(referenced(frame(1), frame(0), 0), frame(1))


def test_a_slow_drift_is_noticed_once_it_has_left_the_reference(stages: Stages) -> None:
    """Two grey levels a frame under a tolerance of four: every third frame changes."""
    start = frame()
    frames = [brighter(start, 2 * n, (0, 0)) for n in range(7)]
    found = changes(stages, frames, 4)
    assert [each.pixels > 0 for each in found] == [False, False, True, False, False, True]


@pytest.mark.parametrize(
    ("places", "count"),
    [([(4, 4)], 9), ([(0, 0)], 4), ([(0, 4)], 6), ([(4, 4), (4, 5)], 12), ([(1, 1), (6, 6)], 18)],
)
def test_a_changed_place_spreads_to_its_neighbours(
    places: list[tuple[int, int]], count: int
) -> None:
    mask = torch.zeros(8, 8, dtype=torch.bool)
    for y, x in places:
        mask[y, x] = True
    assert float(still_cameras._dilated(mask).sum()) == count


def test_every_convolutions_input_and_the_tokens_are_taken(stages: Stages) -> None:
    config = stages.network.config
    taken, answer = stages(frame())
    resolutions = [config.image_size, *(config.resolution(stage) for stage in range(4))]
    assert len(taken) == 6
    assert taken[0].shape == (3, *config.image_size)
    assert taken[-1].shape == (config.tokens, config.dim)
    assert {tuple(each.shape[1:]) for each in taken[:5]} <= set(resolutions)
    assert 0 <= answer < config.classes


def test_a_camera_that_sees_the_same_changes_nothing(stages: Stages) -> None:
    found = changes(stages, [frame()] * 3, 0)
    assert len(found) == 2
    for each in found:
        assert each.pixels == each.tokens == 0.0 and each.places == [0.0] * 5
        assert each.work[:2] == (0.0, 0.0) and each.work[2] > 0
        assert each.same


def test_one_pixel_in_the_middle_concerns_nine_places_of_the_first_convolution(
    stages: Stages,
) -> None:
    before = frame()
    (found,) = changes(stages, [before, brighter(before, 50, (8, 8))], 0)
    assert found.pixels == 1 / 256
    assert found.places[0] == pytest.approx(9 / 256)
    assert all(0 <= share <= 1 for share in (*found.places, found.tokens, *found.work))


def test_differences_within_the_tolerance_are_no_change(stages: Stages) -> None:
    before = frame()
    (found,) = changes(stages, [before, brighter(before, 3, (8, 8), (2, 2))], 4)
    assert (found.pixels, found.tokens, found.work[0]) == (0.0, 0.0, 0.0)


def test_another_scene_changes_every_place_of_the_first_convolution(stages: Stages) -> None:
    (found,) = changes(stages, [frame(0), frame(1)], 0)
    assert found.pixels > 0.99 and found.places[0] == 1.0
    assert found.work[0] >= found.work[1]


class Answers:
    """Stages whose answer is the first pixel's."""

    def __init__(self, network: Any) -> None:
        self.network = network

    def __call__(self, seen: Frames) -> tuple[list[torch.Tensor], int]:
        maps = [torch.zeros(2, 4, 4) for _ in range(5)]
        return [*maps, torch.zeros(4, 8)], int(seen[0, 0, 0])


def test_an_answer_is_compared_with_that_of_the_frame_itself(stages: Stages) -> None:
    dark = np.zeros((4, 4, 3), np.uint8)
    frames: list[Frames] = [dark, dark + np.uint8(3), dark + np.uint8(9)]
    answers: Any = Answers(stages.network)
    assert [each.same for each in changes(answers, frames, 4)] == [False, True]
    assert [each.same for each in changes(answers, frames, 0)] == [True, True]


def test_work_weighs_the_convolutions_by_their_products_but_the_first(stages: Stages) -> None:
    """The second changes in all places, in half of its channels; the others in none."""
    convs: list[Any] = list(stages.network.stem.convs)
    before = [torch.zeros(2, 4, 4) for _ in convs]
    after = [each.clone() for each in before]
    after[0][:], after[1][0] = 1, 1
    tokens = torch.zeros(4, 8)
    moved = tokens.clone()
    moved[1, 3] = 1
    found = still_cameras._change(
        stages.network, [*before, tokens], [*after, moved], pixels=0.5, same=False
    )
    products = [conv.conv.weight.numel() * 16 for conv in convs]
    whole = products[1] / sum(products[1:])
    assert found.places == [1.0, 1.0, 0.0, 0.0, 0.0]
    assert found.work == pytest.approx((whole, whole / 2, whole / 2))
    assert (found.pixels, found.tokens, found.same) == (0.5, 0.25, False)


def test_values_that_turn_to_zero_have_changed_and_are_not_there(stages: Stages) -> None:
    before = [torch.ones(2, 4, 4) for _ in range(5)]
    after = [torch.zeros(2, 4, 4) for _ in range(5)]
    tokens = torch.zeros(4, 8)
    found = still_cameras._change(
        stages.network, [*before, tokens], [*after, tokens], pixels=0.0, same=True
    )
    assert found.work == pytest.approx((1.0, 1.0, 0.0))


def test_cells_are_medians_in_percent_and_the_share_of_same_answers() -> None:
    found = [change(0.1), change(0.2), change(1.0, same=False)]
    assert still_cameras._cells("street", 4, found) == [
        "street", "4", "20", "20", "10", "5", "4", "2", "20", "10", "20", "30", "66.7",
    ]  # fmt: skip


def test_frames_are_read_in_the_order_of_their_names_at_the_models_size(tmp_path: Path) -> None:
    for name, value in (("b", 20), ("a", 10), ("c", 30)):
        Image.fromarray(np.full((8, 6), value, np.uint8)).save(tmp_path / f"{name}.png")
    (tmp_path / "notes.txt").write_text("no frame")
    found = still_cameras.read_frames(tmp_path, (4, 2))
    assert [each.shape for each in found] == [(4, 2, 3)] * 3
    assert [int(each[0, 0, 2]) for each in found] == [10, 20, 30]
