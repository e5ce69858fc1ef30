"""What docs/tensorrt.md and docs/jetson.md print is what the commands take."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from export import to_trt
from export.__main__ import parser as export_parser
from export.engines.build import load_graphs
from plugins.__main__ import add_arguments as add_plugins_arguments
from runtime.cli import build_parser as runtime_parser
from spikehalt.commands import Parser
from tests.fakes.bundles import write_small_bundle

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {name: (DOCS / name).read_text(encoding="utf-8") for name in ("tensorrt.md", "jetson.md")}


def plugins_parser() -> Parser:
    parser = Parser(prog="python -m plugins")
    add_plugins_arguments(parser)
    return parser


PARSERS = {
    "python export/to_trt.py": to_trt.parser,
    "python -m export": export_parser,
    "python -m plugins": plugins_parser,
    "python -m runtime": runtime_parser,
}


def commands(page: str) -> list[str]:
    """Lines of the page's shell blocks."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGES[page], re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


@pytest.mark.parametrize("page", PAGES)
def test_our_commands_take_the_arguments_that_are_printed(page: str) -> None:
    ours = 0
    for line in commands(page):
        words = shlex.split(line, comments=True)
        for start, parser in PARSERS.items():
            if words[: len(start.split())] == start.split():
                parser().parse_args(words[len(start.split()) :])
                ours += 1
    assert ours >= 7


def test_every_command_for_a_board_says_how_far_it_was_checked() -> None:
    marks = ("[checked]", "[documented]", "[unverified]")
    # What only prepares the next line of its block has that line's mark.
    preparing = ("sudo apt update", ". ~/spikehalt/bin/activate")
    unmarked = [line for line in commands("jetson.md") if not any(m in line for m in marks)]
    assert unmarked == [line for line in unmarked if line.startswith(preparing)]


def test_links_lead_somewhere() -> None:
    for text in PAGES.values():
        for link in re.findall(r"\]\(([\w./]+)\)", text):
            assert (DOCS / link).is_file(), link


def test_the_profile_is_summed_by_op(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The example reads a profile as trtexec writes it, a row per node, 1 ms each."""
    graph = load_graphs(write_small_bundle(tmp_path, "dense", gamma=3))["first"].graph
    rows = [{"count": 7}, *({"name": n.name, "averageMs": 1.0} for n in graph.node)]
    (tmp_path / "ckpt.trtexec").mkdir()
    (tmp_path / "ckpt.trtexec/first.profile.json").write_text(json.dumps(rows))
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", PAGES["tensorrt.md"], re.DOTALL)
    exec(compile(example, "docs/tensorrt.md", "exec"), {})
    printed = dict(line.split()[:2] for line in capsys.readouterr().out.splitlines())
    kinds = [node.op_type for node in graph.node]
    assert float(printed["merge"]) >= kinds.count("TokenMerge") > 0
    assert float(printed["lif"]) == kinds.count("LIF") > 0
    assert float(printed["linear"]) == 2 * 4 + 1, (
        "qkv, proj, fc1 and fc2 of two blocks, and the head"
    )
    assert float(printed["halt"]) > 0 and float(printed["stem"]) > 0
