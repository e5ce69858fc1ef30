from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import onnx
import pytest

from export.bundle.write import check_model, make_manifest
from export.comparison.spiking import run_with_spikes
from export.comparison.torch_spikes import neurons_of, recorded_spikes
from export.fold.network import make_plan
from export.graph.observers.spike_names import PREFIX, spike_output, split_output
from export.graph.unroll import unroll
from export.options import ExportOptions
from spikehalt.vocabulary import Layout
from tests.export.dyadic import (
    EPSILON,
    OnnxRuntime,
    as_input,
    dyadic_config,
    dyadic_network,
    pictures,
    token_names,
)
from train.models import SpikingTransformer


def test_names_can_be_taken_apart() -> None:
    assert split_output(spike_output(12, "block2.qkv_lif")) == (12, "block2.qkv_lif")


def torch_spikes(network: SpikingTransformer, data: Any) -> dict[str, Any]:
    with recorded_spikes(network) as spikes:
        network(as_input(network, data), EPSILON)
    return spikes


@pytest.mark.parametrize(("layout", "chunk"), [("packed", 1), ("dense", 2), ("lagged", 2)])
@pytest.mark.parametrize(
    ("arch", "stem"), [("spikformer", "isps"), ("spikingformer", "sps"), ("sdt", "sps")]
)
def test_every_neurons_spikes_equal_torchs(arch: str, stem: str, layout: str, chunk: int) -> None:
    network = dyadic_network(dyadic_config(arch, stem, "block_time", 3))
    options = ExportOptions(chunk, layout, live_masks=True, spikes=True)  # type: ignore[arg-type]
    graphs = unroll(make_plan(network), options)
    for name, model in graphs.items():
        check_model(name, model)
    found = run_with_spikes(graphs, manifest_of(network, layout, chunk), pictures(3))
    expected = torch_spikes(network, pictures(3))
    assert set(found) == set(expected) == {PREFIX + name for name in neurons_of(network)}
    for name, spikes in expected.items():
        np.testing.assert_array_equal(found[name], spikes, err_msg=name)
        assert 0 < spikes.mean() < 1


def manifest_of(network: SpikingTransformer, layout: Any, chunk: int) -> Any:
    from train.checkpoint import Checkpoint

    classes = tuple(map(str, range(network.config.classes)))
    checkpoint = Checkpoint(network.config, {}, classes, "halting")
    options = ExportOptions(chunk=chunk, layout=layout, live_masks=True)
    return make_manifest(checkpoint, network, options)


def test_spikes_of_int8_graphs_are_seen() -> None:
    network = dyadic_network(dyadic_config("spikformer", "isps", "block_time", 0))
    options = ExportOptions(2, "packed", live_masks=True, spikes=True, precision="int8")
    graphs = unroll(make_plan(network), options)
    found = run_with_spikes(graphs, manifest_of(network, "packed", 2), pictures(3))
    expected = torch_spikes(network, pictures(3))
    flips = [np.mean(found[name] != spikes) for name, spikes in expected.items()]
    assert set(found) == set(expected) and 0 < np.mean(flips) < 0.2


def test_spying_changes_nothing_else() -> None:
    plan = make_plan(dyadic_network(dyadic_config("spikformer", "isps", "block_time", 0)))
    plain = unroll(plan, ExportOptions(1, "dense", spike_ops=False))
    spying = unroll(plan, ExportOptions(1, "dense", spikes=True))
    for name, model in plain.items():
        outputs = {value.name for value in model.graph.output}
        more = {value.name for value in spying[name].graph.output}
        assert outputs < more
        assert all(each.startswith(PREFIX) for each in more - outputs)
        assert custom_nodes(model) == custom_nodes(spying[name])


@pytest.mark.parametrize("layout", ["packed", "dense", "lagged"])
def test_spikes_operations_and_live_masks_come_out_together(layout: Layout) -> None:
    network = dyadic_network(dyadic_config("spikformer", "isps", "block_time", 3))
    plan, every = make_plan(network), {"spikes": True, "instrument": True, "live_masks": True}
    together = unroll(plan, ExportOptions(2, layout, **every))  # type: ignore[arg-type]
    apart = [unroll(plan, ExportOptions(2, layout, **{name: True})) for name in every]  # type: ignore[arg-type]
    for name, model in together.items():
        check_model(name, model)
        each = [outputs_of(graphs[name]) for graphs in apart]
        assert outputs_of(model) == set.union(*each)
        assert all(a - b for a, b in permutations(each, 2)), "each has outputs of its own"


def test_what_observers_give_out_does_not_depend_on_the_others() -> None:
    network = dyadic_network(dyadic_config("spikformer", "sps", "block_time", 0))
    every = {"spikes": True, "instrument": True, "live_masks": True}
    together = first_outputs(network, every)
    for name in every:
        for output, value in first_outputs(network, {name: True}).items():
            np.testing.assert_array_equal(together[output], value, err_msg=output)


def first_outputs(network: SpikingTransformer, asked: dict[str, Any]) -> dict[str, Any]:
    graphs = unroll(make_plan(network), ExportOptions(4, "packed", **asked))
    run = OnnxRuntime(graphs["first.onnx"], token_names(network.config.depth))
    return run({"image": pictures(3), "epsilon": np.array(EPSILON, np.float32)})


def outputs_of(model: onnx.ModelProto) -> set[str]:
    return {value.name for value in model.graph.output}


def custom_nodes(model: onnx.ModelProto) -> int:
    return sum(node.domain == "spikehalt" for node in model.graph.node)
