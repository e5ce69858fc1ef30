"""What became of every patch, merged ones included."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from export.bundle.write import export_bundle
from export.options import ExportOptions
from runtime import Engine
from runtime.report.annotation import LEAST_SIDE, annotate, enlarged_input
from runtime.report.pictures import missing_heat_maps
from runtime.results.patches import HALTED, MERGED, RAN, patch_states
from runtime.results.result import ImageResult
from tests.export.dyadic import dyadic_config, dyadic_network
from tests.runtime.toy import toy_manifest
from train.checkpoint import Checkpoint, save_checkpoint
from train.models import SpikingTransformer


def answer(masks: list[list[list[int]]], merged: Any, **changes: Any) -> ImageResult:
    stacked = tuple(np.array(mask, np.int32) for mask in masks)
    gone = None if merged is None else tuple(np.array(each, np.int32) for each in merged)
    given: dict[str, Any] = {
        "label": 0, "name": "red", "probability": 1.0, "probabilities": np.ones(3, np.float32),
        "timesteps": len(masks[0]), "live_tokens": np.zeros((1, 2), np.int32), "halt_score": 0.0,
        "average_tokens": 1.0, "energy_mj": None, "live_masks": stacked, "merged": gone,
    }  # fmt: skip
    return ImageResult(**{**given, **changes})


MERGING = replace(toy_manifest(), tokens=5, tokens_per_block=(4, 2))


def test_merged_patches_stay_merged_and_slots_find_their_patches() -> None:
    """Slot 2 of five merges in block 1; in block 2 slots 0 and 2 of the four that are left."""
    said = answer([[[1, 1, 1, 1]], [[1, 0]]], [[2], [0, 2]])
    states = patch_states(MERGING, said)
    assert states is not None
    assert states[0].tolist() == [
        [RAN, RAN, MERGED, RAN, RAN],
        [MERGED, RAN, MERGED, MERGED, HALTED],
    ]


def test_a_source_that_had_halted_is_not_merged() -> None:
    said = answer([[[0, 1, 1, 1]], [[1, 1]]], [[2], [0, 2]])
    states = patch_states(MERGING, said)
    assert states is not None
    assert states[0, 1].tolist() == [HALTED, RAN, MERGED, MERGED, RAN]


SIMILAR = replace(toy_manifest(), tokens=5, tokens_per_block=(5, 5), model={"merge_threshold": 0.9})


def test_where_slots_stay_a_patch_that_merged_is_told_from_one_that_halted() -> None:
    """Slot 2 merges in block 1; slot 0 in block 2, before which 4 had halted."""
    said = answer([[[1, 1, 0, 1, 1]], [[0, 1, 0, 1, 0]]], [[0, 0, 1, 0, 0], [1, 0, 0, 0, 0]])
    states = patch_states(SIMILAR, said)
    assert states is not None
    assert states[0].tolist() == [
        [RAN, RAN, MERGED, RAN, RAN],
        [MERGED, RAN, MERGED, RAN, HALTED],
    ]
    assert patch_states(SIMILAR, replace(said, merged=None)) is None
    assert SIMILAR.merges and not replace(SIMILAR, model={}).merges


def test_without_masks_or_merge_positions_nothing_is_known() -> None:
    assert patch_states(MERGING, answer([[[1, 1, 1, 1]], [[1, 0]]], None)) is None
    assert patch_states(MERGING, answer([[[1]]], None, live_masks=None)) is None


@pytest.fixture(scope="module", params=["sps", "isps"])
def similar(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a network that halts and merges what is similar."""
    place = tmp_path_factory.mktemp("similar")
    config = dyadic_config("spikformer", request.param, "block_time", 0, merge_threshold=0.9)
    return bundle_of(dyadic_network(config), place)


def test_an_exported_bundle_says_which_slots_merged_and_stay(similar: Path) -> None:
    with Engine(similar, policy="never") as engine:
        manifest = engine.manifest
        result = engine(frames_of(engine, 3), live_masks=True)
    assert result.merged is not None and result.live_masks is not None
    assert [each.shape for each in result.merged] == [(3, manifest.tokens)] * 3
    for gone, live in zip(result.merged, result.live_masks, strict=True):
        assert not gone[:, 1::2].any() and not (live * gone[:, None]).any()
    states = patch_states(manifest, result[1])
    assert states is not None
    np.testing.assert_array_equal((states == RAN).sum(axis=2), result[1].live_tokens)
    assert (states == MERGED).any() and missing_heat_maps(manifest).startswith("tokens merge")


@pytest.fixture(scope="module", params=["sps", "isps"])
def merging(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a network that halts and merges."""
    place = tmp_path_factory.mktemp("merging")
    return bundle_of(
        dyadic_network(dyadic_config("spikformer", request.param, "block_time", 3)), place
    )


def bundle_of(network: SpikingTransformer, place: Path) -> Path:
    """The network exported into a folder."""
    state, classes = network.state_dict(), tuple(map(str, range(network.config.classes)))
    save_checkpoint(place / "merging.pt", Checkpoint(network.config, state, classes, "halting"))
    export_bundle(place / "merging.pt", place / "merging.bundle", ExportOptions())
    return place / "merging.bundle"


def frames_of(engine: Engine, count: int) -> NDArray[np.uint8]:
    spec = engine.manifest.input
    shape = (count, spec.height, spec.width, spec.channels)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def test_an_exported_bundle_says_which_tokens_merge(merging: Path) -> None:
    with Engine(merging, policy="never") as engine:
        manifest = engine.manifest
        result = engine(frames_of(engine, 3), live_masks=True)
        plain = engine(frames_of(engine, 3))
    assert plain.merged is None and result.merged is not None
    arriving = (manifest.tokens, *manifest.tokens_per_block)
    for slots, gone in zip(arriving, result.merged, strict=False):
        assert (gone % 2 == 0).all() and (gone < slots).all()  # sources stand at even positions
        assert (np.diff(gone, axis=1) > 0).all()
    states = patch_states(manifest, result[1])
    assert states is not None
    np.testing.assert_array_equal((states == RAN).sum(axis=2), result[1].live_tokens)
    assert (states == MERGED).any()


def test_pictures_outline_merged_patches(merging: Path) -> None:
    with Engine(merging, policy="never") as engine:
        manifest, data = engine.manifest, frames_of(engine, 1)
        said = engine(data, live_masks=True)[0]
    picture = annotate(manifest, enlarged_input(manifest, data[0]), said)
    states = patch_states(manifest, said)
    assert states is not None and picture.shape[0] > LEAST_SIDE
    outlined = (picture[:-60] == (255, 196, 0)).all(axis=2)
    assert outlined.any() == (states[-1, -1] == MERGED).any()
    unknown = annotate(manifest, enlarged_input(manifest, data[0]), replace(said, merged=None))
    assert not (unknown[:-60] == (255, 196, 0)).all(axis=2).any()
