"""The commands: what each is for, where it stands, and which extra brings what it imports."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """One word of the command line.

    Attributes:
        purpose: one line for the list.
        module: has `add_arguments` and `run`.
        extra: brings what the module imports.
    """

    purpose: str
    module: str
    extra: str


# Name, module, extra, purpose.
_ROWS = (
    ("train", "train.cli.run", "train", "train from a recipe"),
    ("resume", "train.cli.resume", "train", "continue a stopped training"),
    ("recipes", "train.cli.recipes", "train", "list the recipes"),
    ("evaluate", "train.cli.evaluate", "train", "accuracy, timesteps and tokens of a checkpoint"),
    ("energy", "train.cli.energy", "train", "estimated energy by module, from firing rates"),
    ("figure", "train.cli.figure", "train", "draw the papers' figures from checkpoints or runs"),
    ("sweep", "train.cli.sweep", "train", "train a grid of settings, or go on with one"),
    ("import", "train.cli.importing", "train", "turn a published checkpoint into one of ours"),
    ("adapt", "train.cli.adapt", "train", "let tokens halt in a network trained without halting"),
    ("average", "train.cli.average", "train", "one network from several: mean weights"),
    ("events", "train.cli.events", "train", "turn event-camera recordings into training frames"),
    ("export", "export.to_trt", "export", "a checkpoint to an ONNX bundle and engines"),
    ("compare", "export.comparison.command", "compare", "do all ways of running a bundle agree?"),
    ("trtexec", "export.engines.trtexec", "export", "write trtexec commands for a bundle's graphs"),
    ("run", "runtime.cli.run", "cli", "classify images, videos, cameras or streams"),
    ("info", "runtime.cli.info", "cli", "show what a bundle is"),
    ("bench", "runtime.cli.bench", "onnxruntime", "measure speed and energy"),
    ("calibrate", "runtime.cli.calibrate", "onnxruntime", "find exit thresholds on labelled files"),
    ("serve", "runtime.cli.serve", "serve", "answer over HTTP (Open Inference Protocol)"),
    ("live", "runtime.cli.live", "live", "watch a bundle at work on a local page"),
    ("triton", "runtime.cli.triton", "serve", "a model repository for Triton"),
    ("report", "runtime.cli.report", "onnxruntime", "one HTML page about a bundle on some files"),
    ("explain", "runtime.cli.explain", "figures", "draw which patches of an image lived how long"),
    ("verify", "runtime.cli.verify", "sign", "is a bundle whole, and signed by the key's owner?"),
    ("sign", "runtime.cli.sign", "sign", "sign a bundle"),
    (
        "doctor",
        "spikehalt.doctor.command",
        "cli",
        "what works on this machine, what brings the rest",
    ),
    ("plugins", "plugins.__main__", "onnxruntime", "build, list and test op libraries"),
)
COMMANDS = {name: Command(purpose, module, extra) for name, module, extra, purpose in _ROWS}


def of_package(package: str) -> dict[str, Command]:
    """The commands of one package, by name."""
    return {
        name: command
        for name, command in COMMANDS.items()
        if command.module.startswith(f"{package}.")
    }
