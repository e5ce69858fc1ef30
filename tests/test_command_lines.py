"""Every command keeps to the one convention that CONTRIBUTING.md writes down."""

from __future__ import annotations

import argparse
import io
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

import export.__main__ as export_command
import plugins.__main__ as plugins_command
import runtime.cli as runtime_command
import train.cli as train_command
from export import to_trt
from runtime.bundle.read import Bundle
from spikehalt.commands import Parser
from spikehalt.console import ReaderGone
from tests.export.dyadic import pictures
from tests.fakes.bundles import write_small_bundle
from tests.train.samples import quick_run
from train.loop.run import run

Capture = pytest.CaptureFixture[str]
MAINS: dict[str, Callable[[list[str]], int]] = {
    "train": train_command.main,
    "export": export_command.main,
    "export.to_trt": to_trt.main,
    "runtime": runtime_command.main,
    "plugins": plugins_command.main,
}


def plugins_parser() -> argparse.ArgumentParser:
    """The parser of `python -m plugins`."""
    parser = Parser(prog="python -m plugins")
    plugins_command.add_arguments(parser)
    return parser


PARSERS = {
    "train": train_command.build_parser,
    "export": export_command.parser,
    "export.to_trt": to_trt.parser,
    "runtime": runtime_command.build_parser,
    "plugins": plugins_parser,
}
# What each command takes at least; none of what is named exists.
LINES = [
    "train run nowhere.yaml",
    "train resume nowhere.pt",
    "train recipes",
    "train evaluate nowhere.pt",
    "train energy nowhere.pt",
    "train figure heatmap nowhere.pt --out x.png",
    "train sweep nowhere.yaml --over seed=1",
    "train average nowhere.pt nowhere.pt",
    "train events nowhere.aedat --out nowhere",
    "train import nowhere.pth --from spikformer-cifar",
    "train adapt nowhere.pt --images nowhere",
    "export compare nowhere.bundle --images nowhere",
    "export trtexec nowhere.bundle",
    "export.to_trt nowhere.pt",
    "runtime run nowhere.bundle nowhere.png",
    "runtime info nowhere.bundle",
    "runtime bench nowhere.bundle",
    "runtime calibrate nowhere.bundle nowhere",
    "runtime report nowhere.bundle nowhere --out x.html",
    "runtime explain nowhere.bundle nowhere.png --out x.png",
    "runtime verify nowhere.bundle",
    "runtime serve nowhere.bundle",
    "runtime live nowhere.bundle",
    "runtime triton nowhere.bundle --out nowhere",
    "runtime sign nowhere.bundle --key nowhere.pem",
    "plugins build --out /dev/null/nowhere",
    "plugins list",
    "plugins selftest",
]
ONE_SET = ("train", "--images")  # of a data set, the part that networks are trained on
NEEDS_NOTHING = ("train recipes", "plugins list")


def call(line: str, *more: str) -> int:
    """The exit status of `python -m LINE`, within this process."""
    module, *arguments = line.split()
    try:
        return MAINS[module]([*arguments, *more])
    except SystemExit as stop:
        return int(stop.code or 0)


def said(capsys: Capture) -> str:
    """The one line of an error, with nothing on stdout."""
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("error: ")
    return line


def commands_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The commands of a parser by name, or itself."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {"": parser}


def test_no_command_is_left_out() -> None:
    listed = {" ".join(line.split()[:2]) for line in LINES}
    every = set()
    for module, parser in PARSERS.items():
        names = commands_of(parser())
        every |= {"export.to_trt nowhere.pt" if n == "" else f"{module} {n}" for n in names}
    assert listed == every


@pytest.mark.parametrize("line", [line for line in LINES if line not in NEEDS_NOTHING])
def test_what_cannot_be_done_is_one_line_and_status_2(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(line) == 2
    assert said(capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("line", LINES)
def test_an_option_that_is_none_is_one_line_and_status_2(line: str, capsys: Capture) -> None:
    assert call(line.replace("nowhere.yaml", "digits"), "--no-such-option") == 2
    assert "--no-such-option" in said(capsys)


@pytest.mark.parametrize("line", [*MAINS, *(f"{module} fly" for module in MAINS)])
def test_no_command_and_one_that_is_none_are_one_line_and_status_2(
    line: str, capsys: Capture
) -> None:
    assert call(line) == 2
    assert said(capsys)


@pytest.mark.parametrize("line", LINES)
def test_help_goes_to_stdout_with_status_0(line: str, capsys: Capture) -> None:
    assert call(" ".join(line.split()[:2]), "--help") == 0
    out, err = capsys.readouterr()
    assert out and not err


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("export trtexec x", "export.engines.trtexec.run"),
        ("export compare x --images x", "export.comparison.command.run"),
        ("export.to_trt x", "export.to_trt.run"),
        ("runtime info x", "runtime.cli.info.run"),
        ("plugins list", "plugins.__main__._list"),
        ("train evaluate x", "train.cli.evaluate.run"),
        ("train run digits", "train.cli.run.run"),
    ],
)
@pytest.mark.parametrize(("ending", "status"), [(KeyboardInterrupt, 130), (ReaderGone, 0)])
def test_ctrl_c_and_a_reader_that_is_gone_are_no_traceback(
    line: str, place: str, ending: type[BaseException], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(*_: object) -> int:
        raise ending

    monkeypatch.setattr(place, end)
    err = io.StringIO()
    monkeypatch.setattr(sys, "stderr", err)
    assert call(line) == status
    if status == 130:
        assert err.getvalue() == "stopped\n"
    else:
        assert not err.getvalue()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained checkpoint, a bundle, and pictures in folders of its classes."""
    folder = tmp_path_factory.mktemp("place")
    bundle: Bundle = write_small_bundle(folder, "dense", chunk=1)
    run(quick_run(folder, halting={"epochs": 0}))
    for number, pixels in enumerate(pictures(4)):
        path = folder / "data" / bundle.manifest.classes[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return folder


@pytest.mark.parametrize(
    "line",
    [
        "train evaluate static.pt",
        "train energy static.pt --count 4",
        "export compare small.bundle --images data --spikes 0",
        "runtime run small.bundle data",
        "runtime info small.bundle",
        "runtime bench small.bundle --images data --count 2 --rounds 1 --batch 1",
        "runtime calibrate small.bundle data --max-drop 99% --dry-run",
        "runtime report small.bundle data --out page.html",
    ],
)
def test_json_is_alone_on_stdout(
    line: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    if line.startswith("export compare"):
        pytest.importorskip(
            "polygraphy", reason="Polygraphy is not installed: pip install 'spikehalt[compare]'"
        )
    monkeypatch.chdir(place)
    assert call(line, "--json") == 0
    out, err = capsys.readouterr()
    assert json.loads(out)
    assert all(text.startswith("note: ") for text in err.splitlines() if text.strip())
    assert call(line) == 0
    assert capsys.readouterr().out


def options() -> Iterator[tuple[str, argparse.Action]]:
    """The options of every command, and the module whose command it is."""
    for module, parser in PARSERS.items():
        for command in commands_of(parser()).values():
            yield from ((module, action) for action in command._actions if action.option_strings)


# Of which training says more: what it does with the images, margins or share that are named.
SAYS_MORE = ("--count", "--split", "--epsilon", "--max-drop")


def test_an_option_means_the_same_in_every_command() -> None:
    """Options of one name and form have one help, but for defaults; `--out` says what it holds."""
    helps: dict[tuple[object, ...], set[str]] = {}
    for module, action in options():
        name = action.option_strings[-1]
        text = re.sub(r" \(default.*?\)$", "", action.help or "")
        assert text, f"{name} has no help"
        if name != "--out" and not (module == "train" and name in SAYS_MORE):
            helps.setdefault((name, action.metavar, action.nargs), set()).add(text)
    assert {key: texts for key, texts in helps.items() if len(texts) > 1} == {}


def test_names_have_their_meaning() -> None:
    forms = {
        "--json": (None, 0),
        "--images": ("PATH", "+"),
        "--count": ("N", None),
        "--split": ("NAME", None),
    }
    found = set()
    for module, action in options():
        name = action.option_strings[-1]
        if name in forms and not action.choices and (module, name) != ONE_SET:
            assert (action.metavar, action.nargs) == forms[name], name
            found.add(name)
        if name == "--out":
            assert str(action.metavar).startswith(("FILE", "DIR"))
    assert found == set(forms)
