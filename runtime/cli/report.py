"""`python -m runtime report BUNDLE IMAGES --out FILE.html`: a page about a bundle on some files."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

from runtime.bundle import Bundle
from runtime.cli import options
from runtime.cli.info import identity
from runtime.inputs.files import spread
from runtime.report import Other, collect, render
from spikehalt import console
from spikehalt.files import put_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    options.add_bundle(parser)
    parser.add_argument("data", metavar="IMAGES", help=options.IMAGES_HELP)
    parser.add_argument(
        "-o", "--out", type=Path, required=True, metavar="FILE.html", help="the page"
    )
    parser.add_argument(
        "--against", metavar="OTHER", help="another bundle, to compare with on the same files"
    )
    options.add_count(parser, 500)
    options.add_exit(parser)
    options.add_batch(parser)
    options.add_files(parser)
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the files and write the page."""
    options.check_output(arguments.out)
    bundle = Bundle.open(
        arguments.bundle, public_key=arguments.public_key, min_release=arguments.min_release
    )
    with ExitStack() as open_engines:
        engine = open_engines.enter_context(
            options.open_engine(arguments, max_batch=arguments.batch)
        )
        spec = options.input_spec(arguments, engine.manifest.input)
        samples = spread(options.find([arguments.data], spec, arguments.split), arguments.count)
        collected = collect(
            engine,
            samples,
            identity(bundle),
            batch=arguments.batch,
            spec=spec,
            against=_against(arguments, engine.manifest.name, open_engines),
            ticking=_ticking,
        )
    page = render(collected).encode("utf-8", "backslashreplace")  # names may be no text
    put_file(arguments.out, page, "report")
    if arguments.json:
        console.write_json(collected.data)
    else:
        console.say(f"{arguments.out}: {len(samples)} image(s)")
    return 0


def _against(arguments: argparse.Namespace, name: str, open_engines: ExitStack) -> Other | None:
    """The other bundle, run with the same options; bundles of one name go by their folders."""
    if arguments.against is None:
        return None
    given = argparse.Namespace(**{**vars(arguments), "bundle": arguments.against})
    engine = open_engines.enter_context(options.open_engine(given, max_batch=arguments.batch))
    names = (name, engine.manifest.name)
    if names[0] == names[1]:
        names = (Path(arguments.bundle).name, Path(arguments.against).name)
    return Other(engine, options.input_spec(arguments, engine.manifest.input), names)


def _ticking(starts: Iterable[int], count: int) -> Iterator[int]:
    return console.progress(starts, count, "running", [1] * count)
