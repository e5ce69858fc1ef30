from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime import Engine
from runtime.backends.lagged import PADDING, Lagged, LaggedSession, next_rows
from runtime.backends.layouts import DUTIES
from runtime.backends.ports import Ports, wire_graphs
from runtime.backends.registry import BackendInfo, ChunkOutputs
from runtime.bundle.read import Bundle
from runtime.errors import BundleFormatError
from tests.runtime.manifests import small_manifest

MASKS = (
    np.ones((3, 2, 2), np.int32),
    np.array([[[1, 1], [0, 1]], [[1, 1], [1, 1]], [[1, 0], [0, 0]]], np.int32),
)


def test_rows_are_what_ran_last_in_images_that_go_on_and_one_padding() -> None:
    rows = next_rows(MASKS, np.array([1, 0]))
    assert list(rows) == ["rows.block2"]
    # Image 1 comes first: both its tokens, then token 1 of image 0.
    np.testing.assert_array_equal(rows["rows.block2"], [0, 1, 3, PADDING])
    assert rows["rows.block2"].dtype == np.int32


def test_an_image_with_all_tokens_halted_has_no_rows() -> None:
    np.testing.assert_array_equal(next_rows(MASKS, np.array([2]))["rows.block2"], [PADDING])


class Inner:
    """Keeps what it was asked; answers with the masks above."""

    info = BackendInfo(name="inner", version="1", device="none")

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, Any], Any, bool]] = []
        self.closed = False

    def run(self, inputs: Any, states: Any, *, last: bool, masks: bool) -> ChunkOutputs:
        self.calls.append((dict(inputs), states, masks))
        return ChunkOutputs(
            logits=np.zeros((3, 3), np.float32),
            halt_score=np.zeros(3, np.float32),
            live_tokens=np.zeros((3, 2, 2), np.int32),
            live_masks=MASKS if masks else (),
            states=None if last else "inner states",
        )

    def close(self) -> None:
        self.closed = True


def lagged_manifest(**changes: Any) -> Any:
    return small_manifest(
        layout="lagged", tokens=2, tokens_per_block=(2, 2), live_masks=True, **changes
    )


def test_masks_are_asked_for_where_rows_come_of_them_and_hidden_where_nobody_wants_them() -> None:
    inner = Inner()
    session = LaggedSession(inner, lagged_manifest())

    step = session.run({"image": 0}, None, last=False, masks=False)
    assert step.live_masks == ()
    step = session.run({"alive": np.array([1])}, step.states, last=True, masks=False)
    assert step.states is None
    assert [masks for *_, masks in inner.calls] == [True, False]
    inputs, states, _ = inner.calls[1]
    np.testing.assert_array_equal(inputs["rows.block2"], [0, 1, PADDING])
    assert states == "inner states"


def test_masks_that_are_wanted_come_through() -> None:
    session = LaggedSession(Inner(), lagged_manifest())
    assert session.run({"image": 0}, None, last=True, masks=True).live_masks == MASKS


def test_closing_closes_the_backend() -> None:
    inner = Inner()
    LaggedSession(inner, lagged_manifest()).close()
    assert inner.closed


def test_a_bundle_without_live_masks_is_refused() -> None:
    manifest = dataclasses.replace(lagged_manifest(), live_masks=False)
    with pytest.raises(BundleFormatError, match="no live masks"):
        LaggedSession(Inner(), manifest)


NEXT = ["alive", "epsilon", "rows.block2", "state.a"]
OUTPUTS = {"logits", "halt_score", "live_tokens", "live.block1", "live.block2", "next.state.a"}


def test_row_lists_are_fed_from_outside_in_the_lagged_layout_alone() -> None:
    first, following = Ports(["image", "epsilon"], OUTPUTS), Ports(NEXT, OUTPUTS)
    _, wiring = wire_graphs(lagged_manifest(), first, following, Lagged().row_inputs(2))
    assert wiring is not None and wiring.inputs == ("alive", "epsilon", "rows.block2")
    with pytest.raises(BundleFormatError, match=r"nobody feeds rows\.block2"):
        wire_graphs(lagged_manifest(), first, following, DUTIES["dense"].row_inputs(2))


def test_the_engine_wraps_the_backend_of_a_lagged_bundle(bundle: Bundle, tmp_path: Path) -> None:
    """The toy graphs take no row lists, so only the wrapping can be seen."""
    manifest = dataclasses.replace(bundle.manifest, layout="lagged")
    with Engine(Bundle(bundle.root, manifest, "")) as engine:
        assert isinstance(engine._session, LaggedSession)
    with Engine(bundle) as engine:
        assert not isinstance(engine._session, LaggedSession)
