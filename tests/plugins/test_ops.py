import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from onnx import helper
from onnx.reference import ReferenceEvaluator

import plugins
from plugins.common.attributes import Attribute
from plugins.common.contract import MICROSOFT
from plugins.ops import OPS
from plugins.token_halt import token_halt
from tests.plugins import samples
from tests.plugins.onnx_models import INPUTS, OUTPUTS, one_node_model

FOLDER = Path(plugins.__file__).parent
DESIGN = FOLDER.parent / "docs" / "design.md"
TYPES = {"float": float, "int": int, "string": str, "ints": tuple}
NAMES = ("name", "reduced_name", "packed_name", "integer_name")


def contracts():
    """Op name to its folder and what its `op.yaml` says."""
    files = [(path.parent, yaml.safe_load(path.read_text())) for path in FOLDER.glob("*/op.yaml")]
    return {
        written[key]: (folder, written)
        for folder, written in files
        for key in NAMES
        if key in written
    }


CONTRACTS = contracts()
each_op = pytest.mark.parametrize("op", OPS, ids=plugins.OP_NAMES)


def test_every_folder_with_a_contract_is_in_the_table():
    assert set(CONTRACTS) == set(plugins.OP_NAMES)
    assert len(OPS) == len(plugins.OP_NAMES) == len(set(plugins.OP_NAMES))


@each_op
def test_attributes_in_the_table_are_those_of_the_contract(op):
    written = CONTRACTS[op.name][1]["attributes"]
    assert {name: _attribute(entry) for name, entry in written.items()} == op.attributes


@each_op
def test_names_in_the_table_are_those_of_the_contract(op):
    written = CONTRACTS[op.name][1]
    assert (written["domain"], written["version"]) == (plugins.DOMAIN, plugins.VERSION)
    more = written.get("packed_inputs", []) if op.name == written.get("packed_name") else []
    integer = "integer_" if op.name == written.get("integer_name") else ""
    inputs, outputs = written[f"{integer}inputs"], written.get(f"{integer}outputs")
    assert tuple(entry["name"] for entry in [*inputs, *more]) == op.inputs
    assert tuple(entry["name"] for entry in outputs or written["outputs"]) == op.outputs
    ports = op.inputs + op.outputs
    assert ("plugin_types" in written) == op.plugin
    assert all(len(combination) == len(ports) for combination in written.get("plugin_types", ()))


@each_op
def test_function_body_has_the_ops_ports_and_attributes(op):
    function = op.body(plugins.Bodies())
    assert function.name == op.name
    assert tuple(function.input) == op.inputs
    assert tuple(function.output) == op.outputs
    assert set(function.attribute) <= set(op.attributes)
    domains = {node.domain for node in function.node}
    assert domains <= {"", MICROSOFT}
    wanted = {"": plugins.OPSET} | dict.fromkeys(domains - {""}, 1)
    assert {entry.domain: entry.version for entry in function.opset_import} == wanted


@each_op
def test_folder_holds_a_kernel_for_cpus_and_the_sources_of_its_plugin(op):
    folder = CONTRACTS[op.name][0]
    assert list(folder.glob("*_onnxruntime.cpp"))
    for pattern in ("*_kernel.cu", "*_kernel.h", "*_plugin.cpp", "*_plugin.h"):
        assert bool(list(folder.glob(pattern))) == op.plugin, pattern


def test_ground_of_the_ops_imports_none_of_them():
    code = (
        "import sys, pkgutil, types\n"
        "package = types.ModuleType('plugins'); package.__path__ = [sys.argv[1]]\n"
        "sys.modules['plugins'] = package\n"
        "import plugins.common\n"
        "for module in pkgutil.iter_modules(plugins.common.__path__, 'plugins.common.'):\n"
        "    __import__(module.name)\n"
        "ours = [name.split('.')[1] for name in sys.modules if name.startswith('plugins.')]\n"
        "print(*sorted(set(ours)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, FOLDER], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["common", "errors"]


def test_readmes_table_is_the_table_of_ops():
    rows = re.findall(
        r"^\| `(\w+)` \| .+ \| \[(.+)\]\((.+)\) \|$", _text(FOLDER / "README.md"), re.M
    )
    assert [name for name, _, _ in rows] == list(plugins.OP_NAMES)
    for name, shown, link in rows:
        assert shown == link == f"{CONTRACTS[name][0].name}/op.yaml"


def test_designs_table_has_the_names_of_every_op():
    (section,) = re.findall(r"^## 6\. Custom ops.*?(?=^## )", _text(DESIGN), re.M | re.S)
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:3] == "| `"]
    named = {op: row[1:] for row in rows for op in re.findall(r"`(\w+)`", row[0])}
    assert list(named) == list(plugins.OP_NAMES)
    for op in OPS:
        inputs, outputs, attributes = named[op.name]
        assert _ports(inputs) == list(op.inputs)
        assert _ports(outputs) == list(op.outputs)
        assert _ports(attributes) == list(op.attributes)


def test_a_node_carries_every_attribute_and_the_plugins_identity():
    assert plugins.node_attributes("LIF", decay=0.5, threshold=1) == {
        "decay": 0.5,
        "threshold": 1.0,
        "v_reset": 0.0,
        "reset": "hard",
        "spike_type": 1,
        "steps": 1,
        "plugin_namespace": "spikehalt",
        "plugin_version": "1",
    }


def test_package_imports_without_onnx():
    code = (
        "import sys; sys.modules['onnx'] = None; import plugins, plugins.lif\n"
        "print(plugins.node_attributes('TokenMerge', gamma=2)['gamma'], *plugins.OP_NAMES)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2", *plugins.OP_NAMES]


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


def _attribute(entry):
    return Attribute(
        TYPES[entry["type"]],
        entry.get("default"),
        tuple(entry.get("choices", ())),
        entry.get("minimum", float("-inf")),
    )


def _text(path):
    return path.read_text(encoding="utf-8")


def _ports(cell):
    """The names in a cell of design.md's table, where shapes stand in brackets."""
    return re.findall(r"\w+", re.sub(r"\[.*?\]", "", cell.replace("none", "")))
