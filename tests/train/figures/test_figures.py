from __future__ import annotations

from pathlib import Path

import pytest
import torch

from spikehalt.errors import ConfigError
from train.figures import (
    draw_curves,
    draw_energy,
    draw_heatmaps,
    draw_rates,
    draw_redundancy,
    draw_tokens,
    draw_tradeoff,
)
from train.figures.canvas import canvas, write
from train.measure.energy import MODULES, ModuleEnergy
from train.measure.exits import ExitPoint
from train.measure.lifetimes import Fates
from train.measure.redundancy import Redundancy


def test_a_map_shows_the_share_of_blocks_that_each_patch_ran() -> None:
    alive = torch.zeros(2, 3, 1, 4)  # L, T, B, K
    alive[0] = 1
    alive[1, 0, 0, :2] = 1
    figure = draw_heatmaps(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), alive, (2, 2))
    pictures = [axis.images[0].get_array() for axis in figure.axes if axis.images]
    assert pictures[1].tolist() == [[1.0, 1.0], [0.5, 0.5]]
    assert pictures[2].tolist() == [[0.5, 0.5], [0.5, 0.5]]


def test_bars_stack_live_halted_and_merged_tokens() -> None:
    counts = [torch.tensor([[4.0, 2.0]]), torch.tensor([[0.0, 1.0]]), torch.tensor([[0.0, 1.0]])]
    figure = draw_tokens(Fates(*counts))
    axis = figure.axes[0]
    heights = [[bar.get_height() for bar in bars] for bars in axis.containers]
    assert heights == [[4, 2], [0, 1], [0, 1]]
    assert [bar.get_y() for bar in axis.containers[2]] == [4, 3]
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["live", "halted", "merged"]


def test_curves_go_over_tokens_and_timesteps() -> None:
    points = [ExitPoint("entropy", 0.1, 0.9, 3.0, 0.5), ExitPoint("entropy", 0.5, 0.8, 1.0, 0.6)]
    figure = draw_tradeoff(dict(zip((0.0, 0.3), points, strict=True)), {"entropy": points}, 100)
    tokens, timesteps = (axis.lines[0] for axis in figure.axes)
    assert list(tokens.get_xdata()) == [0.5, 0.6] and list(tokens.get_ydata()) == [90, 80]
    assert list(timesteps.get_xdata()) == [1, 3] and list(timesteps.get_ydata()) == [80, 90]
    assert len(draw_tradeoff({}, {"entropy": points}, 100).axes) == 1


def test_margins_stand_on_their_points_and_single_images_make_no_structure() -> None:
    points = [ExitPoint("never", 0.0, accuracy, 4.0, 0.5) for accuracy in (0.98, 0.99)]
    figure = draw_tradeoff(dict(zip((0.0, 0.3), points, strict=True)), {"entropy": points}, 100)
    margins = figure.axes[0]
    assert [text.get_text() for text in margins.texts] == ["ε 0", "ε 0.3"]
    (bars,) = margins.containers
    low, high = bars.lines[2][0].get_segments()[0]
    assert (high[1] - low[1]) / 2 == pytest.approx(1.4)  # of 0.98 in 100 images
    for axis in figure.axes:  # one image is an eleventh of the height, at most
        bottom, top = axis.get_ylim()
        assert top - bottom >= 8 * 1.4 - 1e-9
    assert "100 images" in margins.get_ylabel()


def test_bars_stack_the_modules_energies() -> None:
    modules = [ModuleEnergy(name, float(i + 1), 0, 0) for i, name in enumerate(MODULES)]
    axis = draw_energy({"static": modules, "halting": modules}).axes[0]
    assert axis.get_ylabel() == "energy per image in mJ (estimate)"
    assert [bars[0].get_height() for bars in axis.containers] == [1, 2, 3, 4, 5]
    assert axis.containers[4][1].get_y() == 10


def test_one_line_per_run_and_panel() -> None:
    rows = [{"loss": "2.5", "validation_accuracy": "0.1", "average_tokens": "1.0"}] * 3
    figure = draw_curves({"a": rows, "b": rows[:2]})
    assert [len(axis.lines) for axis in figure.axes] == [2, 2, 2]
    assert list(figure.axes[0].lines[0].get_ydata()) == [2.5, 2.5, 2.5]


def test_redundancy_has_a_line_per_network_over_blocks_and_over_timesteps() -> None:
    blocks, times = torch.tensor([[0.2, 0.4], [0.4, 0.8]]), torch.tensor([[0.5, 0.5, 0.8]])
    found = Redundancy(blocks, blocks, times, times)
    figure = draw_redundancy({"sps": found, "isps": found})
    assert [len(axis.lines) for axis in figure.axes] == [2] * 4
    assert list(figure.axes[0].lines[0].get_ydata()) == pytest.approx([0.3, 0.6])
    assert list(figure.axes[2].lines[0].get_ydata()) == pytest.approx([0.6])


def test_rates_are_a_map_of_layers_and_timesteps() -> None:
    figure = draw_rates({"a": [0.1, 0.2], "b": [0.3, 0.4]})
    assert figure.axes[0].images[0].get_array().tolist() == [[0.1, 0.2], [0.3, 0.4]]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["a", "b"]


@pytest.mark.parametrize(("suffix", "head"), [(".png", b"\x89PNG"), (".svg", b"<?xml")])
def test_figures_are_written_by_their_ending(tmp_path: Path, suffix: str, head: bytes) -> None:
    path = tmp_path / "deep" / f"figure{suffix}"
    write(canvas(2, 2)[0], path)
    assert path.read_bytes().startswith(head)
    with pytest.raises(ConfigError, match=r"must end in one of \.png"):
        write(canvas(2, 2)[0], tmp_path / "figure.txt")
