import os
import subprocess
import sys

import pytest

from plugins import __main__ as module
from plugins.errors import BuildError, KernelError, MissingToolError, NoDeviceError
from plugins.libraries import FOLDER_VARIABLE, KERNELS_NAME


def test_list_shows_ops_tools_and_libraries(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    (tmp_path / "libspikehalt_plugins_trt11.so").touch()
    assert module.main(["list"]) == 0
    printed = capsys.readouterr().out
    assert "  LIF: decay, threshold, v_reset, reset, spike_type, steps\n" in printed
    assert "  libspikehalt_plugins_trt11.so\n" in printed


def test_selftest_without_a_driver_is_one_sentence_and_status_2(capsys, monkeypatch):
    def no_driver():
        raise NoDeviceError("There is no NVIDIA GPU to run on: no driver.")

    monkeypatch.setattr(module, "require_driver", no_driver)
    assert module.main(["selftest"]) == 2
    assert capsys.readouterr() == ("", "error: There is no NVIDIA GPU to run on: no driver.\n")


def test_selftest_without_a_library_says_how_to_build_it(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "require_driver", lambda: None)
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    assert module.main(["selftest"]) == 2
    assert "python -m plugins build" in capsys.readouterr().err


def test_selftest_runs_the_library_of_the_folder(capsys, monkeypatch, tmp_path, emulated_library):
    monkeypatch.setattr(module, "require_driver", lambda: None)
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    (tmp_path / KERNELS_NAME).symlink_to(emulated_library)
    assert module.main(["selftest", "--quick", "--no-sanitizer"]) == 0
    assert "CPU emulation" in capsys.readouterr().out


@pytest.mark.parametrize("passed", [True, False])
def test_a_wrong_kernel_is_status_1(monkeypatch, tmp_path, passed):
    monkeypatch.setattr(module, "require_driver", lambda: None)
    monkeypatch.setattr(module, "find_kernels", lambda: tmp_path)
    monkeypatch.setattr(module, "selftest", lambda *_, **__: passed)
    assert module.main(["selftest"]) == (0 if passed else 1)


@pytest.mark.parametrize(
    ("error", "status"),
    [(MissingToolError("no nvcc"), 2), (BuildError("failed"), 2), (KernelError("code 2"), 1)],
)
def test_errors_are_a_sentence_and_a_status(capsys, monkeypatch, error, status):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(module, "build", fail)
    assert module.main(["build"]) == status
    assert capsys.readouterr() == ("", f"error: {error}\n")


def test_what_a_compiler_wrote_stands_before_the_error(capsys, monkeypatch):
    def fail(*_, **__):
        raise BuildError("g++ failed (line 2)", "line 1\nline 2\n")

    monkeypatch.setattr(module, "build", fail)
    assert module.main(["build"]) == 2
    assert capsys.readouterr() == ("", "line 1\nline 2\nerror: g++ failed (line 2)\n")


def test_what_was_found_is_a_note_and_what_was_built_the_output(capsys, monkeypatch, tmp_path):
    def build(folder, say, **_):
        say("nvcc: none")
        return [folder / KERNELS_NAME]

    monkeypatch.setattr(module, "build", build)
    assert module.main(["build", "--out", str(tmp_path), "--arch", "87", "110"]) == 0
    assert capsys.readouterr() == (f"built {tmp_path / KERNELS_NAME}\n", "note: nvcc: none\n")


@pytest.mark.parametrize("flags", [[], ["--cpu"]])
def test_a_folder_that_cannot_be_made_is_status_2_before_anything_is_compiled(capsys, flags):
    assert module.main(["build", *flags, "--out", "/dev/null/x"]) == 2
    assert capsys.readouterr().err == (
        "error: The libraries' folder /dev/null/x cannot be made (Not a directory). Name another "
        "one with --out or in $SPIKEHALT_PLUGIN_DIR.\n"
    )


@pytest.mark.parametrize(("variable", "flags"), [("CXX", []), ("CXX", ["--cpu"]), ("CUDACXX", [])])
def test_a_compiler_that_is_not_there_is_status_2(capsys, monkeypatch, tmp_path, variable, flags):
    monkeypatch.setenv(variable, "/nope")
    assert module.main(["build", *flags, "--out", str(tmp_path)]) == 2
    assert f"error: ${variable} is '/nope', which is no program here." in capsys.readouterr().err


def test_list_shows_which_variable_names_no_compiler(capsys, monkeypatch):
    monkeypatch.setenv("CUDACXX", "/nope")
    assert module.main(["list"]) == 0
    assert "nvcc: none. $CUDACXX is '/nope', which is" in capsys.readouterr().out


@pytest.mark.parametrize("flags", [[], ["--cpu"]])
def test_the_cpu_library_can_be_asked_for_alone(monkeypatch, tmp_path, flags):
    asked = []
    monkeypatch.setattr(module, "build", lambda folder, **given: asked.append(given) or [])
    assert module.main(["build", "--out", str(tmp_path), *flags]) == 0
    assert [given["cpu_only"] for given in asked] == [bool(flags)]


def test_what_the_encoding_lacks_is_a_question_mark():
    done = subprocess.run(
        [sys.executable, "-m", "plugins", "list"],
        env={**os.environ, "PYTHONIOENCODING": "cp1252", FOLDER_VARIABLE: "/dev/null/ε"},
        capture_output=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"libraries in /dev/null/? " in done.stdout


def test_the_commands_need_numpy_alone():
    code = """
import runpy, sys
for name in ("onnx", "yaml", "rich", "torch"):
    sys.modules[name] = None
sys.argv = ["plugins", "list"]
runpy.run_module("plugins", run_name="__main__", alter_sys=True)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_module_runs_as_a_command():
    done = subprocess.run(
        [sys.executable, "-m", "plugins", "list"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("namespace spikehalt, version 1\n")
