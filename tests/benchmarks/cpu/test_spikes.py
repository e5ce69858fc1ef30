"""Cost against spikes: what the line is drawn through, without timing anything."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.common import native, networks
from benchmarks.common.densities import BLOCK, STEM, Densities
from benchmarks.common.table import console
from benchmarks.cpu import spikes
from benchmarks.cpu.curve import fit
from benchmarks.cpu.spikes import Point
from tests.benchmarks.cpu.test_cost import tiny
from train.config import HaltingConfig, ModelConfig

MILLIONS = (0.0, 10.0, 20.0, 40.0)


def plain() -> ModelConfig:
    return replace(tiny(), halting=HaltingConfig())


def points(stem_ms: float, blocks_ms: float, each: float = 0.05) -> list[Point]:
    """Twice as many accumulates in the blocks as in the stem; both cost `each` a million."""
    return [
        Point(
            factor=count / 40,
            accumulates={"stem": count, "blocks": 2 * count},
            ms={"stem": stem_ms + each * count, "blocks": blocks_ms + each * 2 * count},
        )
        for count in MILLIONS
    ]


def event(name: object, us: object) -> dict[str, object]:
    return {"name": name, "dur": us}


def test_the_trained_densities_are_shares_of_the_layers_that_take_spikes() -> None:
    depth = networks.config_of("isps", halting=False).depth
    assert spikes.TRAINED.stem.shape == (len(STEM),)
    assert spikes.TRAINED.blocks.shape == (depth, len(BLOCK))
    for shares in (spikes.TRAINED.stem, spikes.TRAINED.blocks):
        assert ((shares > 0) & (shares < 1)).all()


def test_factors_go_from_silence_to_the_trained_densities() -> None:
    assert spikes.FACTORS[0] == 0 and spikes.FACTORS[-1] == 1
    assert list(spikes.FACTORS) == sorted(set(spikes.FACTORS))


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0])
def test_a_factor_scales_every_density(factor: float, monkeypatch: pytest.MonkeyPatch) -> None:
    imposed: list[Densities] = []
    config = plain()
    monkeypatch.setattr(networks, "config_of", lambda *_, **__: config)
    monkeypatch.setattr(
        spikes, "impose_densities", lambda network, wanted, images: imposed.append(wanted)
    )
    spikes.scaled_network(factor)
    (wanted,) = imposed
    np.testing.assert_allclose(wanted.stem, factor * spikes.TRAINED.stem)
    np.testing.assert_allclose(wanted.blocks, factor * spikes.TRAINED.blocks)


def test_images_stand_channels_first() -> None:
    network = networks.random_network(plain())
    planes = spikes._planes(network, 3)
    assert planes.shape == (3, 3, 16, 16) and planes.dtype == torch.uint8
    pixels = networks.random_images(network.config, 3)
    assert int(planes[2, 1, 4, 5]) == pixels[2, 4, 5, 1]


def test_a_silent_network_causes_no_accumulates() -> None:
    network = networks.random_network(plain())
    for name, parameter in network.named_parameters():
        if name.endswith("bn.bias"):
            parameter.data.fill_(-1000.0)
    assert spikes.accumulates(network) == {"stem": 0.0, "blocks": 0.0}


def test_accumulates_are_those_of_the_values_that_are_not_zero() -> None:
    """Counted again by hooks of the test's own, on the stem's convolutions."""
    network = networks.random_network(plain())
    taken: list[float] = []
    convs: list[Any] = list(network.stem.convs)
    for conv in convs[1:]:
        fan_out = 9 * conv.conv.weight.shape[0]
        conv.register_forward_pre_hook(
            lambda module, inputs, each=fan_out: taken.append(
                each * np.count_nonzero(inputs[0][0].detach().numpy())
            )
        )
    found = spikes.accumulates(network)
    assert len(taken) == spikes.STEM_CONVS
    assert found["stem"] == pytest.approx(sum(taken) / 1e6) and found["stem"] > 0


def test_blocks_cause_at_most_what_all_values_would() -> None:
    config = plain()
    found = spikes.accumulates(networks.random_network(config))
    linear = 4 * config.dim**2 + 2 * config.dim * config.hidden
    assert 0 < found["blocks"] <= config.depth * config.tokens * linear / 1e6


def test_a_part_takes_the_sum_of_its_nodes_medians() -> None:
    events = [
        *(event("stem/conv_kernel_time", us) for us in (100, 200, 900)),
        *(event("stem/lif_kernel_time", us) for us in (30, 10, 20)),
        *(event("block1/fc1_kernel_time", us) for us in (4000, 5000, 6000)),
    ]
    assert spikes._median_ms(events, "stem", runs=3) == pytest.approx(0.22)
    assert spikes._median_ms(events, "blocks", runs=3) == pytest.approx(5.0)


def test_the_first_fifth_of_the_runs_is_warm_up() -> None:
    slow, then = [90_000] * 2, [1000] * 4 + [2000] * 4
    events = [event("block2/q_kernel_time", us) for us in slow + then]
    assert spikes._median_ms(events, "blocks", runs=10) == pytest.approx(1.5)


def test_a_node_that_was_interrupted_once_does_not_count() -> None:
    events = [event("stem/conv_kernel_time", us) for us in (100, 100, 100, 100_000, 100)]
    assert spikes._median_ms(events, "stem", runs=5) == pytest.approx(0.1)


@pytest.mark.parametrize(
    "name",
    ["model_run", "stem/conv_fence_before", "head/linear_kernel_time", "SequentialExecutor", ""],
)
def test_events_other_than_the_parts_kernels_are_left_out(name: str) -> None:
    events = [event(name, 7000), {"cat": "Session", "dur": 7000}]
    assert [spikes._median_ms(events, part, runs=1) for part in spikes.PARTS] == [0, 0]


def test_all_factors_are_measured_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def profiled(network: float, **_: object) -> dict[str, float]:
        return {"stem": network, "blocks": 2 * network}

    monkeypatch.setattr(spikes, "scaled_network", lambda factor: factor)
    monkeypatch.setattr(spikes, "profiled", profiled)
    monkeypatch.setattr(spikes, "accumulates", lambda factor: {"stem": 8 * factor, "blocks": 0.0})
    found = spikes.measured(int8=False, native_ops=None, runs=1)
    assert [point.factor for point in found] == list(spikes.FACTORS)
    assert found[1] == Point(0.25, {"stem": 2.0, "blocks": 0.0}, {"stem": 0.25, "blocks": 0.5})


@pytest.mark.parametrize(("part", "fixed", "scale"), [("stem", 2.0, 1), ("blocks", 7.0, 2)])
def test_axes_are_the_accumulates_and_times_of_the_part(
    part: str, fixed: float, scale: int
) -> None:
    millions, ms = spikes.axes(points(2.0, 7.0), part)
    np.testing.assert_allclose(millions, scale * np.array(MILLIONS))
    np.testing.assert_allclose(ms, fixed + 0.05 * millions)


def test_a_line_finds_what_silence_costs_and_what_a_million_costs() -> None:
    for part, fixed in (("stem", 2.0), ("blocks", 7.0)):
        line = fit(*spikes.axes(points(2.0, 7.0), part))
        assert line.fixed_ms == pytest.approx(fixed)
        assert line.per_token_ms == pytest.approx(0.05)
        assert line.r_squared == pytest.approx(1)


def test_r_squared_is_the_share_of_the_variance_on_the_line() -> None:
    """Ones and minus ones that are orthogonal to every line are all that it leaves."""
    x, rest = np.array([0.0, 1.0, 2.0, 3.0]), np.array([1.0, -1.0, -1.0, 1.0])
    line = fit(x, 5 + 2 * x + rest)
    assert [line.fixed_ms, line.per_token_ms] == pytest.approx([5, 2])
    assert line.r_squared == pytest.approx(1 - 1 / (4 * x.var() + 1))


def test_the_table_has_a_line_per_factor_with_both_parts() -> None:
    shown = spikes.table(points(2.0, 7.0), "a title")
    columns = [list(column.cells) for column in shown.columns]
    assert columns[0] == ["0", "0.25", "0.5", "1"]
    assert columns[1] == ["0.00", "10.00", "20.00", "40.00"]
    assert columns[2] == ["2.00", "2.50", "3.00", "4.00"]
    assert columns[3] == ["0.00", "20.00", "40.00", "80.00"]
    assert columns[4] == ["7.00", "8.00", "9.00", "11.00"]
    with console.capture() as captured:
        console.print(shown)
    assert "a title" in captured.get()


def test_the_command_prints_the_line_of_every_part_and_draws_the_blocks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(spikes, "measured", lambda **_: points(2.0, 7.0))
    monkeypatch.setattr(native, "in_words", lambda _: "natively")
    picture = tmp_path / "spikes.svg"
    with spikes.console.capture() as captured:
        assert spikes.main(["--int8", "--plot", str(picture)]) == 0
    text = " ".join(captured.get().split())
    assert "int8" in text
    assert "stem: 2.00 ms + 50.00 µs a million accumulates, R² 1.0000" in text
    assert "blocks: 7.00 ms + 50.00 µs a million accumulates" in text
    assert "blocks, where something fires: 7.00 ms + 50.00 µs a million accumulates" in text
    assert picture.read_text().lstrip().startswith(("<svg", "<?xml"))
