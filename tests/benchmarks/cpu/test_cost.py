"""What the cost benchmark makes of times, without timing anything."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from benchmarks.common import networks
from benchmarks.common.replay import SILENT
from benchmarks.cpu import cost as cpu_cost
from benchmarks.cpu import curve as cpu_curve
from benchmarks.cpu.cost import SHARES, Costs, share_name
from train.config import ModelConfig, StemConfig

SVG = "{http://www.w3.org/2000/svg}"


def tiny() -> ModelConfig:
    stem = StemConfig(kind="isps", pool=(True, True, False, False))
    config = networks.config_of("isps", halting=True)
    return replace(config, dim=16, heads=2, image_size=(16, 16), stem=stem)


def times(costs: Costs, once: float = 20.0, token: float = 0.01) -> dict[str, float]:
    """Ideal ones: a part done once, and the rest by the token; halting costs 2 % of a timestep."""
    total, steps = costs.tokens(1.0), costs.timesteps
    sums = {share_name(share): token * costs.tokens(share) for share in SHARES}
    half = token * costs.tokens(costs.half_share)
    sums |= {"half": half}
    sums |= {"dense": token * total, "static": token * total / 1.02}
    exits = {f"all-t{t}": token * total * t / steps for t in range(1, steps)}
    whole = {"whole": token * total, "whole-half": half}
    made = {name: once + ms for name, ms in (sums | exits | whole).items()}
    return made | {f"{name}:step": ms / steps for name, ms in sums.items()}


def test_every_claim_holds_of_ideal_times() -> None:
    costs = Costs(networks.config_of("isps", halting=True))
    line, half, whole, decision, exits = (claim.figure(times(costs)) for claim in costs.claims)
    assert line == pytest.approx(1)
    assert whole == pytest.approx(half)
    assert half == pytest.approx((64 + 3 * 22) / (4 * 64))
    assert decision == pytest.approx(0.02)
    assert exits == pytest.approx(0, abs=1e-12)
    assert all(claim.reached(claim.figure(times(costs))) for claim in costs.claims)


def test_half_of_the_tokens_are_half_on_average_over_blocks() -> None:
    costs = Costs(tiny())
    assert costs.tokens(costs.half_share) / costs.tokens(1.0) == pytest.approx(0.5, abs=0.04)
    assert costs.tokens(costs.half_share) >= costs.tokens(1.0) / 2


def test_an_exit_that_costs_too_much_is_found_at_its_worst() -> None:
    costs = Costs(tiny())
    made = times(costs)
    made["all-t2"] *= 1.05
    made["all-t3"] *= 0.8
    assert costs.exit(made) == pytest.approx(0.2)


def test_an_exit_pays_what_is_done_once_in_full() -> None:
    costs = Costs(tiny())
    work = 0.01 * costs.tokens(1.0)
    for once in (0.0, 100.0):
        assert costs.predicted(times(costs, once), 2) == pytest.approx(once + work / 2)


def test_the_error_of_a_figure_is_that_of_the_rounds() -> None:
    costs = Costs(tiny())
    claim, steady = costs.claims[1], [times(costs)] * 9
    shaken = [
        each | {"half:step": each["half:step"] * (1 + i / 9)} for i, each in enumerate(steady)
    ]
    assert cpu_cost.standard_error(claim, steady) == 0
    assert 0.01 < cpu_cost.standard_error(claim, shaken) < 0.2


def test_a_target_that_is_not_reached_is_said_so_and_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = times(Costs(networks.config_of("isps", halting=True)))
    made["static:step"] *= 0.8
    monkeypatch.setattr(cpu_cost, "candidates", lambda config, **_: {})
    monkeypatch.setattr(cpu_cost, "measure", lambda running, rounds, console: [made] * rounds)
    with cpu_cost.console.capture() as captured:
        status = cpu_cost.main(["--rounds", "3", "--plot", str(tmp_path / "cost.svg")])
    assert status == 0
    verdicts = [line for line in captured.get().splitlines() if "reached" in line]
    assert ["not reached" in line for line in verdicts] == [False, False, False, True, False]
    assert (tmp_path / "cost.svg").is_file()


def test_every_candidate_that_the_claims_need_runs() -> None:
    config = tiny()
    assert config.halting == SILENT
    running = cpu_cost.candidates(config)
    (found,) = cpu_cost.measure(running, 1, cpu_cost.console)
    assert set(times(Costs(config))) <= set(found)
    assert min(found.values()) > 0
    assert [running[f"all-t{t}"].timesteps for t in (1, 2, 3)] == [1, 2, 3]
    assert running["half"].replay.live.sum() < running["all"].replay.live.sum()


def test_the_picture_holds_every_point_and_the_line(tmp_path: Path) -> None:
    tokens = np.array([100.0, 500.0, 1000.0])
    line = cpu_curve.fit(tokens, 3 + 0.01 * tokens)
    drawn = ElementTree.fromstring(cpu_curve.chart(tokens, 3 + 0.01 * tokens, line))
    assert len(drawn.findall(f".//{SVG}circle")) == 3
    assert len(drawn.findall(f".//{SVG}polyline")) == 2
    assert "R² 1.0000" in "".join(drawn.itertext())
