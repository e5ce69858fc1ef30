import subprocess
import sys

import numpy as np
from onnx import helper
from onnx.reference import ReferenceEvaluator

import plugins
from plugins.token_halt import token_halt
from tests.plugins import samples
from tests.plugins.onnx_models import INPUTS, OUTPUTS, one_node_model


def test_package_imports_without_onnx():
    code = "import sys; sys.modules['onnx'] = None; import plugins, plugins.lif; plugins.DOMAIN"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_op_has_a_body_and_a_reference():
    names = list(plugins.OP_NAMES)
    assert [function.name for function in plugins.onnx_functions()] == names
    assert [op.__name__ for op in plugins.reference_ops()] == names


def test_no_op_is_named_like_a_standard_one():
    """TensorRT's parser looks its importers up by name alone, whatever the domain."""
    from onnx.defs import get_all_schemas

    standard = {schema.name.lower() for schema in get_all_schemas()}
    assert not standard & {name.lower() for name in plugins.OP_NAMES}


def test_evaluator_runs_the_references_not_the_bodies():
    feeds = samples.halt_inputs(5, (2, 9), 4, np.float16, "some")
    wanted = token_halt(**feeds, alpha=1.0, beta=0.0, last=0, reduce=True)
    named = dict(zip(OUTPUTS["TokenHaltSum"], wanted, strict=True))
    model = one_node_model("TokenHaltSum", feeds, named, alpha=1.0, beta=0.0)
    got = ReferenceEvaluator(model, new_ops=plugins.reference_ops()).run(None, feeds)
    for array, expected in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(array, expected, strict=True)


def test_evaluator_runs_a_graph_that_has_no_bodies():
    node = helper.make_node(
        "LIF", INPUTS["LIF"], OUTPUTS["LIF"], domain=plugins.DOMAIN,
        **plugins.node_attributes("LIF", decay=0.5, threshold=1.0, spike_type=3),
    )  # fmt: skip
    value = helper.make_tensor_value_info("x", 1, [4])
    graph = helper.make_graph(
        [node],
        "stripped",
        [value, helper.make_tensor_value_info("v", 1, [1])],
        [helper.make_tensor_value_info("spike", 3, [4])],
    )
    imports = [helper.make_opsetid("", 18), helper.make_opsetid(plugins.DOMAIN, 1)]
    model = helper.make_model(graph, opset_imports=imports)
    x = np.array([0.5, 1.0, 1.5, -1.0], np.float32)
    feeds = {"x": x, "v": np.zeros(1, np.float32)}
    (spike,) = ReferenceEvaluator(model, new_ops=plugins.reference_ops()).run(None, feeds)
    np.testing.assert_array_equal(spike, np.array([0, 1, 1, 0], np.int8), strict=True)
