"""`spikehalt run … --out DIR [--ray]`: many images, in shards, whose results are files."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from runtime.bulk.answer import Answering
from runtime.bulk.places import is_uri, shown
from runtime.bulk.results import Results
from runtime.bulk.rows import FORMATS
from runtime.bulk.run import Answerer, Summary, here, run_shards
from runtime.bulk.shards import digest, find_shards
from runtime.bundle import Bundle
from runtime.cli import options
from runtime.early_exit.settings import Overrides, resolve
from runtime.inputs.video import is_video
from spikehalt import console
from spikehalt.commands import DONE, NEGATIVE
from spikehalt.errors import ConfigError
from spikehalt.ray.cluster import add_ray

_KNOBS = ("policy", "threshold", "epsilon", "max_timesteps")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "--out", metavar="DIR",
        help="a file of results per shard, into a folder or s3://…; shards that have one are not "
        "run again",
    )  # fmt: skip
    parser.add_argument(
        "--format", choices=FORMATS, default="parquet", help="of these files (default parquet)"
    )
    parser.add_argument(
        "--shard", type=options.positive, default=1000, metavar="N",
        help="files of a shard (default 1000); a .tar or .parquet file is one",
    )  # fmt: skip
    add_ray(parser)


def run(arguments: argparse.Namespace) -> int:
    """Answer what has no results yet; 1 if an image could not be read."""
    _check(arguments)
    bundle = Bundle.open(
        arguments.bundle, public_key=arguments.public_key, min_release=arguments.min_release
    )
    settings = resolve(
        bundle.manifest, Overrides(**{name: getattr(arguments, name) for name in _KNOBS})
    )
    spec = options.input_spec(arguments, bundle.manifest.input)
    shards = find_shards(arguments.paths, spec, arguments.shard, arguments.split)
    plan = {
        "bundle": bundle.fingerprint,
        "settings": asdict(settings),
        "preprocessing": asdict(spec.preprocessing),
        "images": digest(shards),
    }
    how = Answering(
        options.engine_arguments(arguments), arguments.batch, arguments.format, spec.preprocessing
    )
    results = Results(arguments.out, arguments.format, plan)
    summary = run_shards(shards, results, _answerer(arguments, bundle, how))
    _show(summary, arguments)
    return NEGATIVE if summary.unread else DONE


def _check(arguments: argparse.Namespace) -> None:
    if arguments.out is None:
        raise ConfigError("--ray writes results into a folder: name it by --out DIR")
    for name in ("annotate", "jsonl", "csv"):
        if getattr(arguments, name) is not None:
            raise ConfigError(f"--{name} is not for --out: see --format")
    videos = [path for path in arguments.paths if is_video(path) and not is_uri(path)]
    if videos:
        raise ConfigError(f"--out is for images, and {videos[0]} is a video: run it by itself")


def _answerer(arguments: argparse.Namespace, bundle: Bundle, how: Answering) -> Answerer:
    if arguments.ray is None:
        return here(bundle, how)
    from runtime.ray.bulk import on_ray

    return on_ray(bundle, how, arguments.ray)


def _show(summary: Summary, arguments: argparse.Namespace) -> None:
    mean = summary.timesteps / summary.images if summary.images else None
    figures: dict[str, Any] = {
        "out": shown(arguments.out),
        "shards": summary.shards,
        "shards_before": summary.before,
        "images": summary.images,
        "unread": summary.unread,
        "average_timesteps": mean,
        "classes": dict(summary.classes.most_common()),
    }
    if arguments.json:
        console.write_json(figures)
        return
    before = f", {summary.before} of them before" if summary.before else ""
    console.say(f"{shown(arguments.out)}: {summary.shards} shards answered{before}")
    if mean is not None:
        console.say(f"{summary.images} images, {mean:.2f} timesteps on average")
    if summary.unread:
        console.note(f"{summary.unread} images could not be read, each says why in its row")
