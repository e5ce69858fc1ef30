"""Output of commands: figures, and files that are checked before the work starts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikehalt.console import json_text, note, say, speaks, write_json
from spikehalt.errors import ConfigError
from spikehalt.files import put_file

if TYPE_CHECKING:
    from train.loop.run import RunResult
    from train.measure.evaluate import Evaluation


def check_writable(path: Path, option: str, *, makes_folders: bool = False) -> None:
    """Refuse a file that could not be written.

    Args:
        path: the file.
        option: the option that named it, for the message.
        makes_folders: missing folders above it will be made.

    Raises:
        ConfigError: it is a folder, lies in none, or may not be written; with what to do.
    """
    if path.is_dir():
        raise ConfigError(f"{option} {path} is a folder; name a file in it")
    above = next(p for p in path.absolute().parents if p.exists())
    if not above.is_dir():
        raise ConfigError(f"{option} {path}: {above} is no folder; name a file in one")
    if not makes_folders and not path.parent.is_dir():
        raise ConfigError(
            f"{option} {path}: the folder {path.parent} does not exist; make it, or name another"
        )
    if not os.access(path if path.exists() else above, os.W_OK):
        raise ConfigError(
            f"{option} {path} may not be written; name a file in a folder that you may write to"
        )


def give_figures(
    figures: Any, show: Callable[[], None], *, as_json: bool, out: Path | None = None
) -> None:
    """Print what a command found, and write it to a file.

    Args:
        figures: plain data.
        show: writes them to stdout as text.
        as_json: write them there as JSON instead.
        out: also write that JSON to this file.
    """
    if out is not None and speaks():
        put_file(out, json_text(figures), "figures")
    if as_json:
        write_json(figures)
    else:
        show()


def say_reached(result: RunResult) -> None:
    """Say what a run reached and what to do with it."""
    for phase, path in result.checkpoints.items():
        say_validated(phase, result.evaluations[phase], path)
    last = list(result.checkpoints.values())[-1]
    note(f"export it with: python -m export.to_trt {last} --onnx-only")


def say_validated(name: str, found: Evaluation, path: Path) -> None:
    """Say what a network does on its validation images, and where it was written."""
    say(
        f"{name}: validation accuracy {found.accuracy[-1]:.2%} ({found.accuracy[0]:.2%} at "
        f"t = 1), average tokens {found.average_tokens:.3f} → {path}"
    )
