"""`python -m runtime calibrate BUNDLE DATA`: find exit thresholds on labelled files."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runtime.bundle import Bundle, InputSpec, signature_notice, update_manifest
from runtime.calibration import Calibration, Goal, Observed, Point, calibrate
from runtime.calibration.goal import RULES
from runtime.calibration.plot import curves_svg
from runtime.cli import options
from runtime.engine import Engine
from runtime.errors import BundleIntegrityError
from runtime.inputs.files import Sample, batches, class_indices
from runtime.results.trajectory import Trajectory, join
from spikehalt import console
from spikehalt.commands import share
from spikehalt.exits import CALIBRATED, MAX_DROP, NEVER
from spikehalt.files import put_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    options.add_bundle(parser)
    parser.add_argument(
        "data", metavar="DATA", help="folder or zip of <class>/file; never the test images"
    )
    goal = parser.add_mutually_exclusive_group()
    goal.add_argument(
        "--max-drop", type=share, metavar="SHARE",
        help="accuracy that may be lost, as 0.005 or 0.5%% (the default)",
    )  # fmt: skip
    goal.add_argument("--timesteps", type=float, metavar="T", help="average timesteps wanted")
    parser.add_argument(
        "--confidence", type=float, metavar="P", help="promise --max-drop for new images, as 0.95"
    )
    parser.add_argument(
        "--rule", choices=RULES, default=RULES[0],
        help="how --confidence is shown (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--policy", nargs="+", action="extend", choices=[each.name for each in CALIBRATED],
        help="exit policies to calibrate (default: all)",
    )  # fmt: skip
    parser.add_argument(
        "--epsilon", type=float, nargs="+", action="extend", metavar="X",
        help="also try these ε (the bundle's own is always tried first)",
    )  # fmt: skip
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="save the curves")
    parser.add_argument("--dry-run", action="store_true", help="leave the bundle as it is")
    options.add_batch(parser)
    options.add_files(parser)
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Record, choose, show, and write the thresholds into the manifest."""
    goal = _goal(arguments)
    if arguments.plot is not None:
        options.check_output(arguments.plot)
    bundle = Bundle.open(
        arguments.bundle,
        verify=False,
        public_key=arguments.public_key,
        min_release=arguments.min_release,
    )
    observed = observe(arguments)
    found = calibrate(bundle.manifest, observed, goal, arguments.policy)
    if arguments.plot is not None:
        put_file(arguments.plot, curves_svg(found), "chart")
    if not arguments.dry_run:
        _update(bundle, found, Path(arguments.data).name)
    (_show_json if arguments.json else _show_table)(found, arguments.dry_run)
    return 0


def observe(arguments: argparse.Namespace) -> list[Observed]:
    """Trajectories of the labelled files, at the bundle's ε first."""
    with options.open_engine(
        arguments, policy=NEVER.name, epsilon=None, max_batch=arguments.batch
    ) as engine:
        manifest = engine.manifest
        spec = options.input_spec(arguments, manifest.input)
        samples = options.find([arguments.data], spec, arguments.split)
        labels = class_indices(samples, manifest.classes)
        options.note_lacking(labels, manifest.classes)
        epsilons = dict.fromkeys([manifest.halting.epsilon, *(arguments.epsilon or ())])
        trajectories = record(engine, spec, samples, list(epsilons), arguments)
    return [
        Observed(manifest=manifest, trajectory=trajectory, labels=labels, epsilon=epsilon)
        for epsilon, trajectory in trajectories.items()
    ]


def record(
    engine: Engine,
    spec: InputSpec,
    samples: list[Sample],
    epsilons: list[float],
    arguments: argparse.Namespace,
) -> dict[float, Trajectory]:
    """Trajectories of the samples at every ε; each file is decoded once."""
    parts: dict[float, list[Trajectory]] = {epsilon: [] for epsilon in epsilons}
    warm = False
    for data in _decoded(spec, samples, arguments.batch):
        if not warm:  # the first run of a graph allocates; it must not count as time
            engine.record(data)
            warm = True
        for epsilon in epsilons:
            parts[epsilon].append(engine.record(data, epsilon=epsilon))
    return {epsilon: join(recorded) for epsilon, recorded in parts.items()}


def _goal(arguments: argparse.Namespace) -> Goal:
    drop = arguments.max_drop
    if drop is None and arguments.timesteps is None:
        drop = MAX_DROP
    return Goal(
        max_drop=drop,
        timesteps=arguments.timesteps,
        confidence=arguments.confidence,
        rule=arguments.rule,
    )


def _decoded(spec: InputSpec, samples: list[Sample], size: int) -> Iterator[Any]:
    steps = [min(size, len(samples) - start) for start in range(0, len(samples), size)]
    parts = batches(samples, spec, size)
    for _, data in console.progress(parts, len(samples), "recording", steps):
        yield data


def _update(before: Bundle, found: Calibration, data: str) -> None:
    now = Bundle.open(before.root, verify=False)
    if now.fingerprint != before.fingerprint:
        raise BundleIntegrityError(
            f"{before.root} was changed while it was being calibrated: calibrate it again"
        )
    update_manifest(before.root, found.apply(now.manifest, data))
    notice = signature_notice(before.root)
    if notice:
        console.note(notice)


def _show_json(found: Calibration, dry_run: bool) -> None:
    console.write_json({"default": found.default, "written": not dry_run, **found.record()})


def _show_table(found: Calibration, dry_run: bool) -> None:
    columns = [
        "policy",
        ">threshold",
        ">ε (halting margin)",
        ">accuracy",
        ">drop",
        ">timesteps",
        ">tokens",
    ]
    rows = [_cells(found.reference), *(_cells(point) for point in found.chosen.values())]
    done = "not written (dry run)" if dry_run else "written into the bundle"
    footer = f"default policy {found.default!r}, {done}; method: {found.goal.method}"
    console.write_table(
        f"{found.reference.images} images", [*columns, ">energy", ">ms"], rows, footer
    )


def _cells(point: Point) -> list[str]:
    return [
        point.policy,
        "" if point.threshold is None else f"{point.threshold:.5g}",
        f"{point.epsilon:g}",
        f"{point.accuracy:.2%}",
        f"{point.drop:.2%}",
        f"{point.average_timesteps:.2f}",
        f"{point.average_tokens:.3f}",
        console.energy_text(point.energy_mj),
        "unknown" if point.time_ms is None else f"{point.time_ms:.3g}",
    ]
