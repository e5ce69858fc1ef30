from pathlib import Path

import pytest

from benchmarks.common import command_line, networks

TEXT = "What it measures.\n\n    figure    what it means\n"


def graph_arguments(*words: str):
    parser = command_line.parser("benchmarks.some", TEXT)
    command_line.add_graph(parser)
    command_line.add_plot(parser, "the line")
    return parser.parse_args(words)


def test_help_is_the_docstring_as_it_stands() -> None:
    text = command_line.parser("benchmarks.some", TEXT).format_help()
    assert TEXT in text and "usage: python -m benchmarks.some" in text


@pytest.mark.parametrize(("words", "precision"), [([], "fp32"), (["--int8"], "int8")])
def test_title_names_model_precision_and_ops(words: list[str], precision: str) -> None:
    arguments = graph_arguments("--no-native-ops", *words)
    assert command_line.precision(arguments) == precision
    assert command_line.conditions(arguments).startswith(
        f"{networks.MODEL}, {precision}, function bodies, no native ops"
    )


def test_plot_is_a_path() -> None:
    assert graph_arguments("--plot", "line.svg").plot == Path("line.svg")
    assert graph_arguments().plot is None
