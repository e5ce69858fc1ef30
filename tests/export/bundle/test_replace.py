"""Exporting to where a calibrated, signed or engine-carrying bundle lies."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from export.bundle.write import export_bundle
from export.options import ExportOptions
from export.to_trt import main
from runtime.bundle import Bundle, ExitSpec, add_files, update_manifest
from runtime.errors import BundleWriteError
from tests.export.dyadic import dyadic_config, dyadic_network
from train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint

CALIBRATED = ExitSpec(default="confidence", confidence=0.8, calibration={"data": "x"})
OTHER = ExportOptions(chunk=2)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint and its bundle."""
    network = dyadic_network(dyadic_config("spikformer", "isps", "block_time", 0))
    path = tmp_path_factory.mktemp("made") / "net.pt"
    classes = ("a", "b", "c", "d", "e")
    save_checkpoint(path, Checkpoint(network.config, network.state_dict(), classes, "halting"))
    export_bundle(path)
    return path


@pytest.fixture
def checkpoint(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made.parent, tmp_path / "work")
    return tmp_path / "work" / "net.pt"


@pytest.fixture
def bundle(checkpoint: Path) -> Bundle:
    return Bundle.open(checkpoint.with_suffix(".bundle"))


def calibrate(bundle: Bundle) -> None:
    update_manifest(bundle.root, dataclasses.replace(bundle.manifest, exit=CALIBRATED))


def test_the_same_graphs_again_keep_everything_that_belongs_to_them(
    checkpoint: Path, bundle: Bundle
) -> None:
    calibrate(bundle)
    add_files(bundle.root, {"first.engine": b"engine"})
    (bundle.root / "manifest.sig").write_bytes(b"0" * 64)
    (bundle.root / "NOTES.txt").write_text("mine")
    before = {path.name: path.read_bytes() for path in bundle.root.iterdir()}
    said: list[str] = []

    export_bundle(checkpoint, say=said.append)

    assert {path.name: path.read_bytes() for path in bundle.root.iterdir()} == before
    kept = "calibrated exit thresholds, a signature, NOTES.txt, first.engine"
    assert f"has these graphs already; kept: {kept}" in said[-1]


def test_the_same_graphs_take_on_what_the_checkpoint_says_otherwise(
    checkpoint: Path, bundle: Bundle
) -> None:
    calibrate(bundle)
    (bundle.root / "manifest.sig").write_bytes(b"0" * 64)
    renamed = dataclasses.replace(load_checkpoint(checkpoint), classes=("v", "w", "x", "y", "z"))
    save_checkpoint(checkpoint, renamed)
    said: list[str] = []

    manifest = export_bundle(checkpoint, say=said.append).manifest

    assert manifest.classes == ("v", "w", "x", "y", "z") and manifest.exit == CALIBRATED
    assert "its signature no longer fits" in said[-1]


@pytest.mark.parametrize(
    ("has", "told"),
    [
        ("thresholds", "calibrated exit thresholds"),
        ("signature", "a signature"),
        ("engine", "first.engine"),
        ("notes", "NOTES.txt"),
    ],
)
def test_other_graphs_replace_only_when_that_is_asked_for(
    has: str, told: str, checkpoint: Path, bundle: Bundle
) -> None:
    if has == "thresholds":
        calibrate(bundle)
    elif has == "engine":
        add_files(bundle.root, {"first.engine": b"engine"})
    else:
        name = {"signature": "manifest.sig", "notes": "NOTES.txt"}[has]
        (bundle.root / name).write_bytes(b"0" * 64)
    before = {path.name: path.read_bytes() for path in bundle.root.iterdir()}
    said: list[str] = []

    with pytest.raises(BundleWriteError, match=f"has {told}, which .* --force"):
        export_bundle(checkpoint, options=OTHER)
    assert {path.name: path.read_bytes() for path in bundle.root.iterdir()} == before

    replaced = export_bundle(checkpoint, options=OTHER, say=said.append, force=True)
    assert replaced.manifest.chunk == 2 and replaced.manifest.exit == ExitSpec()
    assert told in said[-1]


def test_a_plain_or_damaged_bundle_is_replaced_without_asking(
    checkpoint: Path, bundle: Bundle
) -> None:
    assert export_bundle(checkpoint, options=OTHER).manifest.chunk == 2
    (bundle.root / "first.onnx").write_bytes(b"")
    assert export_bundle(checkpoint).manifest.chunk == 1


def test_thresholds_of_a_bundle_with_a_damaged_graph_are_not_lost_unasked(
    checkpoint: Path, bundle: Bundle
) -> None:
    calibrate(bundle)
    graph = bundle.root / "first.onnx"
    graph.write_bytes(graph.read_bytes()[:-1] + b"x")
    with pytest.raises(BundleWriteError, match="calibrated exit thresholds"):
        export_bundle(checkpoint)
    export_bundle(checkpoint, force=True)
    assert Bundle.open(bundle.root).manifest.exit == ExitSpec()


def test_the_command_asks_for_force(
    checkpoint: Path, bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    calibrate(bundle)
    asked = [str(checkpoint), "--target", "onnx", "--chunk", "2"]
    assert main(asked) == 2
    assert "calibrated exit thresholds" in capsys.readouterr().err
    assert main([*asked, "--force"]) == 0
    assert "replaced" in capsys.readouterr().err
