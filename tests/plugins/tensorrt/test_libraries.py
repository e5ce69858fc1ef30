"""The plugin libraries against TensorRT's headers, and in real plugin registries.

Real registries come with the packages tensorrt, tensorrt_lean and tensorrt_rtx; all three work
without a GPU. Nothing here parses a model: TensorRT-RTX would end the process.
"""

import importlib.util
import json
import subprocess
import sys

import pytest
import yaml

import plugins
from tests.plugins import compilers

pytestmark = pytest.mark.tensorrt

FLAVOURS = ("tensorrt", "tensorrt_lean", "tensorrt_rtx")
TYPE_NAMES = {"float": "float", "int": "int", "string": "string"}

REGISTRY = """
import ctypes, importlib, sys
trt = importlib.import_module(sys.argv[1])
logger = trt.Logger(trt.Logger.ERROR)
registry = trt.get_plugin_registry()
print(int(trt.__version__.split(".")[0]))
if sys.argv[2] == "static":
    print(ctypes.CDLL(sys.argv[3]).spikehaltRegistered())
else:
    from plugins.loader import _load
    from pathlib import Path
    _load(registry, Path(sys.argv[3]), trt.__version__)
    print(1)
for op in sys.argv[4:]:
    found = registry.get_creator(op, "1", "spikehalt")
    print(op, found is not None and [field.name for field in found.field_names])
"""


def contracts():
    """The op.yaml of each op that has a plugin."""
    documents = [yaml.safe_load(path.read_text()) for path in compilers.SOURCES.glob("*/op.yaml")]
    named = {document["name"]: document for document in documents}
    named |= {entry["reduced_name"]: entry for entry in documents if "reduced_name" in entry}
    return {op: named[op] for op in plugins.PLUGIN_OPS}


def test_creators_have_the_fields_and_types_of_the_contract(libraries):
    printed = subprocess.run(
        [libraries.driver, libraries.dynamic, "describe"], capture_output=True, check=True
    ).stdout
    described = json.loads(printed)
    assert set(described) == set(plugins.PLUGIN_OPS)
    for op, contract in contracts().items():
        entry = described[op]
        assert (entry["version"], entry["namespace"]) == ("1", plugins.DOMAIN)
        assert entry["fields"] == {
            name: TYPE_NAMES[attribute["type"]]
            for name, attribute in contract["attributes"].items()
        }
        assert sorted(entry["types"]) == sorted(contract["plugin_types"])


def test_every_plugin_behaves_when_treated_as_tensorrt_would(libraries):
    done = subprocess.run(
        [libraries.driver, libraries.dynamic, "check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split()[-2]) > 150


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("kind", ["static", "dynamic"])
def test_a_real_registry_finds_every_creator(libraries, flavour, kind):
    if importlib.util.find_spec(flavour) is None:
        pytest.skip(f"{flavour} is not installed")
    library = getattr(libraries, kind)
    done = _in_registry(flavour, kind, library)
    major, registered, *found = done.stdout.splitlines()
    # TensorRT-RTX counts its versions from 1 and has the registry of TensorRT 11.
    fits = libraries.major == (11 if flavour == "tensorrt_rtx" else int(major))
    if kind == "static" and not fits:
        assert registered == "0"
        assert "no TensorRT library of major version" in done.stderr
        return
    assert registered == "1"
    fields = {op: list(contract["attributes"]) for op, contract in contracts().items()}
    assert found == [f"{op} {fields[op]}" for op in plugins.PLUGIN_OPS]


def test_without_tensorrt_the_static_library_says_so(libraries):
    code = "import ctypes, sys; print(ctypes.CDLL(sys.argv[1]).spikehaltRegistered())"
    done = subprocess.run(
        [sys.executable, "-c", code, libraries.static], capture_output=True, text=True, check=True
    )
    assert done.stdout == "0\n"
    assert "load TensorRT first, then this plugin library" in done.stderr


def _in_registry(flavour, kind, library):
    """Load the library in a process of its own; registries cannot be emptied."""
    command = [sys.executable, "-c", REGISTRY, flavour, kind, str(library), *plugins.PLUGIN_OPS]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done
