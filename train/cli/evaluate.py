"""`python -m train evaluate`: accuracy, timesteps, tokens and adaptivity per policy and margin."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from spikehalt.commands import share
from spikehalt.console import note, write_table
from spikehalt.exits import CONFIDENCE, ENTROPY, HALTING, MAX_DROP, NEVER, PolicyName
from train.cli.options.fields import add_fields, given, read_fields
from train.cli.options.outputs import check_writable, give_figures
from train.config import check_epsilon, check_max_drop, check_merge_threshold, require

if TYPE_CHECKING:
    from train.checkpoint import Checkpoint
    from train.measure.adaptivity import Adaptivity
    from train.measure.policies import PolicyFigures

KNOBS = (">epsilon", ">merge at")


@dataclass(frozen=True)
class EvaluateOptions:
    """What is evaluated.

    Attributes:
        checkpoint: a finished checkpoint of ours.
        split: where the reported figures come from; thresholds always come from `validation`.
        epsilon: halting margins to try (STAS^epsilon); none = the configured one.
        merge_threshold: similarities from which tokens merge, to try in place of what is
            configured, in (0, 1], or 0 for no merging.
        policy: exit policies to try.
        max_drop: each policy takes the threshold with the fewest timesteps that loses at most this
            share of accuracy on the validation images, such as 0.005 or 0.5%; where every exit
            loses more, no image leaves early.
        static: checkpoint of the static network, whose confidence says how hard an image is; none =
            static.pt beside the checkpoint, if it is there.
        data_path: the folder or zip, where it is not the one of the training.
        batch: images at once.
        out: also write the figures there, as JSON; a threshold at which no exit is taken is null.
        json: print JSON instead of text.
    """

    checkpoint: str = given(positional=True, metavar="CKPT")
    split: Literal["test", "validation"] = "test"
    epsilon: tuple[float, ...] = ()
    merge_threshold: tuple[float, ...] = ()
    policy: tuple[PolicyName, ...] = (NEVER.name, ENTROPY.name, CONFIDENCE.name, HALTING.name)
    max_drop: float = given(MAX_DROP, type=share, metavar="SHARE")
    static: str = given("", metavar="CKPT")
    data_path: str = given("", metavar="PATH")
    batch: int = given(256, metavar="N")
    out: Path | None = given(None, metavar="FILE")
    json: bool = False

    def __post_init__(self) -> None:
        require(self.batch >= 1, f"batch is {self.batch}, must be >= 1")
        check_max_drop(self.max_drop)
        for epsilon in self.epsilon:
            check_epsilon(epsilon)
        for threshold in self.merge_threshold:
            check_merge_threshold(threshold)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_fields(parser, EvaluateOptions)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate a checkpoint under exit policies and halting margins."""
    options = read_fields(EvaluateOptions, arguments)
    if options.out is not None:
        check_writable(options.out, "--out")
    rows = _measure(options)
    give_figures(
        [_plain(row) for row in rows],
        lambda: _write(options, rows),
        as_json=options.json,
        out=options.out,
    )
    return 0


def _measure(options: EvaluateOptions) -> list[PolicyFigures]:
    from train.checkpoint import load_checkpoint
    from train.measure.policies import evaluate_policies
    from train.measure.splits import checkpoint_data

    checkpoint = load_checkpoint(options.checkpoint)
    return evaluate_policies(
        checkpoint,
        checkpoint_data(checkpoint, options.data_path),
        options.policy,
        split=options.split,
        margins=options.epsilon,
        merge_thresholds=options.merge_threshold,
        max_drop=options.max_drop,
        batch_size=options.batch,
        static=_static(options),
    )


def _static(options: EvaluateOptions) -> Checkpoint | None:
    from train.checkpoint import load_checkpoint

    beside = Path(options.checkpoint).with_name("static.pt")
    path = options.static or (str(beside) if beside.is_file() else "")
    if not path:
        note("adaptivity is left out: --static CKPT names the network that tells hard images")
        return None
    return load_checkpoint(path)


def _plain(row: PolicyFigures) -> dict[str, Any]:
    """The row for JSON, which knows no infinity: a threshold that nothing reaches is null."""
    plain = asdict(row)
    plain = {**_knobs(plain), **plain.pop("point"), **plain}
    return plain if math.isfinite(row.point.threshold) else {**plain, "threshold": None}


def _knobs(plain: dict[str, Any]) -> dict[str, Any]:
    """What was turned, which comes first."""
    return {name: plain.pop(name) for name in ("epsilon", "merge_threshold")}


def _threshold(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "no exit"


def _write(options: EvaluateOptions, rows: Sequence[PolicyFigures]) -> None:
    write_table(
        f"{options.checkpoint}, {options.split} images; exit thresholds from validation images",
        (*KNOBS, ">policy", ">threshold", ">accuracy", ">timesteps", ">tokens"),
        [
            (
                *_settings(row),
                row.point.policy,
                _threshold(row.point.threshold),
                f"{row.point.accuracy:.2%} ± {row.standard_error:.2%}",
                f"{row.point.average_timesteps:.2f}",
                f"{row.point.average_tokens:.3f}",
            )
            for row in rows
        ],
    )
    _write_adaptivity(rows)


def _write_adaptivity(rows: Sequence[PolicyFigures]) -> None:
    """Computation by difficulty, exits, and accuracy over t."""
    steps = f"1..{len(rows[0].exits)}"
    figures = (">easiest quarter", ">hardest", ">ratio", ">rank corr.", ">std")
    write_table(
        "does computation follow the image? (hard: the static network is unsure)",
        (*KNOBS, ">policy", *figures, f">exits at {steps}", f">accuracy at {steps}"),
        [
            (
                *_settings(row),
                row.point.policy,
                *_adaptivity(row.adaptivity),
                " ".join(f"{share:.2f}" for share in row.exits),
                " ".join(f"{accuracy:.1%}" for accuracy in row.accuracy_at_t),
            )
            for row in rows
        ],
    )


def _settings(row: PolicyFigures) -> tuple[str, str]:
    """The cells of KNOBS; empty where no similarity decides what merges."""
    return f"{row.epsilon:g}", f"{row.merge_threshold:g}" if row.merge_threshold else ""


def _adaptivity(found: Adaptivity | None) -> list[str]:
    if found is None:
        return ["?"] * 5
    numbers = (f"{found.easiest:.3f}", f"{found.hardest:.3f}", f"{found.ratio:.2f}")
    return [*numbers, f"{found.rank_correlation:.2f}", f"{found.deviation:.3f}"]
