"""`python -m train events`: recordings of event cameras to frames that training reads."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from spikehalt.console import say
from train.cli.options.fields import add_fields, read_fields
from train.config.frames import FrameOptions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "recordings", nargs="+", type=Path, metavar="FILE",
        help="recordings (.aedat, .aedat4, .bin, .dat, .h5, .hdf5, .npz, .raw)",
    )  # fmt: skip
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR",
        help="folder of one split, such as frames/train; each class has a folder in it, named by "
        "its recordings: mug.aedat and mug-2.aedat are of class mug",
    )  # fmt: skip
    add_fields(parser, FrameOptions)


def run(arguments: argparse.Namespace) -> int:
    """Convert every recording; says how many samples of which class it wrote."""
    cut = read_fields(FrameOptions, arguments)
    from train.data.recordings.convert import convert

    for recording in arguments.recordings:
        label = class_of(recording)
        count = convert(recording, arguments.out / label, cut)
        say(f"{recording}: {count} samples of {label} → {arguments.out / label}")
    return 0


def class_of(recording: Path) -> str:
    """`mug` of mug.aedat and of mug-2.aedat."""
    return re.sub(r"-\d+$", "", recording.stem)
