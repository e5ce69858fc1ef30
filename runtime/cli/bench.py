"""`python -m runtime bench BUNDLE`: speed and energy, early exit against all timesteps."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.bundle import InputSpec
from runtime.cli import options
from runtime.engine import Engine
from runtime.measure import Measured, measure, variants
from runtime.opening import processors
from runtime.sensors import EnergyMeter, open_sensor
from spikehalt import console
from spikehalt.commands import whole
from spikehalt.errors import ConfigError

MAX_ROUNDS = 10**6
MAX_NOISE = 2**28  # values, 1 GB as floats
DEFAULT_BATCHES, DEFAULT_COUNT = (1, 16), 32
NOISE = (
    "random noise stands in for images: how many tokens and timesteps it takes says nothing about "
    "real ones; give --images"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    options.add_bundle(parser)
    options.add_exit(parser)
    parser.add_argument("--batch", type=_sizes, metavar="N,…", help="images at once (default 1,16)")
    parser.add_argument("--stream", action="store_true", help="also one by one, as a stream")
    options.add_images(parser)
    options.add_count(parser, DEFAULT_COUNT)
    parser.set_defaults(count=None)  # 32, or as many as the largest batch takes
    parser.add_argument(
        "--rounds", type=whole(1, MAX_ROUNDS), default=7, metavar="N",
        help="times all images are run, of which medians are taken (default 7)",
    )  # fmt: skip
    options.add_energy(parser)
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure and show."""
    with options.open_engine(
        arguments, max_batch=max(arguments.batch or DEFAULT_BATCHES)
    ) as engine:
        images, note = _images(engine, arguments)
        fitting = [size for size in DEFAULT_BATCHES if size <= len(images)]
        batches = arguments.batch or fitting
        exits = engine.settings.threshold is not None
        compared = variants(batches, arguments.stream, _overrides(arguments), exits)
        meter = _meter(arguments.energy, engine)
        try:
            measured = measure(
                engine, images, compared, rounds=arguments.rounds, meter=meter, ticking=_ticking
            )
        finally:
            if meter is not None:
                meter.close()
        notes = [
            each for each in (note, engine.notice, _native_ops(engine), _threads(engine)) if each
        ]
        (_show_json if arguments.json else _show_table)(engine, measured, notes)
    return 0


def _overrides(arguments: argparse.Namespace) -> dict[str, Any]:
    names = ("policy", "threshold", "epsilon", "max_timesteps")
    return {name: getattr(arguments, name) for name in names}


def _native_ops(engine: Engine) -> str:
    """Whether ONNX Runtime has them, which decides the speed; empty for other backends."""
    said = engine.info.options.get("native ops")
    return "" if said is None else f"native ops: {said}"


def _threads(engine: Engine) -> str:
    """How many compute one operator; empty where the backend has none to choose."""
    said = engine.info.options.get("threads")
    return "" if said is None else f"threads: {said}, of {processors()} processors"


def _images(engine: Engine, arguments: argparse.Namespace) -> tuple[NDArray[Any], str]:
    spec = options.input_spec(arguments, engine.manifest.input)
    count = arguments.count or max(DEFAULT_COUNT, *(arguments.batch or [1]))
    if arguments.images is None:
        return _noise(spec, count), NOISE
    return options.load_images(arguments, spec, count), ""


def _noise(spec: InputSpec, count: int) -> NDArray[Any]:
    numbers = count * spec.height * spec.width * spec.channels * (spec.timesteps or 1)
    if numbers > MAX_NOISE:
        raise ConfigError(
            f"{count} images of noise have {numbers} values, at most {MAX_NOISE} are made: give a "
            "smaller --count or --batch, or --images"
        )
    rng = np.random.default_rng(0)
    if spec.kind == "image":
        return rng.integers(0, 256, (count, spec.height, spec.width, spec.channels), np.uint8)
    shape = (count, spec.timesteps or 1, spec.channels, spec.height, spec.width)
    return rng.random(shape, np.float32)


def _meter(kind: str | None, engine: Engine) -> EnergyMeter | None:
    return None if kind is None else EnergyMeter(open_sensor(kind, engine.info.device))


def _ticking(steps: Iterable[int], count: int) -> Iterator[int]:
    return console.progress(steps, count, "measuring", [1] * count)


def _show_json(engine: Engine, measured: list[Measured], notes: list[str]) -> None:
    console.write_json(
        {
            "bundle": engine.manifest.name,
            "backend": asdict(engine.info),
            "settings": asdict(engine.settings),
            "machine": {"processor": platform.machine(), "cpus": os.cpu_count()},
            "notes": notes,
            "measured": [asdict(each) for each in measured],
        }
    )


def _show_table(engine: Engine, measured: list[Measured], notes: list[str]) -> None:
    columns = ["variant", ">batch", ">ms per image", ">quartiles", ">images/s", ">timesteps"]
    columns += [">tokens", ">energy (estimated)", ">energy (measured)"]
    title = f"{engine.manifest.name} on {engine.info.name} {engine.info.version}"
    sizes = sorted({each.images_per_round for each in measured})
    rounds = f"medians over {measured[0].rounds} rounds of {' or '.join(map(str, sizes))} images"
    console.write_table(title, columns, [_cells(each) for each in measured], rounds)
    energy = {f"energy: {each.energy_note}" for each in measured}
    for note in [*notes, *sorted(energy - {"energy: not asked for"})]:
        console.note(note)


def _cells(each: Measured) -> list[str]:
    return [
        each.name,
        "stream" if each.batch == 0 else str(each.batch),
        f"{each.median_ms:.3f}",
        _quartiles(each),
        f"{each.images_per_s:.1f}",
        f"{each.average_timesteps:.2f}",
        f"{each.average_tokens:.3f}",
        console.energy_text(each.energy_estimated_mj),
        console.energy_text(each.energy_measured_mj),
    ]


def _quartiles(each: Measured) -> str:
    if each.low_ms is None or each.high_ms is None:
        return "too few rounds"
    return f"{each.low_ms:.3f}-{each.high_ms:.3f}"


def _sizes(text: str) -> list[int]:
    """Batch sizes such as 1,16, for argparse."""
    return [whole(1, options.MAX_BATCH)(part) for part in text.split(",")]
