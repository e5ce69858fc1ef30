"""A new op is a folder of its own and one line: shown with a toy, in a copy of the package."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import plugins
from plugins.common.attributes import Attribute
from plugins.common.op import Op
from plugins.ops import FOLDERS, OPS, ops_of
from tests.plugins.pieces import missing

PACKAGE = Path(plugins.__file__).parent
LINE = '    "toy",\n'
TOY = {
    "__init__.py": '"""Toy: a scaled tensor."""\n\nfrom plugins.toy.op import OPS\n',
    "op.py": """
from plugins.common.attributes import Attribute
from plugins.common.op import Op

def _body(of):
    import onnx
    from plugins.common.body import Body
    body = Body()
    body.op("Mul", "x", body.attribute("factor", onnx.AttributeProto.FLOAT), out="y")
    return body.function("Toy", ["x"], ["y"], ["factor"])

OPS = (
    Op(
        name="Toy", inputs=("x",), outputs=("y",), body=_body,
        reference=lambda x, factor: (x * x.dtype.type(factor),),
        attributes={"factor": Attribute(float, 2.0)},
    ),
)
""",
}
EVERYWHERE = """
import contextlib, io, json
import numpy, onnx, onnxruntime, plugins
from onnx import helper
from onnx.reference import ReferenceEvaluator
from plugins import __main__ as command, ops

attributes = plugins.node_attributes("Toy")
node = helper.make_node("Toy", ["x"], ["y"], domain=plugins.DOMAIN, **attributes)
x, y = (helper.make_tensor_value_info(name, 1, [2]) for name in "xy")
model = helper.make_model(
    helper.make_graph([node], "toy", [x], [y]), ir_version=8,
    functions=[each for each in plugins.onnx_functions() if each.name == "Toy"],
    opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid(plugins.DOMAIN, 1)],
)
evaluator = ReferenceEvaluator(model, new_ops=plugins.reference_ops())
feeds = {"x": numpy.array([1, 3], numpy.float32)}
session = onnxruntime.InferenceSession(model.SerializeToString())
said = io.StringIO()
with contextlib.redirect_stdout(said):
    command.main(["list"])
print(json.dumps({
    "names": plugins.OP_NAMES,
    "reference": ops.run_reference("Toy", {"factor": 4.0}, feeds["x"])[0].tolist(),
    "evaluator": evaluator.run(None, feeds)[0].tolist(),
    "body": session.run(None, feeds)[0].tolist(),
    "listed": [line for line in said.getvalue().splitlines() if "Toy" in line],
}))
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The package with a toy op in it, its line being the only change of a file that was there."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(PACKAGE, folder / "plugins", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "docs").mkdir()
    shutil.copy(PACKAGE.parent / "docs" / "design.md", folder / "docs")
    toy = folder / "plugins" / "toy"
    toy.mkdir()
    for name, text in TOY.items():
        (toy / name).write_text(text)
    table = folder / "plugins" / "ops.py"
    last = f'    "{FOLDERS[-1]}",\n'
    assert table.read_text().count(last) == 1
    table.write_text(table.read_text().replace(last, last + LINE))
    return folder


def test_a_folder_and_one_line_are_found_everywhere(copy):
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = sys.argv[1:]\n{EVERYWHERE}",
         str(copy), str(PACKAGE.parent)],
        capture_output=True, text=True, check=True, cwd=copy,
    )  # fmt: skip
    assert json.loads(done.stdout) == {
        "names": [*plugins.OP_NAMES, "Toy"],
        "reference": [4.0, 12.0],
        "evaluator": [2.0, 6.0],
        "body": [2.0, 6.0],
        "listed": ["  Toy (CPU alone): factor"],
    }


def test_every_missing_piece_of_the_new_op_is_named_in_a_sentence(copy):
    toy = Op("Toy", ("x",), ("y",), lambda: (), lambda: None, {"factor": Attribute(float)})
    assert list(missing(toy, copy / "plugins" / "toy")) == [
        "Toy lacks toy/op.yaml: the contract: names, shapes, types and attributes.",
        "Toy lacks toy/reference.py: the numpy reference.",
        "Toy lacks toy/function.py: the ONNX function body.",
        "Toy lacks toy/*_onnxruntime.cpp: the kernel for ONNX Runtime on CPUs.",
        "Toy has no row in plugins/README.md: | `Toy` | … | [toy/op.yaml](…) |",
        "Toy has no row in docs/design.md: | `Toy` | x | y | factor |",
    ]


def test_a_plugin_without_its_part_of_the_selftest_is_named_too(copy):
    shutil.copytree(copy / "plugins" / "lif", copy / "plugins" / "bare")
    (copy / "plugins" / "bare" / "selftest.py").unlink()
    (lif,) = ops_of("lif")
    assert list(missing(lif, copy / "plugins" / "bare")) == [
        "LIF lacks bare/selftest.py: PART, its part of `python -m plugins selftest`."
    ]


def test_no_op_of_the_table_lacks_a_piece():
    by_folder = {folder: ops_of(folder) for folder in FOLDERS}
    assert tuple(op for ops in by_folder.values() for op in ops) == OPS
    for folder, ops in by_folder.items():
        assert [each for op in ops for each in missing(op, PACKAGE / folder)] == []


def test_an_op_imports_nothing_that_imports_the_table():
    """Else the table could not import it."""
    for folder in FOLDERS:
        for source in ("op.py", "reference.py", "__init__.py"):
            text = (PACKAGE / folder / source).read_text()
            assert "plugins.ops" not in text and "plugins.selftest" not in text, (folder, source)
