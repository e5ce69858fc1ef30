"""`python -m export compare BUNDLE --images …`: do all ways of running a bundle agree?

Runs the checkpoint in PyTorch and the bundle in ONNX Runtime (with function bodies, and with native
ops where they are built) and in every TensorRT whose engines are in it and run here, on the same
images, and compares each with the first. Exit status 0: all agree within the tolerances; 1: they do
not; 2: an error.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from export.comparison.checks import output_file
from export.comparison.measures import TOLERANCES, Agreement, ExitRule, Tolerance
from export.errors import ExportError, UnsupportedError
from runtime.backends.onnxruntime.native_ops import choose_native_ops
from runtime.backends.registry import SessionOptions, why_not
from runtime.bundle.manifest import Manifest
from runtime.bundle.read import Bundle
from runtime.cli import options
from runtime.early_exit.settings import Overrides, resolve
from spikehalt.commands import DONE, NEGATIVE, whole
from spikehalt.console import note, say, write, write_table
from spikehalt.errors import MissingExtraError
from spikehalt.extras import missing
from spikehalt.files import beside
from spikehalt.strict import unknown_name

if TYPE_CHECKING:  # a Jetson has no PyTorch: there the bundle's own backends are compared
    from train.models import SpikingTransformer

PYTORCH, ONNXRUNTIME, NATIVE = "pytorch", "onnxruntime", "onnxruntime-native"
ENGINES = ("tensorrt", "tensorrt-rtx")
RUNNERS = (PYTORCH, ONNXRUNTIME, NATIVE, *ENGINES)


def add_arguments(p: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    p.add_argument("bundle", metavar="BUNDLE", type=Path, help=options.BUNDLE_HELP)
    options.add_images(p, required=True)
    options.add_count(p, 64)
    options.add_batch(p, 8)
    p.add_argument(
        "--spikes",
        type=whole(0),
        default=16,
        metavar="N",
        help="images whose spikes count (default 16)",
    )
    p.add_argument(
        "--checkpoint", type=Path, metavar="CKPT",
        help="that the bundle was exported from (default: BUNDLE's name with .pt)",
    )  # fmt: skip
    p.add_argument("--with", dest="runners", nargs="+", metavar="NAME", help=", ".join(RUNNERS))
    options.add_policy(p)
    for each in dataclasses.fields(Tolerance):
        p.add_argument(f"--{each.name}", type=float, metavar="X", help="tolerance")
    p.add_argument(
        "--out", type=Path, metavar="FILE",
        help="everything as JSON (default: BUNDLE's name with .compare.json)",
    )  # fmt: skip
    options.add_json(p)


@dataclass
class _Setup:
    """What is known before anything runs."""

    arguments: argparse.Namespace
    bundle: Bundle
    network: SpikingTransformer | None
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def manifest(self) -> Manifest:
        return self.bundle.manifest


def run(arguments: argparse.Namespace) -> int:
    """Run the parsed command; returns the exit status.

    Raises:
        ExportError: an argument that cannot be, too few runners, or a checkpoint that is not the
            bundle's.
        SpikehaltError: the bundle or the images cannot be used.
    """
    bundle = Bundle.open(arguments.bundle)
    target = output_file(arguments, bundle)
    setup = _Setup(arguments, bundle, _network(arguments, bundle.manifest))
    if setup.network is None:
        setup.left_out[PYTORCH] = "there is no checkpoint (--checkpoint), so no spikes either"
    spec = options.input_spec(arguments, bundle.manifest.input)
    data = options.load_images(arguments, spec, arguments.count)
    rule = exit_rule(arguments, bundle.manifest)
    with tempfile.TemporaryDirectory(prefix="spikehalt-compare-") as folder:
        comparison = _compare(setup, data, rule, Path(folder))
    comparison.save(target)
    _remark(comparison)
    if arguments.json:
        write(comparison.to_json())
    else:
        _show(comparison)
        say(f"written to {target}")
    return NEGATIVE if comparison.violations else DONE


def exit_rule(arguments: argparse.Namespace, manifest: Manifest) -> ExitRule:
    """The policy whose exits are compared.

    Raises:
        ConfigError: a policy the bundle cannot follow.
    """
    asked = Overrides(policy=arguments.policy, threshold=arguments.threshold)
    settings = resolve(manifest, asked)
    return ExitRule(policy=settings.policy, threshold=settings.threshold)


def tolerance(arguments: argparse.Namespace, manifest: Manifest) -> Tolerance:
    """The precision's tolerances, with what was given in their place."""
    given = {
        each.name: getattr(arguments, each.name)
        for each in dataclasses.fields(Tolerance)
        if getattr(arguments, each.name) is not None
    }
    return dataclasses.replace(TOLERANCES[manifest.precision], **given)


def _network(arguments: argparse.Namespace, manifest: Manifest) -> SpikingTransformer | None:
    path = arguments.checkpoint or beside(arguments.bundle, ".pt")
    if arguments.checkpoint is None and not path.is_file():
        return None
    from export.comparison.checkpoint import load_network

    return load_network(manifest, path)


def _compare(setup: _Setup, data: NDArray[Any], rule: ExitRule, folder: Path) -> Any:
    try:
        from export.comparison.report import compare_runners
    except ImportError as error:
        raise MissingExtraError(missing(error, "compare", "comparing")) from error

    runners = _runners(setup, folder)
    if len(runners) < 2:
        reasons = "; ".join(f"{name}: {why}" for name, why in setup.left_out.items())
        raise UnsupportedError(f"there is nothing to compare with: {reasons}")
    return compare_runners(
        runners, data, rule, tolerance(setup.arguments, setup.manifest),
        bundle=str(setup.bundle.root), left_out=setup.left_out, same_graphs=_same_graphs(setup),
    )  # fmt: skip


def _same_graphs(setup: _Setup) -> bool | None:
    if setup.network is None:
        return None
    from export.comparison.checkpoint import gives_same_graphs

    return gives_same_graphs(setup.bundle, setup.network)


def _spying_models(setup: _Setup) -> Any:
    """The bundle's graphs with every spike given out; None without a checkpoint."""
    if setup.network is None or setup.arguments.spikes == 0:
        return None
    from export.comparison.checkpoint import export_again

    return export_again(setup.bundle, setup.network, spikes=True)


def _runners(setup: _Setup, folder: Path) -> list[Any]:
    """Those that can run, the reference first; why the others cannot goes into `left_out`."""
    from export.comparison.runners import Batches, BundleRunner

    asked = setup.arguments.runners or RUNNERS
    for name in asked:
        if name not in RUNNERS:
            raise UnsupportedError(unknown_name("runner", name, RUNNERS))
    batches = Batches(setup.arguments.batch, setup.arguments.spikes)
    models = _spying_models(setup)
    runners: list[Any] = []
    if PYTORCH in asked and setup.network is not None:
        from export.comparison.pytorch import PytorchRunner

        runners.append(PytorchRunner(setup.manifest, setup.network, batches))
    if ONNXRUNTIME in asked:
        runners.append(BundleRunner(setup.bundle, ONNXRUNTIME, batches, models))
    if NATIVE in asked:
        problem = _no_native_ops(setup.manifest)
        if problem:
            setup.left_out[NATIVE] = problem
        else:
            runners.append(
                BundleRunner(
                    setup.bundle, ONNXRUNTIME, batches, models, name=NATIVE, native_ops=True
                )
            )
    for name in (n for n in ENGINES if n in asked):
        problem = why_not(name, setup.bundle, SessionOptions())
        if problem:
            setup.left_out[name] = problem
        else:
            runners += _engine_runners(setup, name, batches, models, folder)
    return runners


def _no_native_ops(manifest: Manifest) -> str | None:
    """Why ONNX Runtime cannot run the bundle with native ops; None if it can."""
    import onnxruntime

    chosen = choose_native_ops(onnxruntime, wanted=None, device="cpu", precision=manifest.precision)
    return None if chosen.path else chosen.why.removeprefix("none: ")


def _engine_runners(setup: _Setup, name: Any, batches: Any, models: Any, folder: Path) -> list[Any]:
    """The bundle's own engines; and, where they can be built here, engines that show spikes."""
    from export.comparison.runners import BundleRunner, SpyingEngineRunner
    from export.comparison.spying_engines import build_spying

    runners: list[Any] = [BundleRunner(setup.bundle, name, batches)]
    if models is None:
        return runners
    try:
        spying = build_spying(setup.bundle, models, name, batches.size, folder)
    except ExportError as error:
        setup.left_out[f"{name} spikes"] = str(error)
        return runners
    return [*runners, SpyingEngineRunner(spying, name, batches, name=f"{name} spikes")]


def _remark(comparison: Any) -> None:
    """What was left out, and what else one has to know to read the figures."""
    for name, why in comparison.left_out.items():
        note(f"left out: {name}: {why}")
    if comparison.same_graphs is False:
        note("exporting the checkpoint again gives other graphs than the bundle's")


def _show(comparison: Any) -> None:
    """One column per runner, then what disagrees."""
    agreements = comparison.agreements
    rows = [[title, *map(cell, agreements.values())] for title, cell in _rows(comparison.rule)]
    title = f"{comparison.images} images, against {comparison.reference}"
    write_table(title, ["", *(f">{name}" for name in agreements)], rows)
    for name, problems in comparison.violations.items():
        say(f"{name} disagrees: {'; '.join(problems)}")


def _rows(rule: ExitRule) -> list[tuple[str, Callable[[Agreement], str]]]:
    """Title and cell of every row."""
    return [
        ("same class", lambda a: f"{a.top1:.4f}"),
        (f"same exit ({rule.policy})", lambda a: _share(a.exits)),
        ("live tokens, mean error", lambda a: f"{a.live_tokens:.3g}"),
        ("flipped spikes", lambda a: _share(a.flips)),
        ("most flipped", lambda a: a.worst_neuron or ""),
        ("", lambda a: _share(a.worst_flips) if a.worst_neuron else ""),
        ("logits, median error", lambda a: f"{a.logit_median:.3g}"),
        ("logits, largest error", lambda a: f"{a.logit_largest:.3g}"),
    ]


def _share(value: float | None) -> str:
    return "not seen" if value is None else f"{value:.4f}"
