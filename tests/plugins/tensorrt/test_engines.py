"""Each plugin in an engine of one node, on a GPU: TensorRT's result against the reference."""

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

import plugins
from plugins.building.build import build
from plugins.errors import BuildError, NoDeviceError
from plugins.libraries import FOLDER_VARIABLE, KERNELS_NAME
from plugins.loader import load_plugins
from plugins.ops import run_reference
from plugins.selftest.cases import open_kernels
from plugins.selftest.device import Device, require_driver
from plugins.selftest.run import selftest
from tests.plugins import samples
from tests.plugins.onnx_models import INPUTS, OUTPUTS, one_node_model

pytestmark = pytest.mark.gpu
X = np.random.default_rng(0).normal(size=(4, 2, 33, 24))
SAMPLES = {
    "LIF": (
        {"x": X.astype(np.float16), "v": np.zeros((2, 33, 24), np.float16)},
        {"decay": 0.5, "threshold": 0.5, "spike_type": 10, "steps": 4},
    ),
    "TokenHalt": (
        samples.halt_inputs(1, (66,), 24, np.float16, "some"), {"alpha": 5.0, "beta": -1.0},
    ),
    "TokenHaltSum": (
        samples.halt_inputs(2, (2, 33), 24, np.float32, "some"), {"alpha": 5.0, "beta": -1.0},
    ),
    "TokenMerge": (samples.merge_inputs(3, 2, 33, 24, np.float32, "some"), {"gamma": 10}),
    "TokenMergeSimilar": (
        samples.merge_inputs(3, 2, 33, 24, np.float32, "some"), {"threshold": 0.75},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def libraries(tmp_path_factory):
    """Everything this machine can build, in a folder of its own."""
    try:
        require_driver()
        folder = tmp_path_factory.mktemp("libraries")
        build(folder, say=lambda _: None)
    except (NoDeviceError, BuildError) as error:
        pytest.skip(str(error))
    previous = os.environ.get(FOLDER_VARIABLE)
    os.environ[FOLDER_VARIABLE] = str(folder)
    yield folder
    os.environ.pop(FOLDER_VARIABLE)
    if previous is not None:
        os.environ[FOLDER_VARIABLE] = previous


def test_the_kernels_pass_their_self_test(libraries: Path):
    lines = []
    passed = selftest(
        libraries / KERNELS_NAME, quick=True, megabytes=1, sanitize=True, say=lines.append
    )
    assert passed, "\n".join(lines)


@pytest.mark.tensorrt
@pytest.mark.skipif(
    importlib.util.find_spec("tensorrt") is None, reason="tensorrt is not installed"
)
@pytest.mark.parametrize("op", plugins.PLUGIN_OPS)
def test_a_plugin_in_an_engine_equals_its_reference(libraries, op):
    import tensorrt as trt

    load_plugins(trt)
    feeds, attributes = SAMPLES[op]
    complete = plugins.node_attributes(op, **attributes)
    results = run_reference(op, complete, *(feeds[name] for name in INPUTS[op]))
    wanted = dict(zip(OUTPUTS[op], results, strict=True))
    model = one_node_model(op, feeds, wanted, **attributes)
    # TensorRT up to 10.6 would take the function body and leave the plugin unused.
    del model.functions[:]
    got = run_engine(
        trt, build_engine(trt, model), open_kernels(libraries / KERNELS_NAME), feeds, wanted
    )
    for name, array in wanted.items():
        np.testing.assert_allclose(got[name], array, atol=1e-3, rtol=1e-3, err_msg=name)


def build_engine(trt, model):
    """A strongly typed engine; its only layer of ours must be a plugin."""
    logger = trt.Logger(trt.Logger.WARNING)
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    parsed = parser.parse(model.SerializeToString())
    assert parsed, [parser.get_error(i).desc() for i in range(parser.num_errors)]
    layers = [network.get_layer(i).type for i in range(network.num_layers)]
    assert layers.count(trt.LayerType.PLUGIN_V3) == 1
    plan = builder.build_serialized_network(network, builder.create_builder_config())
    engine = trt.Runtime(logger).deserialize_cuda_engine(plan)
    assert engine is not None
    return engine


def run_engine(trt, engine, kernels, feeds, outputs):
    """Run once with device memory of our own; returns the outputs by name."""
    with Device(kernels) as device:
        buffers = {name: device.array(np.asarray(array)) for name, array in feeds.items()}
        for name, array in outputs.items():
            buffers[name] = device.empty(array.shape, trt.nptype(engine.get_tensor_dtype(name)))
        context = engine.create_execution_context()
        for name, buffer in buffers.items():
            context.set_tensor_address(name, buffer.pointer.value)
        assert context.execute_async_v3(device.stream.value)
        device.synchronize()
        return {name: buffers[name].download() for name in outputs}
