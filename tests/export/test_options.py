from __future__ import annotations

import argparse

import numpy as np
import pytest

from export.errors import UnsupportedError
from export.fold.network import make_plan
from export.graph.unroll import unroll
from export.options import GRAPH_ARGUMENTS, ExportOptions, add_graph_arguments, export_options
from tests.export.dyadic import dyadic_config, dyadic_network


def parsed(*words: str) -> argparse.Namespace:
    p = argparse.ArgumentParser()
    add_graph_arguments(p)
    return p.parse_args(words)


def test_no_arguments_are_the_default_options() -> None:
    assert export_options(parsed(), None) == ExportOptions()


def test_every_argument_reaches_the_options() -> None:
    words = "--int8 --qdq --chunk 2 --layout lagged --merge-gamma 3 --no-live-masks --instrument"
    assert export_options(parsed(*words.split()), 8) == ExportOptions(
        2, "lagged", "int8", qdq=True, merge_gamma=3, live_masks=False, instrument=True,
        engine_batch=8,
    )  # fmt: skip
    assert export_options(parsed("--fp16"), None).dtype == np.float16


def test_a_threshold_takes_the_place_of_a_rate_and_the_other_way_round() -> None:
    model = dyadic_config("spikformer", "isps", "block_time", 3)
    similar = export_options(parsed("--merge-threshold", "0.9"), None).applied_to(model)
    assert (similar.merge_gamma, similar.merge_threshold) == (0, 0.9)
    back = export_options(parsed("--merge-gamma", "3"), None).applied_to(similar)
    assert back == model
    assert not ExportOptions(merge_threshold=0.0).applied_to(model).merges
    with pytest.raises(SystemExit):
        parsed("--merge-gamma", "3", "--merge-threshold", "0.9")


def test_the_arguments_are_listed() -> None:
    assert set(GRAPH_ARGUMENTS) == set(vars(parsed()))


def test_int8_is_for_the_engines_that_are_built_next() -> None:
    assert export_options(parsed("--int8"), 8).qdq
    assert not export_options(parsed("--int8"), None).qdq
    with pytest.raises(UnsupportedError, match="--qdq says what --int8 is for: give both"):
        export_options(parsed("--qdq"), None)


def test_merging_that_was_asked_for_is_emitted_as_the_models_own_would_be() -> None:
    without, own = (
        make_plan(dyadic_network(dyadic_config("spikformer", "isps", "block_time", gamma)))
        for gamma in (0, 3)
    )
    asked = unroll(without, ExportOptions(layout="dense", merge_gamma=3))
    expected = unroll(own, ExportOptions(layout="dense"))
    assert asked == expected
