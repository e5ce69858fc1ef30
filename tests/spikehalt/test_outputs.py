"""No command ends with a traceback for its outputs, and nobody else's text acts on a terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from spikehalt import commands, console
from spikehalt.errors import OutputError

ROOT = Path(__file__).parents[2]
SPEAKER = """
import sys
from spikehalt import commands, console
def command():
    console.say("said")
    console.note("noted")
    console.write_table("title", ["a", ">b"], [["x", "1"]])
    console.write_json({"a": 1})
    return list(console.progress([commands.NEGATIVE], 1, "busy", [1]))[0]
sys.exit(commands.run(command))
"""
COMMANDS = {
    "console": ["-c", SPEAKER],
    "train": ["-m", "train", "--help"],
    "export": ["-m", "export", "--help"],
    "runtime": ["-m", "runtime", "bench", "--help"],
    "plugins": ["-m", "plugins", "list"],
    "an example": ["-m", "runtime.examples.service", "--help"],
}


def shell(line: str, arguments: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", f'"$@" {line}', "sh", sys.executable, *arguments],
        cwd=ROOT, env={**os.environ, **variables}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_stdout_is_told_in_one_line(name: str) -> None:
    done = shell(">/dev/full", COMMANDS[name])

    assert (done.returncode, done.stderr) == (
        commands.FAILED,
        "error: stdout cannot be written: No space left on device\n",
    )


@pytest.mark.parametrize("line", [">&-", "2>&-", ">&- 2>&-", "2>/dev/full", "</dev/null >&- 2>&-"])
def test_streams_that_are_not_there_end_nothing(line: str) -> None:
    done = shell(line, COMMANDS["console"])

    assert done.returncode == commands.NEGATIVE
    assert "Traceback" not in done.stdout + done.stderr


def test_a_reader_that_is_gone_ends_a_table_in_peace() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, *COMMANDS["console"]], cwd=ROOT, stdout=writer, stderr=subprocess.PIPE
    )
    os.close(writer)

    assert (done.returncode, done.stderr) == (commands.DONE, b"")


@pytest.mark.parametrize("columns", ["0", "1", "7", "-3", "x", "", "99999999999"])
def test_tables_survive_any_width(columns: str, monkeypatch: pytest.MonkeyPatch, capsys) -> None:  # type: ignore[no-untyped-def]
    cells = [f"value{number}" for number in range(9)]
    with monkeypatch.context() as terminal:  # pytest's own reports fill lines of this width, too
        terminal.setenv("COLUMNS", columns)
        console.write_table("title", [f">name{number}" for number in range(9)], [cells])
    text = "".join(each for each in capsys.readouterr().out if each.isalnum())

    assert text.count("value") == text.count("name") == 9 or columns in ("1", "7")
    assert all(digit in text for digit in "012345678")


HOSTILE = "x\x1b]0;owned\x07\x1b[2J\r\x9b31m\u202efdp.exe\udcff"


def test_others_control_characters_are_visible(capsys: pytest.CaptureFixture[str]) -> None:
    console.say(f"a\n{HOSTILE}")
    console.note(HOSTILE)
    console.error(HOSTILE)
    console.write_table(HOSTILE, ["what"], [[HOSTILE]], HOSTILE)
    out, err = capsys.readouterr()

    for text in (out, err):
        assert not set(HOSTILE) - set(console.visible(HOSTILE)) & set(text)
        assert r"\x1b]0;owned\x07" in text and r"\u202e" in text and r"\udcff" in text


@pytest.mark.parametrize(
    ("problem", "told"),
    [
        (OSError(28, "No space left on device", "/x/y"), "/x/y: No space left on device"),
        (PermissionError(13, "Permission denied"), "Permission denied"),
        (MemoryError(), "out of memory: the machine has not as much as this takes"),
        (OutputError("as told"), "as told"),
    ],
)
def test_what_the_system_refuses_is_one_line(
    problem: Exception, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def command() -> int:
        raise problem

    assert commands.run(command) == commands.FAILED
    assert capsys.readouterr().err == f"error: {told}\n"


def test_a_defect_keeps_its_traceback() -> None:
    def command() -> int:
        raise AssertionError

    with pytest.raises(AssertionError):
        commands.run(command)


INTERRUPTED = """
import runpy, sys
class CtrlC:
    def find_spec(self, name, path=None, target=None):
        if name == "numpy":
            raise KeyboardInterrupt
sys.meta_path.insert(0, CtrlC())
module = sys.argv[1]
sys.argv = sys.argv[1:]
runpy.run_module(module, run_name="__main__")
"""


@pytest.mark.parametrize(
    "line",
    ["train evaluate x", "export compare x", "export.to_trt x", "runtime info x", "plugins list",
     "spikehalt info x"],
)  # fmt: skip
def test_ctrl_c_during_imports_is_one_line(line: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, *line.split()], cwd=ROOT, capture_output=True, text=True
    )

    assert done.returncode == commands.STOPPED
    assert done.stderr.startswith("stopped") and done.stderr.count("\n") == 1
