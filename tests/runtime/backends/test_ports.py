from __future__ import annotations

import pytest

from runtime.backends.ports import Ports, wire_graphs
from runtime.errors import BundleFormatError
from tests.runtime.toy import toy_manifest

OUT = {"logits", "halt_score", "live_tokens", "live.block1", "live.block2"}
FIRST = Ports(["image", "epsilon"], {*OUT, "next.state.v", "next.state.unused"})
NEXT = Ports(["alive", "epsilon", "state.v"], {*OUT, "next.state.v"})


def test_states_are_paired_by_name_and_unused_ones_dropped() -> None:
    first, following = wire_graphs(toy_manifest(), FIRST, NEXT)

    assert first.inputs == ("image", "epsilon") and first.states_in == ()
    assert first.states_out == ("next.state.v",)
    assert following is not None
    assert following.inputs == ("alive", "epsilon") and following.states_in == ("state.v",)
    assert following.states_out == ("next.state.v",)


def test_a_fully_unrolled_bundle_has_one_graph() -> None:
    first, following = wire_graphs(toy_manifest(chunk=4), FIRST, None)

    assert following is None and first.states_out == ()


def test_a_second_graph_that_runs_once_needs_no_states_out() -> None:
    once = Ports(NEXT.inputs, OUT)

    _, following = wire_graphs(toy_manifest(chunk=2), FIRST, once)
    assert following is not None and following.states_in == ("state.v",)
    with pytest.raises(BundleFormatError, match=r"next\.onnx lacks the outputs next\.state\.v"):
        wire_graphs(toy_manifest(chunk=1), FIRST, once)


@pytest.mark.parametrize(
    ("first", "following", "message"),
    [
        (Ports(["img"], FIRST.outputs), NEXT, "has inputs nobody feeds img"),
        (Ports(["epsilon"], FIRST.outputs), NEXT, r"first\.onnx lacks the inputs image"),
        (Ports(FIRST.inputs, {"logits"}), NEXT, "lacks the outputs halt_score"),
        (FIRST, Ports(["epsilon", "state.v"], NEXT.outputs), "lacks the inputs alive"),
        (FIRST, Ports(["alive", "image"], NEXT.outputs), "has inputs nobody feeds image"),
        (FIRST, Ports(["alive", "state.w"], NEXT.outputs), r"lacks the outputs next\.state\.w"),
    ],
)
def test_graphs_that_break_the_contract_are_refused(
    first: Ports, following: Ports, message: str
) -> None:
    with pytest.raises(BundleFormatError, match=message):
        wire_graphs(toy_manifest(), first, following)
