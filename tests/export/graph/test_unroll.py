"""What exported graphs contain, and what they do not."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest

import plugins
from export.bundle.write import check_model
from export.errors import UnsupportedError
from export.fold.network import make_plan
from export.graph.unroll import unroll
from export.options import ExportOptions
from tests.export.dyadic import EPSILON, dyadic_config, dyadic_network, pictures
from train.config import DropConfig
from train.models import NAMED_MODELS

ARCHITECTURES = sorted({each.arch for each in NAMED_MODELS.values() if not each.stages})


def graphs_of(arch: str, stem: str = "isps", mode: str = "block_time", gamma: int = 3, **options):  # type: ignore[no-untyped-def]
    network = dyadic_network(dyadic_config(arch, stem, mode, gamma))
    return unroll(make_plan(network), ExportOptions(**{"layout": "packed", **options}))


def kinds(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


@pytest.mark.parametrize("layout", ["packed", "dense"])
@pytest.mark.parametrize("stem", ["sps", "isps"])
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_graphs_pass_the_checker_and_strict_shape_inference(
    arch: str, stem: str, layout: str
) -> None:
    for name, model in graphs_of(arch, stem, layout=layout, chunk=2).items():
        check_model(name, model)
        assert model.ir_version == plugins.IR_VERSION
        assert {o.domain: o.version for o in model.opset_import} == {"": 18, "spikehalt": 1}


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_no_batch_normalisation_is_left(arch: str) -> None:
    for model in graphs_of(arch, "sps").values():
        assert "BatchNormalization" not in kinds(model)


@pytest.mark.parametrize("chunk", [1, 4])
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_each_convolution_of_isps_runs_once_per_image(arch: str, chunk: int) -> None:
    graphs = graphs_of(arch, "isps", chunk=chunk)
    convolutions = {
        name: kinds(model)["Conv"] + kinds(model)["SpikeConv"] for name, model in graphs.items()
    }
    assert convolutions.pop("first.onnx") == 5 and not any(convolutions.values())


def test_first_convolution_of_sps_runs_once_per_image() -> None:
    whole = graphs_of("spikformer", "sps", chunk=4)["first.onnx"]
    assert rows_through(whole, "stem/conv1", EPSILON) == 2
    assert rows_through(whole, "stem/conv2", EPSILON) == 4 * 2
    following = graphs_of("spikformer", "sps", chunk=2)["next.onnx"]
    assert "stem/conv1" not in {node.name for node in following.graph.node}


def test_what_does_not_depend_on_time_is_computed_once() -> None:
    first = graphs_of("spikformer", "isps", gamma=3, chunk=4, layout="dense")["first.onnx"]
    assert rows_through(first, "block1/qkv", EPSILON) == 2 * 61
    assert rows_through(first, "block2/qkv", EPSILON) == 4 * 2 * 58
    merges = [node.name for node in first.graph.node if node.op_type == "TokenMerge"]
    assert len(merges) == 1 + 2 * 4  # block 1 merges constant tokens, blocks 2 and 3 do not


@pytest.mark.parametrize("layout", ["packed", "dense", "lagged"])
@pytest.mark.parametrize("stem", ["sps", "isps"])
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_chunk_multiplies_once_whatever_its_timesteps(arch: str, stem: str, layout: str) -> None:
    """One product per layer takes the rows of all timesteps: weights are read once a chunk."""
    for chunk in (1, 2):
        for model in graphs_of(arch, stem, chunk=chunk, layout=layout).values():
            names = Counter(node.name.split(".")[0] for node in model.graph.node)
            for block in (1, 2, 3):
                assert {names[f"block{block}/{part}"] for part in ("proj", "fc1", "fc2")} == {1}


@pytest.mark.parametrize("layout", ["dense", "lagged"])
def test_one_neuron_node_takes_all_timesteps_where_their_rows_are_the_same(layout: str) -> None:
    for model in graphs_of("spikformer", "sps", chunk=2, layout=layout).values():
        neurons = [node for node in model.graph.node if node.op_type == "LIF"]
        steps = {a.i for node in neurons for a in node.attribute if a.name == "steps"}
        assert steps == {2}
        assert len(neurons) == 5 + 3 * 5  # of the stem and of three blocks


def test_custom_nodes_carry_the_plugin_attributes_and_stable_unique_names() -> None:
    for model in graphs_of("spikformer", chunk=2).values():
        custom = [node for node in model.graph.node if node.domain == plugins.DOMAIN]
        assert len({node.name for node in model.graph.node}) == len(model.graph.node)
        for node in custom:
            values = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            if node.op_type not in plugins.PLUGIN_OPS:
                assert "plugin_namespace" not in values
                continue
            assert values["plugin_namespace"] == b"spikehalt"
            assert values["plugin_version"] == b"1"
    again = graphs_of("spikformer", chunk=2)["first.onnx"]
    first = graphs_of("spikformer", chunk=2)["first.onnx"]
    assert [n.name for n in again.graph.node] == [n.name for n in first.graph.node]


def test_states_pair_by_name_alone() -> None:
    for layout in ("packed", "dense"):
        graphs = graphs_of("spikformer", "sps", chunk=1, layout=layout)
        wanted = {v.name for v in graphs["next.onnx"].graph.input if v.name.startswith("state.")}
        assert wanted
        for model in graphs.values():
            given = {v.name for v in model.graph.output if v.name.startswith("next.state.")}
            assert given == {f"next.{name}" for name in wanted}


def test_fully_unrolled_networks_have_no_next_graph() -> None:
    assert set(graphs_of("spikformer", chunk=4)) == {"first.onnx"}


def rows_through(model: onnx.ModelProto, layer: str, epsilon: float) -> int:
    """How many rows a linear layer multiplies, over the timesteps of the chunk."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    copy.graph.output.append(onnx.helper.make_tensor_value_info(layer, 1, None))
    session = onnxruntime.InferenceSession(copy.SerializeToString())
    feed = {"image": pictures(2), "epsilon": np.array(epsilon, np.float32)}
    return len(session.run([layer], feed)[0])


def test_rows_of_halted_tokens_are_not_computed_in_the_packed_layout() -> None:
    packed = graphs_of("spikformer", gamma=0, chunk=4)["first.onnx"]
    dense = graphs_of("spikformer", gamma=0, chunk=4, layout="dense")["first.onnx"]
    assert rows_through(dense, "block3/fc1", EPSILON) == 4 * 2 * 64
    assert rows_through(packed, "block3/fc1", EPSILON) < 4 * 2 * 64
    # Nearly every token halts in block 1: nothing is left to multiply.
    assert rows_through(packed, "block3/fc1", 0.99) == 0


def test_rows_of_merged_tokens_are_not_computed() -> None:
    for layout in ("packed", "dense"):
        model = graphs_of("spikformer", mode="none", gamma=25, chunk=4, layout=layout)["first.onnx"]
        rows = [rows_through(model, f"block{n}/fc1", EPSILON) for n in (1, 2, 3)]
        assert rows == [4 * 2 * 39, 4 * 2 * 20, 4 * 2 * 10]


def test_larger_epsilon_keeps_fewer_tokens_at_run_time() -> None:
    model = graphs_of("spikformer", gamma=0, chunk=4)["first.onnx"]
    session = onnxruntime.InferenceSession(model.SerializeToString())
    counts = [
        session.run(
            ["live_tokens"], {"image": pictures(4), "epsilon": np.array(epsilon, np.float32)}
        )[0].sum()
        for epsilon in (0.01, 0.3, 0.7)
    ]
    assert counts[0] > counts[1] > counts[2]


def test_a_chunk_that_does_not_divide_the_timesteps_is_refused() -> None:
    with pytest.raises(
        UnsupportedError, match=r"chunk 3 does not divide T = 4; choose one of \[1, 2, 4\]"
    ):
        graphs_of("spikformer", chunk=3)


def test_mode_block_is_refused_in_the_packed_layout() -> None:
    with pytest.raises(UnsupportedError, match="use --layout dense"):
        graphs_of("spikformer", mode="block")


@pytest.mark.parametrize("kind", ["random", "anchor"])
@pytest.mark.parametrize("options", [{}, {"spikes": True}, {"instrument": True}])
def test_dropping_at_fixed_rates_is_refused(kind: str, options: dict[str, bool]) -> None:
    """The graphs would run every token: another function than the checkpoint's."""
    config = dyadic_config("spikformer", "isps", "none", 0)
    dropping = replace(config, drop=DropConfig(kind, (1.0, 0.5, 0.25)))  # type: ignore[arg-type]
    with pytest.raises(UnsupportedError, match=rf"'{kind}'.*halting.mode.*merge_gamma"):
        unroll(make_plan(dyadic_network(dropping)), ExportOptions(**options))
