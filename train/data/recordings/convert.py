"""A recording to the files that training reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from train.config.frames import FrameOptions
from train.data.recordings.frames import frames_of_windows
from train.data.recordings.readers import read_events
from train.errors import DataError


def convert(recording: Path, folder: Path, cut: FrameOptions) -> int:
    """Write a recording's windows as `.npz` with an array `frames` each; returns their number.

    Raises:
        DataError: no window holds enough events, or the folder cannot be written.
    """
    events, number = read_events(recording), 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number, frames in enumerate(frames_of_windows(events, cut), 1):
            np.savez_compressed(folder / f"{recording.stem}-{number:05d}.npz", frames=frames)
    except OSError as error:
        raise DataError(f"{folder} cannot be written ({error.strerror})") from None
    if number == 0:
        raise DataError(
            f"{recording}: no window of {cut.window_ms:g} ms holds {cut.min_events} events; set "
            "--window-ms higher or --min-events lower"
        )
    return number
