"""`python -m runtime explain BUNDLE IMAGE -o FILE.png`: a picture of how one image was decided."""

from __future__ import annotations

import argparse
from pathlib import Path

from runtime.cli import options
from runtime.errors import InputError
from runtime.inputs.files import Sample, load_sample
from runtime.report.animation import animate
from runtime.report.explanation import draw, explain
from spikehalt import console
from spikehalt.errors import ConfigError
from spikehalt.files import put_file

KINDS = (".png", ".svg", ".pdf", ".gif")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    options.add_bundle(parser)
    parser.add_argument("image", metavar="IMAGE", help="an image, or event frames (.npz)")
    parser.add_argument(
        "-o", "--out", type=Path, required=True, metavar="FILE.png",
        help=f"the picture: {', '.join(KINDS)}; a .gif shows the patches die one by one",
    )  # fmt: skip
    parser.add_argument("--dark", action="store_true", help="a .gif for dark pages")
    options.add_exit(parser)
    options.add_files(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the image and draw the picture."""
    kind = arguments.out.suffix.lower()
    if kind not in KINDS:
        raise ConfigError(f"{arguments.out} must end in one of {', '.join(KINDS)}")
    options.check_output(arguments.out)
    with options.open_engine(arguments) as engine:
        spec = options.input_spec(arguments, engine.manifest.input)
        sample = _only(options.find([arguments.image], spec, arguments.split))
        explained = explain(engine, load_sample(sample, spec))
        bundle, notice = engine.manifest.name, engine.notice
    name = Path(sample.name).name
    title = f"{name} by {bundle}: {explained.answer}, {explained.probability:.3f}"
    if kind == ".gif":
        picture = animate(explained, dark=arguments.dark)
    else:
        picture = draw(explained, title, kind.removeprefix("."))
    put_file(arguments.out, picture, "picture")
    for note in filter(None, (explained.missing, notice)):
        console.note(note)
    console.say(
        f"{arguments.out}: {explained.answer} ({explained.probability:.3f}), left after timestep "
        f"{explained.left_after} of {explained.settings.max_timesteps}"
    )
    return 0


def _only(samples: list[Sample]) -> Sample:
    if len(samples) > 1:
        raise InputError(
            f"there are {len(samples)} files, one is explained at a time: name it, such as "
            f"{samples[0].name}"
        )
    return samples[0]
