"""What cannot be built, refused before anything is emitted."""

from __future__ import annotations

import numpy as np

from export.errors import UnsupportedError
from export.fold.finite import check_finite
from export.fold.float16 import check_float16
from export.fold.folded import NetworkPlan
from export.graph.layouts.table import LAYOUTS
from export.options import ExportOptions
from spikehalt.vocabulary import Layout


def check_options(plan: NetworkPlan, options: ExportOptions, layout: Layout) -> None:
    """Refuse what cannot be built.

    Raises:
        UnsupportedError: fixed-rate dropping, chunk does not divide T, mode `block` in a layout
            that holds no membranes, folded weights that are not
            finite, values that float16 cannot hold, or int8 instrumented.
    """
    _refuse_dropping(plan)
    check_finite(plan)
    if options.dtype == np.float16:
        check_float16(plan)
    timesteps = plan.config.timesteps
    if options.chunk < 1 or timesteps % options.chunk:
        divisors = [n for n in range(1, timesteps + 1) if timesteps % n == 0]
        raise UnsupportedError(
            f"chunk {options.chunk} does not divide T = {timesteps}; choose one of {divisors}"
        )
    if options.instrument and options.int8:
        raise UnsupportedError(
            "integer graphs are not instrumented: an operation count does not depend on precision, "
            "so export a second bundle with --instrument and without --int8"
        )
    _refuse_holding(plan, layout)


def _refuse_holding(plan: NetworkPlan, layout: Layout) -> None:
    able = [name for name, kind in LAYOUTS.items() if kind.can_hold]
    if plan.config.halting.mode == "block" and layout not in able:
        raise UnsupportedError(
            "halting mode 'block' lets a token come back at the next timestep, so its membranes "
            f"must be held; that exists in the {' and '.join(able)} layout only: use "
            f"--layout {able[0]}"
        )


def _refuse_dropping(plan: NetworkPlan) -> None:
    """No graph drops tokens at fixed rates: it would compute another function than PyTorch."""
    kind = plan.config.drop.kind
    if kind != "none":
        raise UnsupportedError(
            f"drop.kind {kind!r} is a baseline for training and evaluation and cannot be exported; "
            "what removes tokens in exported models is halting (halting.mode 'block_time' or "
            "'block') and merging (merge_gamma, merge_threshold): train with one of those, or with "
            "drop.kind 'none'"
        )
