"""Events of a recording, whatever file they came from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from train.errors import DataError

MAX_EVENTS = 2**28  # 268 million: arrays of several GB
_MAX_SIDE = 2**14  # pixels, what the formats' addresses have room for
_MAX_US = 2**53  # 285 years


class Events(NamedTuple):
    """Changes of brightness, in order of time.

    Attributes:
        t: microseconds, int64 [N], never falling.
        x: column, int64 [N] in 0..width - 1.
        y: row, int64 [N] in 0..height - 1.
        p: polarity, int64 [N], 1 where it became brighter.
        height: of the sensor, in pixels.
        width: of the sensor, in pixels.
    """

    t: np.ndarray
    x: np.ndarray
    y: np.ndarray
    p: np.ndarray
    height: int
    width: int

    def take(self, where: np.ndarray | slice) -> Events:
        """The events at an index, mask or slice."""
        return self._replace(t=self.t[where], x=self.x[where], y=self.y[where], p=self.p[where])


def make_events(
    name: str,
    columns: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    size: tuple[int, int] | None = None,
) -> Events:
    """Events from columns of any integer type, sorted by time and checked.

    Args:
        name: of the file, for errors.
        columns: t, x, y, p.
        size: height and width; None takes the smallest that holds all events.

    Raises:
        DataError: there are no events, the columns differ in length, or an event lies outside.
    """
    given = [np.asarray(column) for column in columns]
    if any(column.dtype.kind not in "fiub" or column.ndim != 1 for column in given):
        raise DataError(f"{name}: t, x, y and p must be lists of numbers")
    with np.errstate(invalid="ignore"):  # what becomes senseless is refused below
        t, x, y, p = (column.astype(np.int64) for column in given)
    if not len(t) == len(x) == len(y) == len(p):
        raise DataError(f"{name}: t, x, y and p differ in length: {[len(c) for c in columns]}")
    if len(t) == 0:
        raise DataError(f"{name} holds no events")
    if t.min() < -_MAX_US or t.max() > _MAX_US:
        raise DataError(f"{name}: times run from {t.min()} to {t.max()} µs, which is no recording")
    height, width = size or (int(y.max()) + 1, int(x.max()) + 1)
    if max(height, width) > _MAX_SIDE:
        raise DataError(
            f"{name}: a sensor of {width} x {height} pixels; at most {_MAX_SIDE} are read"
        )
    if min(x.min(), y.min()) < 0 or x.max() >= width or y.max() >= height:
        raise DataError(
            f"{name}: events lie at x {x.min()}..{x.max()}, y {y.min()}..{y.max()}, outside a "
            f"sensor of {width} x {height} pixels"
        )
    order = np.argsort(t, kind="stable")
    return Events(t[order], x[order], y[order], (p[order] > 0).astype(np.int64), height, width)


def unwrapped(t: np.ndarray, period: int) -> np.ndarray:
    """Times int64 [N] of a counter that wraps around after `period`, with the wraps undone."""
    turns = np.diff(t, prepend=t[:1]) < -(period // 2)
    return np.asarray(t + period * np.cumsum(turns))


def mask_hot_pixels(events: Events, factor: float) -> Events:
    """Leave out pixels that fire without cause: far more often than the busiest of the others.

    A pixel is hot when it has more than `factor` times as many events as the 99.9th percentile of
    the pixels that have any; an edge that passes excites many pixels, a defect one.

    Args:
        events: of a recording.
        factor: > 1; 0 leaves all pixels in.
    """
    if factor == 0:
        return events
    place = events.y * events.width + events.x
    counts = np.bincount(place, minlength=events.height * events.width)
    limit = factor * np.percentile(counts[counts > 0], 99.9)
    return events.take(counts[place] <= limit)
