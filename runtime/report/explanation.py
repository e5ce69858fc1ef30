"""What an engine did with one image, timestep by timestep, and a picture of it (matplotlib)."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.early_exit.settings import Settings
from runtime.engine import Engine
from runtime.report.pictures import missing_heat_maps, pixels_of, token_grid
from runtime.results.scores import softmax
from spikehalt.console import chart_label
from spikehalt.exits import CONFIDENCE, NEVER, POLICIES
from spikehalt.extras import require_extra

_PANEL = 2.1  # inches


@dataclass(frozen=True, kw_only=True, eq=False)
class Explanation:
    """One image over all timesteps, as if it had not left.

    Attributes:
        pixels: uint8 [H, W, C], what the bundle saw.
        live: int32 [T, L, rows, columns], 1 = the patch ran there; None where `missing` says why
            it is not known.
        missing: why that is not known; empty if it is.
        blocks: L.
        points: int64 [S], timesteps after which images may leave.
        confidence: float32 [S], the probability of the answer given at the end.
        scores: float32 [S], what the policy compares with its threshold.
        settings: policy, threshold, ε and the last timestep.
        left_after: the timestep after which the image left.
        answer: the class it left with.
        probability: of that class.
    """

    pixels: NDArray[np.uint8]
    live: NDArray[np.int32] | None
    missing: str
    blocks: int
    points: NDArray[np.int64]
    confidence: NDArray[np.float32]
    scores: NDArray[np.float32]
    settings: Settings
    left_after: int
    answer: str
    probability: float

    @property
    def depth(self) -> NDArray[np.int64] | None:
        """int64 [T, rows, columns]: in how many blocks each patch ran."""
        return None if self.live is None else self.live.sum(axis=1, dtype=np.int64)


def explain(engine: Engine, data: NDArray[Any]) -> Explanation:
    """Run one image as the engine is set, and once more with all timesteps.

    Args:
        engine: with the policy to explain.
        data: uint8 [H, W, C], or float32 [T, C, H, W] event frames.

    Raises:
        InputError, BackendError, EngineStateError: as a call of the engine.
    """
    manifest, settings = engine.manifest, engine.settings
    given = engine(data)[0]
    trajectory = engine.record(data)
    probabilities = softmax(trajectory.logits[0])  # [S, N_c]
    last = settings.max_timesteps // manifest.chunk
    return Explanation(
        pixels=pixels_of(data),
        live=_live(engine, data),
        missing=missing_heat_maps(manifest),
        blocks=manifest.blocks,
        points=manifest.chunk * np.arange(1, last + 1),
        confidence=probabilities[:last, given.label],
        scores=trajectory.scores(settings.policy)[0, :last]
        if POLICIES[settings.policy].has_threshold
        else probabilities[:last, given.label],
        settings=settings,
        left_after=given.timesteps,
        answer=given.name,
        probability=given.probability,
    )


def _live(engine: Engine, data: NDArray[Any]) -> NDArray[np.int32] | None:
    grid = token_grid(engine.manifest)
    if grid is None or missing_heat_maps(engine.manifest):
        return None
    masks = engine(data, policy=NEVER.name, live_masks=True)[0].live_masks
    stacked = np.stack(masks or (), axis=1)  # [T, L, K]
    return stacked.reshape(*stacked.shape[:2], *grid)


def draw(explanation: Explanation, title: str, kind: str = "png") -> bytes:
    """The picture as a file: the image, a panel per timestep, confidence over time.

    Args:
        explanation: of one image.
        title: above it all.
        kind: png, svg or pdf.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    module = require_extra("matplotlib.figure", "figures", "drawing")
    depth = explanation.depth
    panels = 1 if depth is None else 1 + len(depth)
    width = _PANEL * max(panels, 3) + 0.9
    figure = module.Figure(figsize=(width, 2 * _PANEL + 1.0), layout="constrained")
    upper, lower = figure.subfigures(2, 1, height_ratios=(1.1, 1))
    axes = upper.subplots(1, panels, squeeze=False)[0]
    _show_image(axes[0], explanation.pixels, "image")
    if depth is not None:
        _show_depth(upper, axes[1:], explanation, depth)
    _show_time(lower.subplots(), explanation)
    figure.suptitle(chart_label(title), fontsize=11)
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of letters that the font lacks, which are boxes
        figure.savefig(file, format=kind, dpi=150)
    return file.getvalue()


def _show_image(axis: Any, pixels: NDArray[np.uint8], title: str, **style: Any) -> None:
    picture = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    axis.imshow(picture, cmap="gray", vmin=0, vmax=255, **style)
    axis.set_title(title, fontsize=9)
    axis.set_xticks([])
    axis.set_yticks([])


def _show_depth(figure: Any, axes: Any, explanation: Explanation, depth: NDArray[np.int64]) -> None:
    """A panel per timestep; those after the image left are pale."""
    colormaps = require_extra("matplotlib", "figures", "drawing").colormaps
    height, width = explanation.pixels.shape[:2]
    blocks = explanation.blocks
    for t, (axis, reached) in enumerate(zip(axes, depth, strict=True), 1):
        ran = t <= explanation.left_after
        grey = explanation.pixels.mean(axis=2, keepdims=True).astype(np.uint8)
        _show_image(
            axis, grey, f"t = {t}" if ran else f"t = {t} (had left)", alpha=1 if ran else 0.4
        )
        drawn = axis.imshow(
            reached, cmap=colormaps["viridis"].resampled(blocks + 1), vmin=-0.5, vmax=blocks + 0.5,
            alpha=0.65 if ran else 0.25, extent=(-0.5, width - 0.5, height - 0.5, -0.5),
        )  # fmt: skip
    bar = figure.colorbar(drawn, ax=axes.tolist(), ticks=range(blocks + 1), label="blocks run")
    bar.solids.set(alpha=0.65)


def _show_time(axis: Any, explanation: Explanation) -> None:
    points, settings = explanation.points, explanation.settings
    policy = POLICIES[settings.policy]
    axis.plot(
        points, explanation.confidence, "o-", color="#1565c0",
        label=f"probability of {chart_label(explanation.answer)}",
    )  # fmt: skip
    if policy.has_threshold and settings.threshold is not None:
        if policy is not CONFIDENCE:
            axis.plot(points, explanation.scores, "s-", color="#15803d", label=policy.name)
        sign = "≥" if policy.direction == "at_least" else "≤"
        axis.axhline(
            settings.threshold, color="#c2410c", linestyle="--",
            label=f"leaves at {policy.name} {sign} {settings.threshold:.4g}",
        )  # fmt: skip
    axis.axvline(
        explanation.left_after, color="#7e22ce", linestyle=":", linewidth=2,
        label=f"left after timestep {explanation.left_after} of {settings.max_timesteps}",
    )  # fmt: skip
    most = max(1.0, float(explanation.scores.max()), settings.threshold or 0.0)
    axis.set(xlabel="timestep", xticks=points, xlim=(0.8, points[-1] + 0.2), ylim=(0, 1.05 * most))
    axis.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8, frameon=False)
    axis.grid(alpha=0.3)
