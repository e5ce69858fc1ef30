"""A convolutional teacher for `loss.teacher`, trained on a recipe's images.

    python -m benchmarks.studies.teacher cifar10-medium --data cifar10.zip --out teacher.pt2

A residual network of 2.4 million parameters for images of about 32 pixels a side, trained under
cross entropy by SGD with Nesterov's momentum, the learning rate falling linearly after a warm-up.
It sees the recipe's training images under the recipe's augmentation, and holds out the same images.
What it writes is a program of `torch.export`: float pixel values 0..255 [B, C, H, W] to logits
[B, N_c].
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from lightning_fabric import Fabric, seed_everything
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.common import command_line
from spikehalt.commands import run as run_command
from spikehalt.commands import whole
from spikehalt.console import note
from train.config import TrainConfig
from train.data import Dataset, load_data
from train.data.augment import augmenter
from train.loop.phase.schedule import shuffled
from train.parallel.devices import fabric_accelerator, resolve_precision
from train.recipes import load_recipe

WIDTHS = (32, 64, 192, 256)
BATCH = 256
RATE, MOMENTUM, DECAY = 0.2, 0.9, 5e-4
WARMUP = 0.2  # of the steps
SCALE = 0.125  # of the logits: large ones make the first steps unstable


class Scaled(nn.Module):
    """Pixel values 0..255 to normalised ones."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", 255 * torch.tensor(mean).view(-1, 1, 1))
        self.register_buffer("std", 255 * torch.tensor(std).view(-1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """[B, C, H, W] in both."""
        return (images - self.mean) / self.std


class Softened(nn.Linear):
    """Logits times `SCALE`."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, width] to [B, N_c]."""
        return SCALE * super().forward(x)


class Residual(nn.Sequential):
    """x + f(x), with f of two convolutions."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, width, H, W] in both."""
        added: Tensor = super().forward(x)
        return x + added


def convolution(entering: int, width: int) -> list[nn.Module]:
    """3 x 3, batch normalisation, rectifier."""
    conv = nn.Conv2d(entering, width, 3, padding=1, bias=False)
    return [conv, nn.BatchNorm2d(width), nn.ReLU(inplace=True)]


def residual(width: int) -> Residual:
    """Two convolutions beside an identity."""
    return Residual(*convolution(width, width), *convolution(width, width))


def teacher(config: TrainConfig) -> nn.Sequential:
    """The network, untrained."""
    model, (first, second, third, last) = config.model, WIDTHS
    return nn.Sequential(
        Scaled(model.pixel_mean, model.pixel_std),
        *convolution(model.channels, first),
        *convolution(first, second),
        nn.MaxPool2d(2),
        *convolution(second, third),
        nn.MaxPool2d(2),
        residual(third),
        *convolution(third, last),
        nn.MaxPool2d(2),
        residual(last),
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
        Softened(last, model.classes),
    )


def train(network: nn.Module, data: Dataset, config: TrainConfig, epochs: int) -> None:
    """Train in place, and note after each epoch how many validation images are right."""
    fabric = Fabric(
        accelerator=fabric_accelerator(config.accelerator),
        devices=1,
        precision=resolve_precision(config.precision, config.accelerator),
    )
    network.to(fabric.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    data = data.to(fabric.device)
    optimizer = torch.optim.SGD(
        network.parameters(), RATE, momentum=MOMENTUM, weight_decay=DECAY, nesterov=True
    )
    model, stepper = fabric.setup(network, optimizer)
    steps = max(1, len(data.train) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, RATE, epochs * steps, pct_start=WARMUP, anneal_strategy="linear"
    )
    augment = augmenter(config.data.augment, config.model.image_size)
    for epoch in range(epochs):
        network.train()
        total = torch.zeros((), dtype=torch.float64, device=fabric.device)
        rows = shuffled(len(data.train), config.seed, "teacher", epoch)[: steps * BATCH]
        for batch in data.train.batches(rows.split(BATCH)):
            loss = cross_entropy(model(augment(batch.images).float()).float(), batch.labels)
            stepper.zero_grad()
            fabric.backward(loss)
            stepper.step()
            schedule.step()
            total += loss.detach()
        right = accuracy(network, data)
        note(f"epoch {epoch + 1}/{epochs}  loss {float(total) / steps:.3f}  {right:.2%}")


@torch.no_grad()
def accuracy(network: nn.Module, data: Dataset) -> float:
    """Share of the validation images whose class has the largest logit."""
    network.eval()
    rows = torch.arange(len(data.validation)).split(BATCH)
    right = [
        (network(batch.images.float()).argmax(-1) == batch.labels).sum()
        for batch in data.validation.batches(rows)
    ]
    return int(sum(right)) / len(data.validation)


def write(network: nn.Module, config: TrainConfig, path: Path) -> None:
    """The trained network as a program of any batch size, on the CPU in float32."""
    example = torch.zeros(2, config.model.channels, *config.model.image_size)
    network.cpu().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    network.eval()
    batch = torch.export.Dim("batch", min=1)
    program = torch.export.export(network, (example,), dynamic_shapes=({0: batch},))
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.export.save(program, path)


def main(argv: Sequence[str] | None = None) -> int:
    """Train, write, and say where; returns the exit status."""
    arguments = parser().parse_args(argv)
    config = load_recipe(arguments.recipe)
    if arguments.data:
        config = replace(config, data=replace(config.data, path=arguments.data))
    seed_everything(config.seed, verbose=False)
    data = load_data(config.data, config.model, config.seed)
    network = teacher(config)
    train(network, data, config, arguments.epochs)
    write(network, config, arguments.out)
    note(f"wrote {arguments.out}")
    return 0


def parser() -> argparse.ArgumentParser:
    """Arguments of the command."""
    p = command_line.parser("benchmarks.studies.teacher", __doc__)
    p.add_argument("recipe", help="whose images, augmentation, and held-out part")
    p.add_argument("--data", default="", metavar="PATH", help="the images, where they moved")
    p.add_argument("--epochs", type=whole(1), default=12, help="over the training images")
    p.add_argument("--out", type=Path, default=Path("teacher.pt2"), metavar="FILE")
    return p


if __name__ == "__main__":
    sys.exit(run_command(main))
