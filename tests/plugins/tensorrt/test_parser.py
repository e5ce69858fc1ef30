"""Our plugins made by NVIDIA's parser from the nodes of real graphs.

The parser is TensorRT-RTX's. It has no plugin layers and ends the process when it comes to add one,
but by then it has found the creator, turned the node's attributes into fields and made the plugin.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import onnx
import pytest

import plugins
from export.engines.build import load_graphs
from export.engines.targets.tensorrt import for_plugins
from plugins.building.toolchain import TensorRTHeaders
from tests.fakes.bundles import write_small_bundle
from tests.plugins.tensorrt.conftest import Libraries

pytestmark = pytest.mark.tensorrt
pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed", exc_type=ImportError)

GRAPHS: dict[str, dict[str, Any]] = {
    "static": {"layout": "dense", "mode": "none"},
    "lagged": {"layout": "lagged"},
    "one-dimensional": {"layout": "dense", "mode": "block"},
    "chunks": {"layout": "lagged", "chunk": 2, "timesteps": 4},
    "merging": {"layout": "lagged", "gamma": 3},
    "merging what is similar": {"layout": "lagged", "merge_threshold": 0.9},
    "spikingformer": {"layout": "dense", "arch": "spikingformer", "stem": "sps", "gamma": 3},
    "sdt": {"layout": "lagged", "arch": "sdt"},
    "fp16": {"layout": "dense", "precision": "fp16", "gamma": 3},
    "int8": {"layout": "lagged", "precision": "int8", "qdq": True},
}

# Every graph in a child of its own, since parsing ends it.
PARSE = """
import os, sys
import tensorrt_rtx as trt
from pathlib import Path
from plugins.loader import _load
logger = trt.Logger(trt.Logger.VERBOSE)
_load(trt.get_plugin_registry(), Path(sys.argv[1]), trt.__version__)
builder = trt.Builder(logger)
for path in sys.argv[2:]:
    print("=== graph", path, flush=True)
    child = os.fork()
    if child == 0:
        network = builder.create_network(
            1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
        )
        parser = trt.OnnxParser(network, logger)
        parser.parse(Path(path).read_bytes())
        for i in range(parser.num_errors):
            print(parser.get_error(i).desc(), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, onnx.ModelProto]:
    """One graph for every set of attributes that a plugin's node has in the bundles' graphs."""
    found: dict[str, onnx.ModelProto] = {}
    for name, changes in GRAPHS.items():
        bundle = write_small_bundle(tmp_path_factory.mktemp(name), **{"timesteps": 2, **changes})
        for model in load_graphs(bundle).values():
            for node in for_plugins(model).graph.node:
                if node.op_type in plugins.PLUGIN_OPS and node.domain == plugins.DOMAIN:
                    alone = on_its_own(node, model.opset_import, changes.get("precision"))
                    key = [node.op_type, *(str(a).replace("\n", " ") for a in node.attribute)]
                    found.setdefault(" ".join([*key, changes.get("precision", "fp32")]), alone)
    return found


def on_its_own(node: onnx.NodeProto, opsets: Any, precision: str | None) -> onnx.ModelProto:
    """A graph of that node; what its inputs are only matters once the plugin is there."""
    float_type = onnx.TensorProto.FLOAT16 if precision == "fp16" else onnx.TensorProto.FLOAT
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    value = onnx.helper.make_tensor_value_info
    inputs = [value(name, float_type, [2, 64, 8]) for name in dict.fromkeys(node.input) if name]
    outputs = [value(name, onnx.TensorProto.UNDEFINED, None) for name in node.output if name]
    graph = onnx.helper.make_graph([copy], "node", inputs, outputs)
    return onnx.helper.make_model(graph, opset_imports=list(opsets), ir_version=10)


def parsed(library: Path, folder: Path, models: dict[str, onnx.ModelProto]) -> dict[str, str]:
    """What the parser said about each, by name."""
    paths = {name: folder / f"{number}.onnx" for number, name in enumerate(models)}
    for name, path in paths.items():
        onnx.save(models[name], path)
    command = [sys.executable, "-c", PARSE, str(library), *map(str, paths.values())]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    texts = done.stdout.split("=== graph ")[1:]
    return dict(zip(paths, texts, strict=True))


def test_the_parser_makes_the_plugin_of_every_node(
    libraries: Libraries, headers: TensorRTHeaders, tmp_path: Path, nodes: dict[str, Any]
) -> None:
    if headers.major != 11:
        pytest.skip("TensorRT-RTX has the interfaces of TensorRT 11")
    said = parsed(libraries.dynamic, tmp_path, nodes)
    # TokenHalt has the attributes of TokenHaltSum, which is the one that graphs need.
    assert {name.split()[0] for name in said} == set(plugins.PLUGIN_OPS) - {"TokenHalt"}
    for name, text in said.items():
        assert f"Successfully created plugin: {name.split()[0]}" in text, f"{name}\n{text}"


def test_an_unknown_choice_is_refused_in_our_words(
    libraries: Libraries, headers: TensorRTHeaders, tmp_path: Path, nodes: dict[str, Any]
) -> None:
    if headers.major != 11:
        pytest.skip("TensorRT-RTX has the interfaces of TensorRT 11")
    name = next(name for name in nodes if name.startswith("LIF "))
    model = onnx.ModelProto()
    model.CopyFrom(nodes[name])
    (reset,) = [a for a in model.graph.node[0].attribute if a.name == "reset"]
    reset.s = b"medium"
    text = parsed(libraries.dynamic, tmp_path, {"wrong": model})["wrong"]
    assert "Successfully created plugin" not in text
    assert "LIF: reset must be 'hard' or 'soft', not 'medium'" in text, text
