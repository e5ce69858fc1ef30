"""How recordings of event cameras are cut into frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from train.config.checks import require


@dataclass(frozen=True)
class FrameOptions:
    """How a recording is cut.

    Attributes:
        window_ms: length of a window, one sample.
        stride_ms: from the start of a window to the start of the next; 0: windows join without
            overlap.
        frames: T, frames in a window.
        by: frames of equal duration (`time`), or of equally many events (`count`).
        size: height and width of the frames in pixels; the sensor is scaled down to them.
        hot_pixels: pixels with more than this many times the events of the busiest others are left
            out; 0 keeps all.
        min_events: windows with fewer events are left out, since nothing moves in them.
    """

    window_ms: float = 200.0
    stride_ms: float = 0.0
    frames: int = 8
    by: Literal["time", "count"] = "time"
    size: tuple[int, int] = (64, 64)
    hot_pixels: float = 3.0
    min_events: int = 100

    def __post_init__(self) -> None:
        require(self.window_ms > 0, f"window_ms is {self.window_ms}, must be positive")
        require(self.stride_ms >= 0, f"stride_ms is {self.stride_ms}, must be >= 0")
        require(self.frames >= 1, f"frames is {self.frames}, must be >= 1")
        require(min(self.size) >= 1, f"size is {self.size}, must be >= 1")
        require(
            self.hot_pixels == 0 or self.hot_pixels > 1,
            f"hot_pixels is {self.hot_pixels}, must be > 1, or 0 to keep all",
        )
        require(self.min_events >= 1, f"min_events is {self.min_events}, must be >= 1")
