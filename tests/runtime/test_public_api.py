from __future__ import annotations

import inspect
import json
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

import runtime
from runtime import errors

ROOT = Path(__file__).parents[2]
BARE = """
import importlib.abc, json, sys
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {refused!r}:
            raise ImportError(name + " is not here")
sys.meta_path.insert(0, Refuse())
{body}
print(json.dumps(sorted(sys.modules)))
"""


def in_bare_process(body: str, *refused: str) -> list[str]:
    code = BARE.format(refused=refused, body=body)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    modules: list[str] = json.loads(done.stdout.splitlines()[-1])
    return modules


def test_public_names_are_frozen() -> None:
    assert (
        sorted(runtime.__all__)
        == runtime.__all__
        == [
            "Bundle",
            "Engine",
            "ImageResult",
            "Manifest",
            "Result",
            "SpikehaltError",
            "Trajectory",
        ]
    )
    assert all(hasattr(runtime, name) for name in runtime.__all__)


def test_the_engines_signature_is_frozen() -> None:
    assert list(inspect.signature(runtime.Engine).parameters) == [
        "bundle",
        "backend",
        "policy",
        "threshold",
        "epsilon",
        "max_timesteps",
        "latency_ms",
        "energy_mj",
        "max_batch",
        "threads",
        "spin",
        "device",
        "native_ops",
        "public_key",
        "min_release",
        "submit_wait_ms",
        "energy_sensor",
    ]
    call = inspect.signature(runtime.Engine.__call__).parameters
    assert list(call) == [
        "self",
        "images",
        "policy",
        "threshold",
        "epsilon",
        "max_timesteps",
        "live_masks",
    ]
    assert all(each.kind is each.KEYWORD_ONLY for each in list(call.values())[2:])


def test_the_engines_public_members_are_frozen() -> None:
    public = [name for name in vars(runtime.Engine) if not name.startswith("_")]

    assert public == [
        "info",
        "settings",
        "control",
        "stream",
        "stream_frames",
        "submit",
        "record",
        "stats",
        "reset_stats",
        "close",
    ]


def test_every_error_is_in_the_tree_and_in_its_drawing() -> None:
    classes = [each for _, each in inspect.getmembers(errors, inspect.isclass)]

    for each in classes:
        assert issubclass(each, errors.SpikehaltError)
        assert each.__name__ in (errors.__doc__ or "")
        assert each.__doc__


def test_the_package_is_typed() -> None:
    assert resources.files("runtime").joinpath("py.typed").is_file()


def test_it_runs_where_torch_and_the_other_packages_cannot_be_imported() -> None:
    modules = in_bare_process(
        "import runtime.engine, runtime.testing, runtime.backends.onnxruntime.session",
        "torch",
        "train",
        "export",
        "plugins",
        "onnx",
        "rich",
        "PIL",
    )

    assert "runtime.engine" in modules


def test_importing_it_loads_no_backend() -> None:
    modules = in_bare_process("import runtime")

    assert not {"torch", "onnx", "onnxruntime", "rich", "PIL"} & set(modules)


@pytest.mark.parametrize("path", sorted((ROOT / "runtime").rglob("*.py")), ids=str)
def test_no_pickle_anywhere(path: Path) -> None:
    text = path.read_text()

    assert "import pickle" not in text and "allow_pickle=True" not in text
    assert "eval(" not in text and "exec(" not in text
