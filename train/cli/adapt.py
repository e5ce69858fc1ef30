"""`spikehalt adapt`: let tokens halt in a network that was trained without halting."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spikehalt.commands import share
from spikehalt.console import note, say
from spikehalt.files import beside
from train.cli.options.fields import add_fields, given, read_fields
from train.cli.options.outputs import check_writable
from train.config import require

if TYPE_CHECKING:
    from train.adapting.adapt import Adapted


@dataclass(frozen=True)
class AdaptOptions:
    """What is adapted, and to what.

    Attributes:
        checkpoint: of a network without halting, ours or imported.
        images: folder or zip of images such as it will see, without labels, or of `.npz` event
            frames; of a data set with a part train/ that part.
        tokens: live tokens over all tokens to aim at, as 0.6 or 60%.
        count: of the images, at most; they are spread over the sorted files.
        out: the checkpoint to write; default: CKPT with the ending .adapted.pt.
    """

    checkpoint: str = given(positional=True, metavar="CKPT")
    images: str = given("", metavar="PATH", required=True)
    tokens: float = given(0.6, type=share, metavar="SHARE")
    count: int = given(256, metavar="N")
    out: Path | None = given(None, metavar="FILE")

    def __post_init__(self) -> None:
        require(self.count >= 2, f"count is {self.count}, must be >= 2")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_fields(parser, AdaptOptions)


def run(arguments: argparse.Namespace) -> int:
    """Fit forecasts, calibrate them, write the checkpoint."""
    options = read_fields(AdaptOptions, arguments)
    target = options.out or beside(options.checkpoint, ".adapted.pt")
    check_writable(target, "--out", makes_folders=True)
    from train.adapting.adapt import adapt
    from train.adapting.images import load_unlabelled
    from train.checkpoint import load_checkpoint, save_checkpoint

    checkpoint = load_checkpoint(options.checkpoint)
    images = load_unlabelled(options.images, checkpoint, options.count)
    note(f"{len(images)} images of {options.images}")
    adapted = adapt(checkpoint, images, options.tokens)
    save_checkpoint(target, adapted.checkpoint)
    say(_summary(adapted, target))
    return 0


def _summary(adapted: Adapted, target: Path) -> str:
    found, halting = adapted.found, adapted.checkpoint.model.halting
    return (
        f"{found.tokens:.3f} × tokens on these images at epsilon {halting.epsilon:g}; best class "
        f"as without halting for {found.agreement:.1%} of them, logits {found.divergence:.4f} nats "
        f"away → {target}"
    )
