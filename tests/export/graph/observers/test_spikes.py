from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from export.bundle.write import check_model, make_manifest
from export.comparison.spiking import run_with_spikes
from export.comparison.torch_spikes import neurons_of, recorded_spikes
from export.fold.network import make_plan
from export.graph.observers.spike_names import PREFIX, spike_output, split_output
from export.graph.unroll import GraphOptions, unroll
from tests.export.dyadic import EPSILON, as_input, dyadic_config, dyadic_network, pictures
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
    options = GraphOptions(chunk, layout, live_masks=True, spikes=True)  # type: ignore[arg-type]
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
    from export.bundle.write import ExportOptions
    from train.checkpoint import Checkpoint

    classes = tuple(map(str, range(network.config.classes)))
    checkpoint = Checkpoint(network.config, {}, classes, "halting")
    options = ExportOptions(chunk=chunk, layout=layout, live_masks=True)
    return make_manifest(checkpoint, network, options, layout)


def test_spikes_of_int8_graphs_are_seen() -> None:
    network = dyadic_network(dyadic_config("spikformer", "isps", "block_time", 0))
    options = GraphOptions(2, "packed", live_masks=True, spikes=True, int8=True)
    graphs = unroll(make_plan(network), options)
    found = run_with_spikes(graphs, manifest_of(network, "packed", 2), pictures(3))
    expected = torch_spikes(network, pictures(3))
    flips = [np.mean(found[name] != spikes) for name, spikes in expected.items()]
    assert set(found) == set(expected) and 0 < np.mean(flips) < 0.2


def test_spying_changes_nothing_else() -> None:
    plan = make_plan(dyadic_network(dyadic_config("spikformer", "isps", "block_time", 0)))
    plain = unroll(plan, GraphOptions(1, "dense"))
    spying = unroll(plan, GraphOptions(1, "dense", spikes=True))
    for name, model in plain.items():
        outputs = {value.name for value in model.graph.output}
        more = {value.name for value in spying[name].graph.output}
        assert outputs < more
        assert all(each.startswith(PREFIX) for each in more - outputs)
        assert custom_nodes(model) == custom_nodes(spying[name])


def custom_nodes(model: onnx.ModelProto) -> int:
    return sum(node.domain == "spikehalt" for node in model.graph.node)
