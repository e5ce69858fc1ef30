"""The function bodies in TensorRT-RTX, whose builder needs no GPU."""

import importlib.util

import numpy as np
import pytest

from plugins.common.types import SPIKE_DTYPES
from plugins.lif import lif
from plugins.token_halt import token_halt
from plugins.token_merge import token_merge
from plugins.token_merge_similar import token_merge_similar
from tests.plugins import samples
from tests.plugins.onnx_models import OUTPUTS, one_node_model
from tests.plugins.token_merge_similar.test_token_merge_similar_function import random_mask

if importlib.util.find_spec("tensorrt_rtx") is None:
    pytest.skip("tensorrt_rtx is not installed", allow_module_level=True)
pytestmark = pytest.mark.tensorrt
DTYPES = [np.float32, np.float16]


def build(model):
    """Parse and build for compute capability 8.6; returns the plan's size in bytes."""
    import tensorrt_rtx as trt

    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    errors = lambda: [parser.get_error(i).desc() for i in range(parser.num_errors)]  # noqa: E731
    assert parser.parse(model.SerializeToString()), errors()
    config = builder.create_builder_config()
    config.num_compute_capabilities = 1
    config.set_compute_capability(trt.ComputeCapability.SM86, 0)
    plan = builder.build_serialized_network(network, config)
    return 0 if plan is None else plan.nbytes


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("spike_type", [1, 10, 3])
def test_lif_builds(dtype, reset, steps, spike_type):
    x = np.zeros((*([steps] if steps > 1 else []), 2, 33, 8), dtype)
    v = np.zeros(1, dtype)
    attributes = {"decay": 0.5, "threshold": 1.0, "reset": reset, "steps": steps}
    results = lif(x, v, spike_type=SPIKE_DTYPES[spike_type], **attributes)
    outputs = dict(zip(OUTPUTS["LIF"], results, strict=True))
    feeds = {"x": x, "v": v}
    assert build(one_node_model("LIF", feeds, outputs, spike_type=spike_type, **attributes)) > 0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", ["TokenHalt", "TokenHaltSum"])
@pytest.mark.parametrize("last", [0, 1])
def test_token_halt_builds(dtype, op, last):
    feeds = samples.halt_inputs(0, (2, 33), 8, dtype, "some")
    attributes = {"alpha": 5.0, "beta": -10.0, "last": last}
    results = token_halt(**feeds, **attributes, reduce=op == "TokenHaltSum")
    outputs = dict(zip(OUTPUTS[op], results, strict=True))
    assert build(one_node_model(op, feeds, outputs, **attributes)) > 0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("K", [64, 65])
@pytest.mark.parametrize("source", [[[-1]], [[0, 2, 4], [2, 6, 8]]])
def test_token_merge_builds(dtype, K, source):
    feeds = samples.merge_inputs(0, 2, K, 8, dtype, "some")
    feeds["source"] = np.array(source, np.int32)
    outputs = dict(zip(OUTPUTS["TokenMerge"], token_merge(**feeds, gamma=3), strict=True))
    assert build(one_node_model("TokenMerge", feeds, outputs, gamma=3)) > 0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("K", [64, 65])
@pytest.mark.parametrize("given", [False, True])
def test_token_merge_similar_builds(dtype, K, given):
    feeds = samples.merge_inputs(0, 2, K, 8, dtype, "some")
    if given:
        feeds["source"] = random_mask(0, 2, K)
    outputs = token_merge_similar(**feeds, threshold=0.75)
    named = dict(zip(OUTPUTS["TokenMergeSimilar"], outputs, strict=True))
    assert build(one_node_model("TokenMergeSimilar", feeds, named, threshold=0.75)) > 0
