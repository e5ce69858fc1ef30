"""What a run takes from the checkpoint that it starts from, and what it may change.

A resumable checkpoint (`last.pt`) is continued: changed settings hold from its position on, which
is kept in epochs; what cannot change in the middle is refused. A finished one lends its weights to
the phases after its own, whose settings are recorded as they were.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from spikehalt.console import note
from spikehalt.errors import ConfigError
from spikehalt.strict import build, differences, to_dict
from train.checkpoint import Checkpoint
from train.config import PhaseConfig, TrainConfig

PHASES = ("static", "halting")

# What no continued run can change, and why.
_FIXED = {
    "seed": "it decides which images are held out, and these would have been trained on",
    "data.validation_fraction": "the images held out would have been trained on",
    "data.test_fraction": "the images held out would have been trained on",
}
HEAD = ("head.weight", "head.bias")


def is_resumable(start: Checkpoint | None) -> bool:
    """Whether the run continues where `start` stopped."""
    return start is not None and start.training is not None


def phases_left(config: TrainConfig, start: Checkpoint | None) -> list[str]:
    """Configured phases that are still to run.

    Raises:
        ConfigError: there are none, or not the one in which `start` stopped.
    """
    names = [name for name in PHASES if getattr(config, name).epochs > 0]
    if start is not None and start.training is not None:
        stopped = start.training["phase"]
        if stopped not in names:
            raise ConfigError(
                f"the start checkpoint stopped in phase {stopped!r}, which this run leaves out: "
                f"set {stopped}.epochs above 0, or start from a finished one such as static.pt"
            )
        names = names[names.index(stopped) :]
    elif start is not None and start.phase in PHASES:
        names = [name for name in names if name == "halting"]
    if not names:
        raise ConfigError("no phase is left to train: set static.epochs or halting.epochs above 0")
    return names


def with_no_phase_behind(start: Checkpoint) -> Checkpoint:
    """The checkpoint's weights and classes, to train all phases from them."""
    return replace(start, phase="imported", training=None)


def with_new_head(start: Checkpoint) -> Checkpoint:
    """The checkpoint without its classifier's weights, to train all phases on other classes."""
    weights = {name: value for name, value in start.weights.items() if name not in HEAD}
    return replace(with_no_phase_behind(start), weights=weights, classes=())


def prepared(config: TrainConfig, start: Checkpoint | None) -> TrainConfig:
    """The configuration that the run really has.

    Raises:
        ConfigError: `start` cannot be continued with this configuration; the reason is given.
    """
    if start is None or not start.run:
        return config
    if start.training is not None:
        _check_continues(config, start)
    else:
        tell_of_seen_images(config, start)
    if not has_static_behind(start):
        return config
    static = build(PhaseConfig, start.run["static"], "static")
    if config.static not in (static, PhaseConfig(epochs=0)):
        note("the static phase is behind the start checkpoint, and recorded as it was there")
    return replace(config, static=static)


def check_asked(keys: Iterable[str], start: Checkpoint) -> None:
    """Refuse settings of a phase that is over.

    Args:
        keys: dotted, that the user gave.
        start: the checkpoint.

    Raises:
        ConfigError: one belongs to the static phase, which `start` has finished.
    """
    for key in keys:
        if key.startswith("static.") and has_static_behind(start):
            raise ConfigError(
                f"{key} has no effect: the start checkpoint has finished the static phase; "
                "leave it out, or train anew without --start"
            )


def has_static_behind(start: Checkpoint) -> bool:
    """Whether the static phase is over, as the start's own run had it."""
    if start.training is not None:
        return start.phase == "halting"
    return start.phase in PHASES


def tell_of_seen_images(config: TrainConfig, start: Checkpoint, whose: str = "the start's") -> None:
    """Say so where weights have been trained on images that a run holds out."""
    changes = changes_since(start, config)
    if not start.classes or "data.name" in changes:  # other images
        return
    for key in _FIXED:
        if key in changes:
            before, now = changes[key]
            note(
                f"{key} is {now}, and was {before} where {whose} weights were trained: if the "
                "images are the same, some that are held out here were trained on there, and the "
                f"validation accuracy is too high; keep {before} to measure it"
            )


def _check_continues(config: TrainConfig, start: Checkpoint) -> None:
    changes = changes_since(start, config)
    for key, reason in _FIXED.items():
        if key in changes:
            before, now = changes[key]
            raise ConfigError(
                f"{key} is {now}, and was {before} in the run that is continued: {reason}; keep "
                f"{before}, or start from a finished checkpoint such as static.pt"
            )
    depth = start.model.depth
    if config.model.depth != depth:
        raise ConfigError(
            f"model.depth is {config.model.depth}, and the network that is continued has {depth} "
            "blocks: train another one from the beginning"
        )
    with_modules = [bool(run["loss"]["surrogate_modules"]) for run in (start.run, to_dict(config))]
    if with_modules[0] != with_modules[1]:
        raise ConfigError(
            "loss.surrogate_modules adds or removes networks, which cannot be done while a phase "
            "is continued; start from a finished checkpoint such as static.pt"
        )
    training: Mapping[str, Any] = start.training or {}
    name, epoch, step = training["phase"], training["epoch"], training["step"]
    if (epoch, step > 0) > (getattr(config, name).epochs, False):
        raise ConfigError(
            f"{name}.epochs is {getattr(config, name).epochs}, but epoch {epoch + bool(step)} of "
            "the run that is continued has begun: give more"
        )


def check_classes(config: TrainConfig, start: Checkpoint | None) -> None:
    """Refuse another number of classes than the start's head has.

    Raises:
        ConfigError: with both ways on.
    """
    if start is None or not start.classes or len(start.classes) == config.model.classes:
        return
    raise ConfigError(
        f"the start checkpoint knows {len(start.classes)} classes, and model.classes is "
        f"{config.model.classes}: set model.classes={len(start.classes)}, or train a new head with "
        "--new-head, which keeps all other weights"
    )


def history(config: TrainConfig, start: Checkpoint | None) -> list[dict[str, Any]]:
    """Where the run was continued with other settings so far, this time included.

    Returns:
        One `{"phase", "epoch", "step", "changed": {key: [before, now]}}` each, as finished
        checkpoints have it in their metrics.
    """
    if start is None or start.training is None:
        return []
    before = list(start.training.get("history", []))
    changes = changes_since(start, config)
    if not changes:
        return before
    said = ", ".join(f"{key} {now} (was {old})" for key, (old, now) in changes.items())
    note(f"continued with other settings: {said}")
    at = {name: start.training[name] for name in ("phase", "epoch", "step")}
    return [*before, {**at, "changed": changes}]


def changes_since(start: Checkpoint, config: TrainConfig) -> dict[str, list[Any]]:
    """Dotted keys whose values differ from the start's run, and both values; `out` is none."""
    found = differences(start.run, to_dict(config))
    return {key: values for key, values in found.items() if key != "out"}
