"""Whole exported graphs: with the kernels as without them."""

from __future__ import annotations

import json

import numpy as np
import onnxruntime
import pytest

from export.fold.network import make_plan
from export.graph.unroll import unroll
from export.options import ExportOptions
from tests.export.dyadic import (
    PATCH_SPLITTING,
    Bundle,
    OnnxRuntime,
    assert_same,
    dyadic_config,
    dyadic_network,
    pictures,
    with_outputs,
)


def registered(library):
    """Graphs as `OnnxRuntime` runs them, with the kernels registered."""

    class Registered(OnnxRuntime):
        def __init__(self, model, extra):
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1
            options.register_custom_ops_library(str(library))
            data = with_outputs(model, extra).SerializeToString()
            self.session = onnxruntime.InferenceSession(data, options, ["CPUExecutionProvider"])
            self.inputs = [value.name for value in self.session.get_inputs()]
            self.outputs = [value.name for value in self.session.get_outputs()]

    return Registered


@pytest.mark.parametrize("gamma", [0, 3])
@pytest.mark.parametrize("layout", ["packed", "dense"])
@pytest.mark.parametrize("stem", ["sps", "isps"])
@pytest.mark.parametrize("arch", PATCH_SPLITTING)
def test_kernels_and_bodies_agree_bit_for_bit(native_library, arch, stem, layout, gamma):
    network = dyadic_network(dyadic_config(arch, stem, "block_time", gamma))
    assert_kernels_agree(native_library, network, layout, "fp32")


@pytest.mark.parametrize("mode", ["none", "block_time"])
@pytest.mark.parametrize("layout", ["packed", "dense"])
@pytest.mark.parametrize("stem", ["sps", "isps"])
def test_kernels_and_bodies_agree_where_similar_tokens_merge(native_library, stem, layout, mode):
    network = dyadic_network(dyadic_config("spikformer", stem, mode, 0, merge_threshold=0.9))
    assert_kernels_agree(native_library, network, layout, "fp32")


@pytest.mark.parametrize("layout", ["packed", "dense"])
@pytest.mark.parametrize("arch", PATCH_SPLITTING)
def test_kernels_and_bodies_agree_in_int8(native_library, arch, layout):
    network = dyadic_network(dyadic_config(arch, "isps", "block_time", 0))
    assert_kernels_agree(native_library, network, layout, "int8")


def assert_kernels_agree(native_library, network, layout, precision):
    plan = make_plan(network)
    for chunk in (1, 4):
        options = ExportOptions(chunk=chunk, layout=layout, precision=precision, live_masks=True)
        graphs = unroll(plan, options)
        kinds = (OnnxRuntime, registered(native_library))
        bundles = [Bundle(kind, graphs, network.config, chunk) for kind in kinds]
        for batch in (1, 3):
            assert_same(*[bundle.run(pictures(batch)) for bundle in bundles])


def test_the_kernels_are_what_runs(native_library, tmp_path):
    """The profile names our ops as nodes, which function bodies would have been expanded to."""
    network = dyadic_network(dyadic_config("spikformer", "isps", "block_time", 3))
    graphs = unroll(make_plan(network), ExportOptions(chunk=2, layout="packed", precision="int8"))
    model = graphs["first.onnx"]
    options = onnxruntime.SessionOptions()
    options.enable_profiling = True
    options.profile_file_prefix = str(tmp_path / "profile")
    options.register_custom_ops_library(str(native_library))
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, ["CPUExecutionProvider"]
    )
    session.run(None, {"image": pictures(1), "epsilon": np.array(0.01, np.float32)})
    with open(session.end_profiling()) as file:
        ran = {event.get("args", {}).get("op_name") for event in json.load(file)}
    used = {node.op_type for node in model.graph.node if node.domain == "spikehalt"}
    assert used and used <= ran
