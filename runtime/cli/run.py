"""`python -m runtime run BUNDLE IMAGES…`: classify images, folders or zips."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from runtime.bundle import InputSpec
from runtime.cli import options
from runtime.engine import Engine
from runtime.errors import InputError
from runtime.inputs.files import Sample, class_indices, load_sample
from runtime.results.result import ImageResult
from spikehalt import console
from spikehalt.commands import DONE, NEGATIVE

Row = tuple[Sample, ImageResult | InputError]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    options.add_bundle(parser)
    parser.add_argument("paths", metavar="IMAGES", nargs="+", help=options.IMAGES_HELP)
    options.add_exit(parser)
    options.add_batch(parser)
    options.add_files(parser)
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Classify and show; 1 if a file could not be read."""
    with options.open_engine(arguments, max_batch=arguments.batch) as engine:
        spec = options.input_spec(arguments, engine.manifest.input)
        samples = options.find(arguments.paths, spec, arguments.split)
        rows = list(_progress(engine, spec, samples, arguments.batch))
        show = _show_json if arguments.json else _show_table
        show(engine, rows)
    unread = sum(isinstance(answer, InputError) for _, answer in rows)
    if unread:
        console.note(f"{unread} of {len(rows)} files could not be read, each says why")
    return NEGATIVE if unread else DONE


def _progress(engine: Engine, spec: InputSpec, samples: list[Sample], size: int) -> Iterator[Row]:
    starts = range(0, len(samples), size)
    parts = [samples[start : start + size] for start in starts]
    steps = [len(part) for part in parts]
    for part in console.progress(parts, len(samples), "classifying", steps):
        yield from _classify(engine, spec, part)


def _classify(engine: Engine, spec: InputSpec, part: list[Sample]) -> list[Row]:
    """Answers in order; a file that cannot be read does not stop the others."""
    loaded: list[Any] = []
    for sample in part:
        try:
            loaded.append(load_sample(sample, spec))
        except InputError as error:
            loaded.append(error)
    good = [data for data in loaded if not isinstance(data, InputError)]
    answers = iter(engine(np.stack(good)) if good else ())
    rows = [data if isinstance(data, InputError) else next(answers) for data in loaded]
    return list(zip(part, rows, strict=True))


def _answers(rows: list[Row]) -> list[ImageResult]:
    return [answer for _, answer in rows if isinstance(answer, ImageResult)]


def summary(rows: list[Row], classes: Sequence[str]) -> dict[str, float | int | None]:
    """Means over images; energy is None if the bundle has no constants for it.

    Accuracy is None unless every file that was read lies in a folder with a class's name.
    """
    answers = _answers(rows)
    if not answers:
        return {"images": 0}
    read = [sample for sample, answer in rows if isinstance(answer, ImageResult)]
    energies = [each.energy_mj for each in answers if each.energy_mj is not None]
    return {
        "images": len(answers),
        "accuracy": _accuracy(read, answers, classes),
        "average_timesteps": float(np.mean([each.timesteps for each in answers])),
        "average_tokens": float(np.mean([each.average_tokens for each in answers])),
        "average_energy_mj": float(np.mean(energies)) if energies else None,
    }


def _accuracy(
    samples: list[Sample], answers: list[ImageResult], classes: Sequence[str]
) -> float | None:
    try:
        truth = class_indices(samples, classes)
    except InputError:
        return None
    return float(np.mean([each.label == label for each, label in zip(answers, truth, strict=True)]))


def _show_json(engine: Engine, rows: list[Row]) -> None:
    images = [
        {"path": sample.name, "error": str(answer)}
        if isinstance(answer, InputError)
        else {"path": sample.name, **answer.to_dict()}
        for sample, answer in rows
    ]
    console.write_json(
        {
            "bundle": engine.manifest.name,
            "backend": engine.info.name,
            "settings": asdict(engine.settings),
            "notice": engine.notice,
            "images": images,
            "summary": summary(rows, engine.manifest.classes),
        }
    )


def _show_table(engine: Engine, rows: list[Row]) -> None:
    console.write_table(
        f"{engine.manifest.name} on {engine.info.name}",
        ["file", "class", ">probability", ">timesteps", ">tokens", ">energy"],
        [_cells(sample, answer) for sample, answer in rows],
        _footer(summary(rows, engine.manifest.classes)),
    )
    if engine.notice:
        console.note(engine.notice)


def _cells(sample: Sample, answer: ImageResult | InputError) -> list[str]:
    if isinstance(answer, InputError):
        return [sample.name, f"error: {answer}", "", "", "", ""]
    tokens = f"{answer.average_tokens:.3f}"
    return [
        sample.name,
        answer.name,
        f"{answer.probability:.3f}",
        str(answer.timesteps),
        tokens,
        console.energy_text(answer.energy_mj),
    ]


def _footer(means: dict[str, float | int | None]) -> str:
    if not means["images"]:
        return "no image could be read"
    text = (
        f"{means['images']} image(s): {means['average_timesteps']:.2f} timesteps, "
        f"{means['average_tokens']:.3f} × K₀ tokens on average (K₀: before the first block)"
    )
    if means["accuracy"] is not None:
        text = f"{means['accuracy']:.2%} right by the folders' names; {text}"
    energy = means["average_energy_mj"]
    return text if energy is None else f"{text}, {console.energy_text(energy)} (estimated)"
