from pathlib import Path

import pytest
import yaml

import plugins
from plugins.common import contract
from tests.plugins.onnx_models import INPUTS, OUTPUTS

FOLDERS = {
    "LIF": "lif",
    "TokenHalt": "token_halt",
    "TokenHaltSum": "token_halt",
    "TokenMerge": "token_merge",
    "PackedLIF": "packed_lif",
    "PackedTokenHalt": "packed_halt",
    "TokenPack": "token_pack",
    "SpikeAttention": "spike_attention",
    "PackedAttention": "spike_attention",
    "SpikeCount": "spike_count",
    "Patches": "patches",
    "SpikeLinear": "spike_linear",
    "SpikeLinearInteger": "spike_linear",
    "SpikeConv": "spike_conv",
    "SpikeConvInteger": "spike_conv",
}
TYPES = {"float": float, "int": int, "string": str, "ints": tuple}


def op_yaml(op):
    folder = Path(plugins.__file__).parent / FOLDERS[op]
    return yaml.safe_load((folder / "op.yaml").read_text())


@pytest.mark.parametrize("op", plugins.OP_NAMES)
def test_attributes_in_code_are_those_of_the_contract(op):
    written = op_yaml(op)["attributes"]
    assert {name: _attribute(entry) for name, entry in written.items()} == contract.ATTRIBUTES[op]


@pytest.mark.parametrize("op", plugins.OP_NAMES)
def test_names_in_code_are_those_of_the_contract(op):
    written = op_yaml(op)
    names = (written.get(f"{kind}name") for kind in ("", "reduced_", "packed_", "integer_"))
    assert op in names
    assert (written["domain"], written["version"]) == (plugins.DOMAIN, plugins.VERSION)
    more = written.get("packed_inputs", []) if op == written.get("packed_name") else []
    integer = "integer_" if op == written.get("integer_name") else ""
    inputs = written[f"{integer}inputs"]
    outputs = written.get(f"{integer}outputs", written["outputs"])
    assert [entry["name"] for entry in [*inputs, *more]] == INPUTS[op]
    assert [entry["name"] for entry in outputs] == OUTPUTS[op]
    ports = INPUTS[op] + OUTPUTS[op]
    assert ("plugin_types" in written) == (op in plugins.PLUGIN_OPS)
    assert all(len(combination) == len(ports) for combination in written.get("plugin_types", ()))


@pytest.mark.parametrize("op", plugins.OP_NAMES)
def test_function_body_has_the_contracts_ports_and_attributes(op):
    function = next(f for f in plugins.onnx_functions() if f.name == op)
    assert list(function.input) == INPUTS[op]
    assert list(function.output) == OUTPUTS[op]
    assert set(function.attribute) <= set(op_yaml(op)["attributes"])
    domains = {node.domain for node in function.node}
    assert domains <= {"", contract.MICROSOFT}
    wanted = {"": plugins.OPSET} | dict.fromkeys(domains - {""}, 1)
    assert {entry.domain: entry.version for entry in function.opset_import} == wanted


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


@pytest.mark.parametrize(
    ("op", "given", "message"),
    [
        ("Lif", {}, "the ops are LIF, TokenHalt, TokenHaltSum, TokenMerge, PackedLIF"),
        ("LIF", {"tau": 2.0}, "no attribute 'tau'; it has decay"),
        ("LIF", {"decay": 0.5}, "needs attribute 'threshold'"),
        ("LIF", {"decay": "half", "threshold": 1.0}, "must be float"),
        ("LIF", {"decay": float("nan"), "threshold": 1.0}, "must be finite"),
        ("TokenHalt", {"alpha": 1.0, "beta": 0.0, "last": 2}, "one of 0, 1; got 2"),
        ("TokenHalt", {"alpha": 1.0, "beta": 0.0, "last": True}, "must be int"),
        ("TokenMerge", {"gamma": 0}, "at least 1"),
        ("SpikeCount", {"weights": ()}, "must be integers"),
        ("SpikeCount", {"weights": (1, True)}, "must be integers"),
        ("SpikeCount", {"weights": (1, 0)}, "at least 1"),
    ],
)
def test_a_wrong_attribute_is_named(op, given, message):
    with pytest.raises(plugins.OpAttributeError, match=message):
        plugins.node_attributes(op, **given)


def _attribute(entry):
    return contract.Attribute(
        TYPES[entry["type"]],
        entry.get("default"),
        tuple(entry.get("choices", ())),
        entry.get("minimum", float("-inf")),
    )
