"""The arithmetic behind the CPU benchmark's table."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import cpu, cpu_models, cpu_worker
from benchmarks.cpu_curve import fit, thinned
from benchmarks.replay import Replay

BLOCKS, TOKENS, TIMESTEPS = 4, 64, 4


def everything(images: int = 2) -> Replay:
    last = np.full((images, TIMESTEPS, TOKENS), BLOCKS)
    return Replay(last, np.array([1, 3]), BLOCKS)


def test_every_candidate_of_the_table_can_be_served() -> None:
    assert {*cpu.KINDS, *cpu.PEAKS} == set(cpu_worker.CANDIDATES)


def test_macs_of_one_pass_are_those_of_the_layers() -> None:
    config = cpu_models.config_of("isps", halting=False)
    stem = 9 * (32 * 32 * (3 * 48 + 48 * 96 + 96 * 192) + 16 * 16 * 192 * 384 + 64 * 384 * 384)
    block = 64 * (4 * 384**2 + 2 * 384 * 1536) + 2 * 64 * 384 * 32
    live = np.full((1, 4), 64)
    assert cpu_models.spiking_macs(config, live, 1) == stem + 4 * block


def test_what_is_hoisted_is_counted_once() -> None:
    once, always = (cpu_models.config_of(kind, halting=False) for kind in ("isps", "sps"))
    live = np.full((4, 4), 64)
    first, *rest = cpu_models.stem_macs(once)
    saved = 3 * (sum(rest) + 64 * 3 * 384**2)
    found = cpu_models.spiking_macs(always, live, 4) - cpu_models.spiking_macs(once, live, 4)
    assert found == saved
    assert first == 9 * 3 * 48 * 32 * 32


@pytest.mark.parametrize(
    ("name", "timesteps"), [("halting", 4), ("halting-exit", 2), ("int8-t3", 3), ("ann", 1)]
)
def test_timesteps_and_tokens_of_a_candidate(name: str, timesteps: float) -> None:
    tokens, found, macs = cpu.work(cpu.KINDS[name], everything())
    assert (tokens, found) == (1.0, timesteps)
    assert macs is not None


def test_fewer_live_tokens_mean_fewer_macs() -> None:
    (_, _, all_of_them), (tokens, _, some) = (
        cpu.work(cpu.KINDS["halting"], replay) for replay in (thinned(1.0), thinned(0.5))
    )
    assert tokens == (1 + 3 * 0.5) / 4
    assert all_of_them is not None and some is not None
    per_token = 4 * 384**2 + 2 * 384 * 1536
    assert all_of_them - some == pytest.approx(4 * 3 * 32 * per_token / 1e6)


def test_a_failed_peer_is_shown_with_its_reason() -> None:
    rows = [
        cpu.Row("ann", "a dense ANN", 1, 10.0, 0.1, 9.9, 100.0, 1.0, 1.0, 0.5),
        cpu.Row("int8", "ours", 1, 5.0, 0.1, 4.9, 50.0, 0.5, 4.0, 0.5),
        cpu.Row("spikingjelly-onnx", "its export", 1, failed="no such op"),
    ]
    with cpu.console.capture() as captured:
        cpu.console.print(cpu.table(rows, 1))
    text = captured.get()
    assert "no such op" in text
    assert "2.00" in text  # the ratio to the ANN


def test_a_line_through_points_on_a_line_explains_everything() -> None:
    tokens = np.array([1.0, 2.0, 5.0])
    line = fit(tokens, 3 + 0.5 * tokens)
    assert line.fixed_ms == pytest.approx(3)
    assert line.per_token_ms == pytest.approx(0.5)
    assert line.r_squared == pytest.approx(1)
    assert fit(tokens, np.array([1.0, -1.0, 1.0])).r_squared < 0.5
