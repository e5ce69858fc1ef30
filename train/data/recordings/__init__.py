"""Recordings of event cameras: files of several formats to events, and events to frames."""

from __future__ import annotations

from train.data.recordings.events import Events, mask_hot_pixels
from train.data.recordings.frames import frames_of_windows
from train.data.recordings.readers import SUFFIXES, read_events

__all__ = [
    "SUFFIXES",
    "Events",
    "frames_of_windows",
    "mask_hot_pixels",
    "read_events",
]
