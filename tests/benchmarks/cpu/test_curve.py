from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.common import networks
from benchmarks.common.table import console
from benchmarks.cpu import curve
from benchmarks.cpu.curve import SHARES, Line, fit, rows_of, thinned
from tests.benchmarks.cpu.test_cost import tiny

CONFIG = networks.config_of("isps", halting=True)


@pytest.mark.parametrize("share", SHARES)
def test_all_tokens_run_in_the_first_block_and_a_share_in_the_others(share: float) -> None:
    live = thinned(share, images=2).live
    assert live.shape == (2, CONFIG.timesteps, CONFIG.depth)
    assert (live[..., 0] == CONFIG.tokens).all()
    assert (live[..., 1:] == round(share * CONFIG.tokens)).all()


def test_nobody_leaves_early_and_images_are_alike() -> None:
    replay = thinned(0.5, images=3)
    assert replay.timesteps.tolist() == [CONFIG.timesteps] * 3
    assert (replay.last_block == replay.last_block[:1, :1]).all()


def test_live_tokens_are_mixed_among_the_others() -> None:
    stays = thinned(0.5).last_block[0, 0] > 1
    assert 0 < stays[: CONFIG.tokens // 2].sum() < CONFIG.tokens // 2


def test_another_shape_can_be_thinned() -> None:
    config = tiny()
    assert thinned(1.0, 1, config).live.sum() == config.timesteps * config.depth * config.tokens


@given(
    st.floats(0.1, 100), st.floats(1e-3, 1), st.lists(st.integers(1, 999), min_size=3, unique=True)
)
def test_points_on_a_line_give_that_line(fixed: float, slope: float, counts: list[int]) -> None:
    tokens = np.array(counts, float)
    line = fit(tokens, fixed + slope * tokens)
    assert line.fixed_ms == pytest.approx(fixed, rel=1e-6, abs=1e-6)
    assert line.per_token_ms == pytest.approx(slope, rel=1e-6)
    assert line.r_squared == pytest.approx(1)


def test_what_the_line_does_not_explain_lowers_its_share() -> None:
    tokens = np.array([0.0, 1.0, 2.0, 3.0])
    line = fit(tokens, np.array([0.0, 1.2, 1.8, 3.0]))
    assert line.r_squared == pytest.approx(1 - 0.072 / 4.68)
    assert line.per_token_ms == pytest.approx(0.96)


def test_rows_hold_the_share_of_all_tokens_and_the_point_on_the_line() -> None:
    full = CONFIG.timesteps * CONFIG.depth * CONFIG.tokens
    tokens, ms = np.array([full / 4, full]), np.array([6.0, 20.5])
    rows = rows_of(tokens, ms, Line(1.0, 20 / full, 0.99), CONFIG)
    assert [row["share"] for row in rows] == [0.25, 1.0]
    assert [row["line_ms"] for row in rows] == pytest.approx([6.0, 21.0])
    assert [curve.table(CONFIG).cells(row)[1:] for row in rows] == [
        ["0.25", "6.00", "6.00"],
        ["1.00", "20.50", "21.00"],
    ]


def test_the_report_tells_the_price_of_a_token_in_microseconds() -> None:
    with console.capture() as captured:
        curve.report(np.array([1.0, 2.0]), np.array([3.0, 4.0]), Line(2.0, 0.0125, 0.9876))
    assert "R² 0.9876; 12.50 µs a token and block; 2.00 ms" in captured.get()
