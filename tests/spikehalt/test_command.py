"""The command `spikehalt`, as people call it who installed it."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from runtime.cli import COMMANDS as RUNTIME_COMMANDS
from spikehalt.__main__ import main
from spikehalt.packages.catalogue import COMMANDS, of_package

ROOT = Path(__file__).parents[2]
Capture = pytest.CaptureFixture[str]


def python(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """A fresh Python in a folder, which it looks for modules in first."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture
def own_files(tmp_path: Path) -> Path:
    """A folder with somebody's own files, which have the packages' names."""
    for name in ("train", "runtime", "export", "plugins"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('somebody else's file ran')\n")
    return tmp_path


def test_help_lists_every_command(capsys: Capture) -> None:
    assert main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()[2:]
    assert [line.split()[0] for line in lines] == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command_lists_its_arguments(name: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([name, "--help"])
    assert capsys.readouterr().out.startswith(f"usage: spikehalt {name}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no command is given; spikehalt --help lists them"),
        (["bnech"], "unknown command 'bnech'; did you mean 'bench'?"),
        (["info"], "arguments are required: BUNDLE; spikehalt info --help lists the arguments"),
        (["info", "nowhere"], "nowhere does not exist"),
    ],
)
def test_mistakes_are_one_line_and_status_2(
    arguments: list[str], message: str, capsys: Capture
) -> None:
    try:
        status = main(arguments)
    except SystemExit as stop:
        status = int(str(stop.code))
    out, err = capsys.readouterr()
    assert (status, out) == (2, "")
    assert message in err and err.startswith("error: ") and err.count("\n") == 1


def test_the_version_is_that_of_the_package(capsys: Capture) -> None:
    import spikehalt

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"spikehalt {spikehalt.__version__}\n"


def test_packages_list_the_commands_of_the_catalogue() -> None:
    assert of_package("runtime") == RUNTIME_COMMANDS
    assert set(RUNTIME_COMMANDS) == {
        "run",
        "info",
        "bench",
        "calibrate",
        "report",
        "explain",
        "live",
        "serve",
        "sign",
        "triton",
        "verify",
    }


def test_training_lists_the_catalogues_commands_and_purposes() -> None:
    from train.cli import COMMANDS as TRAIN_COMMANDS
    from train.cli import build_parser

    named = {name if name != "run" else "train": each for name, each in TRAIN_COMMANDS.items()}
    assert named == of_package("train")
    text = " ".join(build_parser().format_help().split())
    assert all(command.purpose in text for command in named.values())


def test_every_command_is_a_module_with_arguments_and_a_run() -> None:
    for command in COMMANDS.values():
        module = import_module(command.module)
        assert callable(module.add_arguments) and callable(module.run)


@pytest.mark.parametrize("name", ["info", "export", "recipes", "plugins"])
def test_the_command_works_beside_files_of_the_packages_names(name: str, own_files: Path) -> None:
    done = python("-m", "spikehalt", name, "--help", folder=own_files)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: spikehalt {name}")


def test_an_import_that_a_file_hides_is_one_sentence_that_names_it(own_files: Path) -> None:
    done = python("-c", "from spikehalt import Engine", folder=own_files)
    assert done.returncode == 1 and "somebody else" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert f"package `runtime` is hidden by {own_files / 'runtime.py'}: rename that file" in last


def test_engine_is_the_runtimes() -> None:
    import runtime
    import spikehalt

    assert spikehalt.Engine is runtime.Engine and spikehalt.Bundle is runtime.Bundle
    assert "Engine" in dir(spikehalt)
    with pytest.raises(AttributeError, match="no attribute 'Engin'"):
        spikehalt.Engin


@pytest.mark.parametrize(
    ("line", "words"),
    [("spikehalt cal", {"calibrate"}), ("spikehalt bench --pol", {"--policy"})],
)
def test_the_shell_completes_commands_and_options(
    line: str, words: set[str], tmp_path: Path
) -> None:
    answer = tmp_path / "answer"
    done = python(
        "-c",
        "import os, sys; os.dup2(os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY), 8); "
        "from spikehalt.__main__ import main; main([])",
        str(answer),
        folder=tmp_path, _ARGCOMPLETE="1", COMP_LINE=line, COMP_POINT=str(len(line)),
        _ARGCOMPLETE_IFS=" ", _ARGCOMPLETE_SHELL="bash",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert {word.strip() for word in answer.read_text().split()} == words


STOPPED_WHILE_IT_STARTS = """
import sys
class Stop:
    def find_spec(self, name, *_):
        if name == "spikehalt.commands":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Stop())
from spikehalt.__main__ import main
"""


def test_ctrl_c_while_the_command_starts_is_one_word() -> None:
    done = python("-c", STOPPED_WHILE_IT_STARTS, folder=ROOT)
    assert (done.returncode, done.stderr) == (130, "stopped\n")


def test_little_is_imported_before_ctrl_c_is_told_in_a_word() -> None:
    """What the package imports, nothing catches: the command's own script imports it first."""
    code = "import sys, spikehalt; print(*sys.modules)"
    found = python("-S", "-c", code, folder=ROOT)
    heavy = {"argparse", "dataclasses", "importlib.metadata", "json"}
    assert "spikehalt" in found.stdout.split()
    assert not heavy & set(found.stdout.split())
