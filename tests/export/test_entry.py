"""The commands where packages are missing, and where the output cannot print everything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from export.entry import explained_imports, missing_package
from spikehalt.extras import install_command
from tests.fakes.bundles import write_checkpoint, write_small_bundle

ROOT = Path(__file__).resolve().parents[2]
WITHOUT = """
import runpy, sys
module, missing = sys.argv[1], sys.argv[2].split(",")
for name in missing:
    sys.modules[name] = None
sys.argv = [module, *sys.argv[3:]]
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


def run_without(packages: str, module: str, *arguments: object) -> str:
    """Run a command that must end with status 2 and one line, which is returned."""
    command = [sys.executable, "-c", WITHOUT, module, packages, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, ""), done.stdout
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize("module", ["export", "export.to_trt"])
@pytest.mark.parametrize("missing", ["onnx", "torch,onnx,rich"])
def test_help_without_the_extra_names_it(module: str, missing: str) -> None:
    said = run_without(missing, module, "--help")
    assert "which is not installed" in said
    assert install_command("export") in said and f"{install_command('cli')} onnx" in said


def test_exporting_without_pytorch_names_the_extra(tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "small.pt")
    said = run_without("torch", "export.to_trt", checkpoint, "--onnx-only")
    assert "needs torch" in said and said.endswith(f"{install_command('export')}\n")


def test_comparing_with_a_checkpoint_without_pytorch_names_the_extra(tmp_path: Path) -> None:
    bundle = write_small_bundle(tmp_path, "dense")
    said = run_without("torch", "export", "compare", bundle.root, "--images", tmp_path)
    assert "needs torch" in said and said.endswith(f"{install_command('export')}\n")


def test_the_file_run_as_a_script_names_the_extra_too(tmp_path: Path) -> None:
    (tmp_path / "onnx.py").write_text("raise ModuleNotFoundError('no onnx', name='onnx')")
    done = subprocess.run(
        [sys.executable, "export/to_trt.py", "--help"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert "needs onnx, which is not installed" in done.stderr


def test_each_package_has_its_extra() -> None:
    for package, extra in (("onnxruntime", "onnxruntime"), ("polygraphy", "compare")):
        text = missing_package(ModuleNotFoundError("none", name=f"{package}.part"))
        assert text.endswith(install_command(extra))


def test_a_module_of_this_project_that_is_missing_is_no_lack() -> None:
    with pytest.raises(ImportError, match="a defect"):
        missing_package(ImportError("a defect", name="export.graph.layouts.rows"))


def test_whoever_imports_a_command_gets_the_import_error() -> None:
    with pytest.raises(ImportError, match="no onnx"), explained_imports("export.to_trt"):
        raise ImportError("no onnx", name="onnx")


@pytest.mark.parametrize("command", ["export trtexec --major 10", "export.to_trt --target onnx"])
def test_what_the_encoding_lacks_is_a_question_mark(tmp_path: Path, command: str) -> None:
    bundle = write_small_bundle(tmp_path, "dense").root.rename(tmp_path / "ε.bundle")
    done = subprocess.run(
        [sys.executable, "-m", *command.split(), str(bundle)],
        cwd=ROOT, env={**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"},
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and b"Traceback" not in done.stderr
    assert b"/?." in done.stdout
