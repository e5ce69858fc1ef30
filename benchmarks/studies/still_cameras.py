"""What a still camera would save: shares of the stem that really change from frame to frame.

    python -m benchmarks.studies.still_cameras CKPT FRAMES…

CKPT is a checkpoint with an I-SPS stem, FRAMES are folders of frames in the order of their names;
they are resized to the model's size. A pixel keeps its reference value until it differs by more
than the tolerance in some channel. Then, for every convolution, the share of its output places that
must be computed again, since a place in their 3 x 3 neighbourhood changed; the share of tokens that
changed; and whether the answer is that of the frame itself. Medians over the frames after the
first. "places" and "values" are shares of the products of the convolutions after the first: of
those at such places, and of those that a changed input value meets, were only differences added.
"not zero" is what SpikeConv does anyway: the share of products of inputs that are not zero.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn.functional import max_pool2d

from benchmarks.common import command_line
from spikehalt.commands import run as run_command
from train.checkpoint import load_checkpoint
from train.models import SpikingTransformer

console = Console()
TOLERANCES = (0, 2, 4, 8)
Frames = NDArray[np.uint8]


class Change(NamedTuple):
    """Shares of one frame.

    Attributes:
        pixels: that differ from the reference.
        places: [5], of each convolution's outputs, to be computed again.
        tokens: that changed.
        work: of the products of the convolutions after the first: at such places, of changed
            values, of values that are not zero.
        same: the answer is that of the frame itself.
    """

    pixels: float
    places: list[float]
    tokens: float
    work: tuple[float, float, float]
    same: bool


class Stages:
    """What the stem's convolutions take, and the tokens, of an image."""

    def __init__(self, network: SpikingTransformer) -> None:
        self.network = network
        self.taken: list[Tensor] = []
        for conv in network.stem.convs:
            conv.register_forward_pre_hook(
                lambda module, inputs: self.taken.append(inputs[0][0, 0])
            )
        network.stem.register_forward_hook(lambda module, inputs, out: self.taken.append(out[0, 0]))

    @torch.no_grad()
    def __call__(self, frame: Frames) -> tuple[list[Tensor], int]:
        """Inputs of the convolutions [C, H, W], tokens [K, D]; and the answer."""
        self.taken = []
        output = self.network(torch.tensor(frame).permute(2, 0, 1)[None])
        return self.taken, int(output.logits[-1, 0].argmax())


def referenced(frame: Frames, before: Frames, tolerance: int) -> Frames:
    """The frame, but for pixels that are within the tolerance of those before."""
    apart = np.abs(frame.astype(np.int16) - before).max(-1, keepdims=True) > tolerance
    return np.where(apart, frame, before).astype(np.uint8)


def changes(stages: Stages, frames: Sequence[Frames], tolerance: int) -> list[Change]:
    """Of all frames but the first."""
    reference, found = frames[0], []
    before, _ = stages(reference)
    for frame in frames[1:]:
        following = referenced(frame, reference, tolerance)
        pixels = float((following != reference).any(-1).mean())
        after, answer = stages(following)
        exact = answer if tolerance == 0 else stages(frame)[1]
        found.append(_change(stages.network, before, after, pixels, answer == exact))
        reference, before = following, after
    return found


def _change(
    network: SpikingTransformer,
    before: list[Tensor],
    after: list[Tensor],
    pixels: float,
    same: bool,
) -> Change:
    differs = [a != b for a, b in zip(after[:-1], before[:-1], strict=True)]
    places = [float(_dilated(each.any(0)).mean()) for each in differs]
    values = [float(each.float().mean()) for each in differs]
    there = [float((each != 0).float().mean()) for each in after[:-1]]
    convs: list[Any] = list(network.stem.convs)
    sizes = [
        conv.conv.weight.numel() * each[0].numel()
        for conv, each in zip(convs, differs, strict=True)
    ]
    work = [np.average(shares[1:], weights=sizes[1:]) for shares in (places, values, there)]
    tokens = float((after[-1] != before[-1]).any(-1).float().mean())
    return Change(pixels, places, tokens, (work[0], work[1], work[2]), same)


def _dilated(mask: Tensor) -> Tensor:
    """Where one of the 3 x 3 neighbours is."""
    return max_pool2d(mask[None, None].float(), 3, 1, 1)


def read_frames(folder: Path, size: tuple[int, int]) -> list[Frames]:
    """All images of a folder, uint8 [H, W, 3]."""
    paths = sorted(folder.glob("*.png"))
    height, width = size
    return [np.asarray(Image.open(p).convert("RGB").resize((width, height))) for p in paths]


def main(argv: Sequence[str] | None = None) -> int:
    """Count and print; returns the exit status."""
    parser = command_line.parser("benchmarks.studies.still_cameras", __doc__)
    parser.add_argument("checkpoint", metavar="CKPT", type=Path)
    parser.add_argument("frames", metavar="FRAMES", type=Path, nargs="+")
    arguments = parser.parse_args(argv)
    network = load_checkpoint(arguments.checkpoint).network().eval()
    stages = Stages(network)
    table = Table(title=f"{arguments.checkpoint}: medians over frames, %")
    columns = ("clip", "tolerance", "pixels", *(f"conv {n}" for n in range(1, 6)), "tokens")
    for column in (*columns, "places", "values", "not zero", "same answers"):
        table.add_column(column, justify="left" if column == "clip" else "right")
    for folder in arguments.frames:
        frames = read_frames(folder, network.config.image_size)
        for tolerance in TOLERANCES:
            table.add_row(*_cells(folder.name, tolerance, changes(stages, frames, tolerance)))
    console.print(table)
    return 0


def _cells(clip: str, tolerance: int, found: Sequence[Change]) -> list[str]:
    values = [
        [each.pixels for each in found],
        *([each.places[stage] for each in found] for stage in range(5)),
        [each.tokens for each in found],
        *([each.work[kind] for each in found] for kind in range(3)),
    ]
    same = float(np.mean([each.same for each in found]))
    return [
        clip,
        str(tolerance),
        *(f"{100 * np.median(v):.0f}" for v in values),
        f"{100 * same:.1f}",
    ]


if __name__ == "__main__":
    sys.exit(run_command(main))
