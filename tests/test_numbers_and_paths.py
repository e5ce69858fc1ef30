"""Whatever number or path a user can type ends in an answer or in one line that names it."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import inspect
import io
import os
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import pytest
import yaml

import benchmarks
from benchmarks.train import command as throughput
from spikehalt.commands import Parser
from spikehalt.doctor import command as doctor
from spikehalt.strict import to_dict
from tests.fakes.bundles import write_small_bundle
from tests.patience import ends_within
from tests.test_command_lines import MAINS, PARSERS, commands_of
from tests.train.samples import lively_network, quick_run
from train.checkpoint import Checkpoint, save_checkpoint
from train.cli.options.fields import add_fields

Capture = pytest.CaptureFixture[str]
PATIENCE_S = 60
SENSELESS = ("nan", "inf", "-inf", "1e400", str(10**30), "", "9" * 5000)
EDGES = ("0", "-1")
# Each command with files that are there, but for the data, so that nothing heavy begins.
LINES = {
    "train run": "run recipe.yaml",
    "train resume": "resume static.pt --data.path nowhere",
    "train evaluate": "evaluate static.pt --data-path nowhere",
    "train energy": "energy static.pt --data-path nowhere",
    "train figure": "figure heatmap static.pt --out x.png --data-path nowhere",
    "train sweep": "sweep recipe.yaml --over seed=1",
    "train average": "average static.pt static.pt --data-path nowhere",
    "train events": "events nowhere.aedat --out nowhere",
    "train adapt": "adapt static.pt --images nowhere",
    "train import": "import nowhere.pth --from spikformer-cifar",
    "train recipes": "recipes --out nowhere",
    "export compare": "compare small.bundle --images nowhere",
    "export trtexec": "trtexec nowhere.bundle",
    "export.to_trt ": "nowhere.pt",
    "runtime run": "run small.bundle nowhere.png",
    "runtime info": "info nowhere.bundle",
    "runtime bench": "bench small.bundle --images nowhere",
    "runtime calibrate": "calibrate small.bundle nowhere",
    "runtime report": "report small.bundle nowhere --out x.html",
    "runtime explain": "explain small.bundle nowhere.png --out x.png",
    "runtime verify": "verify nowhere.bundle",
    "runtime serve": "serve small.bundle nowhere.bundle",
    "runtime live": "live small.bundle --source nowhere",
    "runtime triton": "triton small.bundle nowhere.bundle --out nowhere",
    "runtime sign": "sign small.bundle --key nowhere.pem",
    "plugins selftest": "selftest --no-such-option",
}
# Commands take a while to begin: all lines together take a quarter of an hour (`make nightly`).
STRIDE = 1 if os.environ.get("SPIKEHALT_EVERY_LINE") else 20
AS_RUN = ("train resume", "train sweep")  # whose options are those of "train run"


def write_checkpoint(path: Path) -> None:
    """Random weights, as of a run whose data are gone."""
    config = quick_run(path.parent, data={"name": "folder", "path": "nowhere"})
    checkpoint = Checkpoint(
        model=config.model,
        weights=dict(lively_network(config.model).state_dict()),
        classes=tuple(map(str, range(config.model.classes))),
        phase="static",
        metrics={"validation_accuracy": [0.5] * config.model.timesteps},
        run=to_dict(config),
        training=None,
    )
    save_checkpoint(path, checkpoint)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("numbers")
    write_small_bundle(folder, "dense", chunk=1)
    write_checkpoint(folder / "static.pt")
    recipe = {"model": {"classes": 2}, "data": {"name": "folder", "path": "nowhere"}}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    before = Path.cwd()
    os.chdir(folder)
    yield folder
    os.chdir(before)


@lru_cache(maxsize=1)
def parsers() -> dict[str, argparse.ArgumentParser]:
    """Every parser by "module command"."""
    found = {
        f"{module} {name}": parser
        for module, build in PARSERS.items()
        for name, parser in commands_of(build()).items()
    }
    found["doctor"] = Parser(prog="doctor")
    doctor.add_arguments(found["doctor"])
    found["benchmarks.train"] = Parser(prog="benchmarks.train")
    add_fields(found["benchmarks.train"], throughput.Options)
    return {**found, **benchmark_parsers()}


class SeenError(Exception):
    """A parser that was about to read its arguments."""


def benchmark_parsers() -> dict[str, argparse.ArgumentParser]:
    def stop(parser: Parser, *_: object) -> None:
        raise SeenError(parser)

    found, usual = {}, Parser.parse_args
    for info in pkgutil.walk_packages(benchmarks.__path__, "benchmarks."):
        if info.name.endswith(("__main__", "worker")):
            continue
        module = importlib.import_module(info.name)
        if "argv" not in inspect.signature(getattr(module, "main", print)).parameters:
            continue
        Parser.parse_args = stop  # type: ignore[assignment,method-assign]
        try:
            module.main([])
        except SeenError as seen:
            found[info.name] = seen.args[0]
        finally:
            Parser.parse_args = usual  # type: ignore[method-assign]
    return found


NUMBERS = {"int", "float", "number", "share", "_sizes"}
PLACES = (
    "BUNDLE", "CA.pem", "CERT.pem", "CKPT", "DATA", "DIR", "FILE", "FILE.html", "FILE.mp4|DIR",
    "FILE.png", "FILE|none", "FILE.svg", "FRAMES", "IMAGE", "IMAGES", "KEY.pem", "OTHER", "PATH",
    "SOURCE",
)  # fmt: skip


def actions(wanted: Callable[[argparse.Action], bool]) -> Iterator[tuple[str, argparse.Action]]:
    for name, parser in parsers().items():
        for action in parser._actions:
            if action.nargs != 0 and not action.choices and wanted(action):
                yield name, action


def is_number(action: argparse.Action) -> bool:
    return getattr(action.type, "__name__", "") in NUMBERS


def is_place(action: argparse.Action) -> bool:
    return action.type is Path or action.metavar in PLACES


def words(action: argparse.Action, value: str) -> list[str]:
    """An option and its value, as often as it takes one."""
    count = action.nargs if isinstance(action.nargs, int) else 1
    joined = value if count > 1 else None
    return (
        [action.option_strings[0], *[value] * count]
        if joined
        else [f"{action.option_strings[0]}={value}"]
    )


def ended(call: Callable[[], object]) -> tuple[int, str, list[str]]:
    """Status, stdout, and the lines of stderr."""

    out, err = io.StringIO(), io.StringIO()
    with (
        ends_within(PATIENCE_S),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            status: object = call()
        except SystemExit as stop:
            status = stop.code
    return status if isinstance(status, int) else 0, out.getvalue(), err.getvalue().splitlines()


def problem_with(status: int, lines: list[str]) -> str:
    """What is wrong with how a command ended; empty if nothing is."""
    rest = [line for line in lines if not line.startswith("note: ")]
    if status in (0, 1) and not any("Traceback" in line for line in rest):
        return ""
    if status == 2 and len(rest) == 1 and rest[0].startswith("error: ") and len(rest[0]) < 6000:
        return ""
    return f"status {status}: {rest[-8:]}"


def problems_of(tried: Iterable[tuple[str, str, list[str]]]) -> list[str]:
    """What is wrong with how lines end, given the command, what it was given, and its words."""
    problems = []
    for name, what, line in tried:
        main = MAINS[name.split()[0]]
        status, _, lines = ended(lambda a=line, m=main: m(a))  # type: ignore[misc]
        if problem := problem_with(status, lines):
            problems.append(f"{name} {what}: {problem}")
    return problems


def test_every_word_of_a_command_is_known_to_be_a_number_a_place_or_neither() -> None:
    neither = {
        "ARCH", "KEY=VALUE,VALUE", "MIN:OPT:MAX", "NAME", "RECIPE", "TEXT", "X.Y", "KIND", None,
        "{true,false}", "{true,false}|none", "ADDRESS",
    }  # fmt: skip
    unknown = {
        (name, action.dest, action.metavar)
        for name, action in actions(lambda each: not (is_number(each) or is_place(each)))
        if action.metavar not in neither
    }
    assert not unknown


def test_a_number_without_sense_is_refused_by_its_option() -> None:
    problems, count = [], 0
    for name, action in actions(lambda each: is_number(each) and bool(each.option_strings)):
        for value in SENSELESS:
            given, count = words(action, value), count + 1
            status, _, lines = ended(lambda g=given, n=name: parsers()[n].parse_args(g))  # type: ignore[misc]
            named = lines and action.option_strings[0] in lines[-1]
            if status != 2 or len(lines) != 1 or not named or len(lines[-1]) > 1000:
                problems.append(f"{name} {given[0][:40]} {value[:20]}: {status} {lines}")
    assert not problems, "\n".join(problems)
    assert count > 1500


def test_numbers_at_the_edge_end_in_a_line_or_an_answer(place: Path) -> None:
    tried = [
        (name, [*LINES[name].split(), *words(action, value)])
        for name, action in actions(lambda each: is_number(each) and bool(each.option_strings))
        for value in (EDGES if name in LINES and name not in AS_RUN else ())
    ]
    problems = problems_of((name, " ".join(line), line) for name, line in tried[::STRIDE])
    assert not problems, "\n".join(problems)
    assert len(tried) > 300


def odd_places(folder: Path) -> dict[str, str]:
    """What a path may name, by what it is."""
    os.mkfifo(folder / "fifo")
    (folder / "closed").touch(mode=0o000)
    (folder / "two\nlines\x1b[2J").write_bytes(b"x")
    raw = folder / os.fsdecode(b"caf\xe9.png")
    raw.write_bytes(b"x")
    (folder / "loop").symlink_to(folder / "loop")
    return {
        "missing": "nowhere/deep/x", "a folder": str(folder), "a FIFO": str(folder / "fifo"),
        "closed": str(folder / "closed"), "a line break": str(folder / "two\nlines\x1b[2J"),
        "no UTF-8": str(raw), "unreadable": "/proc/self/mem", "a device": "/dev/full",
        "a loop": str(folder / "loop"), "too long": "x" * 5000, "empty": "",
        "below a file": str(folder / "closed" / "x"),
    }  # fmt: skip


def lines_with(name: str, action: argparse.Action, value: str) -> list[str]:
    """The command's line with `value` in this place."""
    line = LINES[name].split()
    if action.option_strings:
        return [*line, f"{action.option_strings[-1]}={value}"]
    places = [each for each in parsers()[name]._actions if not each.option_strings]
    at = places.index(action) + (1 if name.split()[1:] else 0)
    return [*line[:at], value, *line[at + 1 :]]


def test_whatever_a_path_names_ends_in_a_line_or_an_answer(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = odd_places(tmp_path)
    tried = [
        (name, f"{action.dest}, {what}", lines_with(name, action, value))
        for name, action in actions(is_place)
        for what, value in (odd.items() if name in LINES and name not in AS_RUN else ())
    ]
    problems = problems_of(tried[::STRIDE])
    assert not problems, "\n".join(problems)
    assert len(tried) > 300
