"""`python -m train import`."""

from __future__ import annotations

from pathlib import Path

from spikehalt.console import say
from spikehalt.errors import ConfigError
from train.checkpoint import save_checkpoint
from train.cli.console import HelpAskedError, asks_for_help, take_option, take_positional
from train.cli.outputs import check_writable
from train.cli.parsing import parse
from train.config import ModelConfig
from train.importing import import_checkpoint
from train.models import NAMED_MODELS, named_model

_USAGE = "import FILE --arch NAME [--out CKPT] [--classes-file names.txt] [--key value …]"


def import_command(arguments: list[str]) -> int:
    """Bring in a published checkpoint."""
    path, rest = take_positional("the file", _USAGE, arguments)
    arch, rest = take_option("--arch", rest)
    out, rest = take_option("--out", rest)
    names, changes = take_option("--classes-file", rest)
    if arch is None:
        if asks_for_help(changes):
            raise HelpAskedError
        raise ConfigError(f"--arch is missing; one of {', '.join(NAMED_MODELS)}")
    prog = f"python -m train import {path}"
    model = parse(ModelConfig, changes, prog, default=named_model(arch))
    target = Path(out) if out else Path(path).with_suffix(".spikehalt.pt")
    check_writable(target, "--out", makes_folders=True)
    checkpoint = import_checkpoint(path, model, _class_names(names))
    save_checkpoint(target, checkpoint)
    count = sum(value.numel() for value in checkpoint.weights.values())
    say(
        f"placed {len(checkpoint.weights)} tensors ({count:,} values) of a "
        f"{checkpoint.metrics['imported_from']} checkpoint → {target}"
    )
    return 0


def _class_names(path: str | None) -> tuple[str, ...]:
    """One name per line."""
    if path is None:
        return ()
    try:
        return tuple(Path(path).read_text().splitlines())
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
