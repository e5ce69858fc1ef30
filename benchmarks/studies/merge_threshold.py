"""How robust merging is to the similarity it accepts: accuracy and tokens against τ, and against γ.

    python -m benchmarks.studies.merge_threshold zoo/cifar10-small/*.pt --data cifar10.zip
    python -m benchmarks.studies.merge_threshold runs/mine/halting.pt --plot curves.svg

Each network as it was trained, with no merging, with tokens that merge while their cosine is at
least τ (`model.merge_threshold`), and with the γ most similar pairs merging (`model.merge_gamma`).
Nothing is trained again: merging has no parameters. All timesteps run, on the same test images for
every row; so a change of accuracy is told with the standard error of paired differences.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from rich.progress import track
from torch import Tensor

from benchmarks.common import command_line
from benchmarks.common.table import Row, Table, number, words
from runtime.drawing import svg
from spikehalt.commands import run as run_command
from spikehalt.commands import whole
from train.checkpoint import Checkpoint, load_checkpoint
from train.config import ModelConfig
from train.data import ImageSource
from train.measure.adaptivity import standard_error
from train.measure.evaluate import live_tokens
from train.measure.splits import checkpoint_data, part_of
from train.models import SpikingTransformer
from train.parallel.devices import best_device, exact_float32

THRESHOLDS = (1.0, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5)
SHARES = (1 / 12, 1 / 6, 1 / 4, 2 / 5, 1 / 2)  # of K_0, merged away at every block
NONE = "none"


@dataclass(frozen=True)
class Setting:
    """A way to choose what merges.

    Attributes:
        kind: "none", "τ" or "γ".
        value: of τ or γ; 0 for none.
    """

    kind: str
    value: float = 0.0

    @property
    def name(self) -> str:
        """As it stands in tables."""
        return self.kind if self.kind == NONE else f"{self.kind} {self.value:g}"

    def applied_to(self, model: ModelConfig) -> ModelConfig:
        """The model that merges so."""
        if self.kind == "γ":
            return replace(model, merge_threshold=0.0, merge_gamma=int(self.value))
        return model.merged_at(self.value)


@dataclass(frozen=True)
class Measured:
    """What a network does in one setting.

    Attributes:
        correct: whether each image's answer is right, bool [N].
        tokens: live tokens over K_0 of each image, averaged over blocks and timesteps, [N].
    """

    correct: Tensor
    tokens: Tensor


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print and draw; returns the exit status."""
    arguments = parser().parse_args(argv)
    rows: list[Row] = []
    for path in arguments.checkpoints:
        checkpoint = load_checkpoint(path)
        images = test_images(checkpoint, arguments)
        settings = settings_of(checkpoint.model, arguments)
        name = f"{path.parent.name} {path.stem}"
        found = measure(checkpoint, settings, images, arguments.batch)
        of_network = rows_of(name, checkpoint.model, settings, found)
        rows += of_network
        table(f"{name}, {len(images):,} test images, all timesteps").print(of_network)
    if arguments.json:
        arguments.json.write_text(json.dumps([row.plain() for row in rows], indent=1) + "\n")
    if arguments.plot:
        arguments.plot.write_text(svg.page([chart("τ", rows), chart("γ", rows)]))
    return 0


def parser() -> argparse.ArgumentParser:
    """Arguments of the command."""
    p = command_line.parser("benchmarks.studies.merge_threshold", __doc__)
    p.add_argument("checkpoints", type=Path, nargs="+", metavar="CKPT")
    p.add_argument("--data", metavar="PATH", default="", help="their images, where they moved")
    p.add_argument("--count", type=whole(1), default=2_000, metavar="N", help="test images")
    p.add_argument("--batch", type=whole(1), default=250, metavar="N", help="images at once")
    p.add_argument("--thresholds", type=float, nargs="*", default=THRESHOLDS, metavar="T")
    p.add_argument(
        "--gammas", type=whole(1), nargs="*", metavar="N",
        help="tokens merged at every block (default: a twelfth to half of K_0)",
    )  # fmt: skip
    p.add_argument("--json", type=Path, metavar="FILE", help="also write the rows there")
    command_line.add_plot(p, "accuracy against τ and γ")
    return p


def settings_of(model: ModelConfig, arguments: argparse.Namespace) -> list[Setting]:
    """No merging, every τ, every γ; the checkpoint's own among them."""
    gammas = arguments.gammas
    if gammas is None:
        gammas = [round(share * model.tokens) for share in SHARES]
    own = [model.merge_gamma] if model.merge_gamma else []
    thresholds = {
        *arguments.thresholds,
        *([model.merge_threshold] if model.merge_threshold else []),
    }
    return [
        Setting(NONE),
        *(Setting("τ", threshold) for threshold in sorted(thresholds, reverse=True)),
        *(Setting("γ", gamma) for gamma in sorted({*gammas, *own})),
    ]


def test_images(checkpoint: Checkpoint, arguments: argparse.Namespace) -> ImageSource:
    """Some of its test images, drawn once: fewer are the first of more."""
    test = part_of(checkpoint_data(checkpoint, arguments.data), "test")
    drawn = torch.randperm(len(test), generator=torch.Generator().manual_seed(0))
    return next(iter(test.batches([drawn[: arguments.count].sort().values])))


@torch.no_grad()
@exact_float32()
def measure(
    checkpoint: Checkpoint, settings: Sequence[Setting], images: ImageSource, batch: int
) -> list[Measured]:
    """Every setting on the same images; the stem, which they share, runs once."""
    device = best_device()
    networks = [
        replace(checkpoint, model=setting.applied_to(checkpoint.model)).network().to(device)
        for setting in settings
    ]
    parts: list[list[Measured]] = [[] for _ in settings]
    rows = torch.arange(len(images)).split(batch)
    for part in track(images.to(device).batches(rows), "images", len(rows), transient=True):
        entering = networks[0].tokens_of(part.images)
        for network, found in zip(networks, parts, strict=True):
            found.append(_measured(network, entering, part.labels))
    return [Measured(*map(torch.cat, zip(*map(_both, each), strict=True))) for each in parts]


def _both(part: Measured) -> tuple[Tensor, Tensor]:
    return part.correct, part.tokens


def _measured(network: SpikingTransformer, entering: Tensor, labels: Tensor) -> Measured:
    output = network.classify(entering)
    tokens = live_tokens(output).double().mean((1, 2)) / network.config.tokens
    return Measured((output.logits[-1].argmax(-1) == labels).cpu(), tokens.cpu())


def rows_of(
    name: str, model: ModelConfig, settings: Sequence[Setting], found: Sequence[Measured]
) -> list[Row]:
    """A row of each setting; the first one merges nothing, and is what others are compared with."""
    without = found[0].correct.double()
    own = Setting("τ", model.merge_threshold) if model.merge_threshold else Setting(NONE)
    own = Setting("γ", model.merge_gamma) if model.merge_gamma else own
    rows = []
    for setting, each in zip(settings, found, strict=True):
        accuracy, count = float(each.correct.double().mean()), len(each.correct)
        change = each.correct.double() - without
        figures = {
            "network": name, "kind": setting.kind, "value": setting.value, "images": count,
            "accuracy": accuracy, "error": standard_error(accuracy, count),
            "change": float(change.mean()), "change_error": float(change.std()) / count**0.5,
            "tokens": float(each.tokens.mean()), "spread": float(each.tokens.std()),
        }  # fmt: skip
        trained = " (as trained)" if setting == own else ""
        rows.append(Row(f"{name}, {setting.name}", figures, setting.name + trained))
    return rows


def table(title: str) -> Table:
    """Of one network."""
    return Table(
        title,
        [
            words("merging"), number("accuracy", "accuracy", ".2%"), number("±", "error", ".2%"),
            number("change, points", "change", "+.2f", 100),
            number("± (paired)", "change_error", ".2f", 100), number("tokens", "tokens", ".3f"),
            number("std over images", "spread", ".3f"),
        ],
    )  # fmt: skip


def chart(kind: str, rows: Sequence[Row]) -> str:
    """Accuracy against the tokens that each value of τ or γ leaves, one line per network."""
    series = []
    for name in dict.fromkeys(str(row.figures["network"]) for row in rows):
        own = [
            r for r in rows if r.figures["network"] == name and r.figures["kind"] in (NONE, kind)
        ]
        own.sort(key=lambda row: row["tokens"])
        tokens, accuracies = [row["tokens"] for row in own], [100 * row["accuracy"] for row in own]
        series.append(svg.Series(name, tokens, accuracies, marks=range(len(own))))
    return svg.line_chart(f"merging by {kind}", "average tokens (× K₀)", "accuracy in %", series)


if __name__ == "__main__":
    sys.exit(run_command(main))
