"""`python -m export compare`, with Polygraphy; engines run in a fake TensorRT."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytest.importorskip(
    "polygraphy", reason="Polygraphy is not installed: pip install 'spikehalt[compare]'"
)

from export.__main__ import main
from export.bundle.write import export_bundle
from export.engines.build import build_engines
from export.engines.profiles import BatchRange
from export.engines.targets.base import EngineOptions
from export.engines.targets.choose import open_target
from export.options import ExportOptions
from plugins.libraries import FOLDER_VARIABLE
from runtime.bundle.read import Bundle
from tests.export.dyadic import pictures
from tests.fakes.bundles import write_checkpoint, write_small_bundle
from tests.fakes.install import install
from train.checkpoint import load_checkpoint, save_checkpoint

pytestmark = pytest.mark.filterwarnings("ignore:.*:DeprecationWarning:polygraphy")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Six pictures in two class folders."""
    for number, pixels in enumerate(pictures(6)):
        folder = tmp_path / "images" / str(number % 2)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path / "images"


def compare(bundle: Bundle, images: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    out = bundle.root.with_suffix(".compare.json")
    status = main(
        ["compare", str(bundle.root), "--images", str(images), "--batch", "4", *arguments]
    )
    return status, json.loads(out.read_text()) if out.exists() else {}


def test_int8_of_either_form_is_exported_again_as_it_was(tmp_path: Path, images: Path) -> None:
    for layout, qdq in (("packed", False), ("dense", True)):
        bundle = write_small_bundle(tmp_path / layout, layout, precision="int8", qdq=qdq)
        result = compare(bundle, images, "--count", "2", "--top1", "0", "--exits", "0")[1]
        assert result["same_graphs"] is True
        assert result["agreements"]["onnxruntime"]["flips"] is not None


def test_an_instrumented_bundle_is_exported_again_with_its_counts(
    tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = write_checkpoint(tmp_path / "small.pt")
    bundle = export_bundle(checkpoint, options=ExportOptions(layout="dense", instrument=True))
    status, result = compare(bundle, images, "--count", "2")
    assert status == 0 and result["same_graphs"] is True
    assert result["agreements"]["onnxruntime"]["flips"] == 0.0
    assert "other graphs" not in capsys.readouterr().err


def test_a_bundle_whose_model_drops_tokens_is_refused(
    tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exports before dropping was refused compute another function than the checkpoint."""
    bundle = write_small_bundle(tmp_path, "dense", mode="none")
    path = bundle.root / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["model"]["drop"] = {"kind": "anchor", "keep": [1.0, 0.5]}
    path.write_text(json.dumps(manifest))
    for spikes in ("0", "4"):
        assert compare(bundle, images, "--spikes", spikes) == (2, {})
        assert "drop.kind 'anchor' is a baseline" in capsys.readouterr().err


@pytest.mark.parametrize(("layout", "precision"), [("packed", "fp32"), ("lagged", "fp16")])
def test_pytorch_and_onnx_runtime_agree(
    tmp_path: Path,
    images: Path,
    layout: str,
    precision: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bundle = write_small_bundle(tmp_path, layout, precision=precision)
    status, result = compare(bundle, images, "--policy", "entropy", "--threshold", "0.9")
    assert status == 0 and result["agrees"] is True
    assert (result["reference"], result["images"], result["same_graphs"]) == ("pytorch", 6, True)
    found = result["agreements"]["onnxruntime"]
    assert (found["top1"], found["exits"], found["flips"]) == (1.0, 1.0, 0.0)
    assert found["worst_neuron"].startswith("block")
    assert set(result["left_out"]) == {"onnxruntime-native", "tensorrt", "tensorrt-rtx"}
    out, err = capsys.readouterr()
    assert "flipped spikes" in out and "note: left out: tensorrt:" in err


def test_disagreement_is_status_1_and_says_what(
    tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_small_bundle(tmp_path, "dense")
    other = write_checkpoint(tmp_path / "other.pt", pixel_mean=(0.3,), pixel_std=(0.2,))
    shutil.copy(other, tmp_path / "small.pt")
    from train.checkpoint import load_checkpoint, save_checkpoint

    loaded = load_checkpoint(tmp_path / "small.pt")
    loaded.weights["blocks.0.mlp.fc1.linear.weight"][:] = 0
    save_checkpoint(tmp_path / "small.pt", loaded)
    status, result = compare(bundle, images)
    assert status == 1 and result["agrees"] is False and result["same_graphs"] is False
    assert "median logit error" in result["violations"]["onnxruntime"][0]
    out, err = capsys.readouterr()
    assert "onnxruntime disagrees: " in out and "gives other graphs" in err


def test_json_is_what_the_file_has(
    tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_small_bundle(tmp_path, "dense")
    out = tmp_path / "own.json"
    assert compare(bundle, images, "--json", "--out", str(out)) == (0, {})
    printed = capsys.readouterr().out
    assert json.loads(printed)["agrees"] is True and out.read_text() == printed


def test_tolerances_can_be_given(tmp_path: Path, images: Path) -> None:
    bundle = write_small_bundle(tmp_path, "dense")
    assert compare(bundle, images, "--logits", "-1")[0] == 1
    status, result = compare(bundle, images, "--logits", "0.5", "--top1", "0.5")
    assert status == 0
    assert (result["tolerance"]["logits"], result["tolerance"]["top1"]) == (0.5, 0.5)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_native_ops_are_compared_where_they_are_built(
    tmp_path: Path,
    images: Path,
    native_library: Path,
    monkeypatch: pytest.MonkeyPatch,
    precision: str,
) -> None:
    bundle = write_small_bundle(tmp_path, "packed", precision=precision)
    asked = ("--with", "onnxruntime", "onnxruntime-native", "--spikes", "4")
    assert main(["compare", str(bundle.root), "--images", str(images), *asked]) == 2

    monkeypatch.setenv(FOLDER_VARIABLE, str(native_library.parent))
    status, result = compare(bundle, images, *asked)
    assert status == 0 and result["reference"] == "onnxruntime"
    found = result["agreements"]["onnxruntime-native"]
    assert (found["top1"], found["flips"], found["live_tokens"]) == (1.0, 0.0, 0.0)


@pytest.mark.parametrize("flavour", ["tensorrt", "tensorrt-rtx"])
def test_engines_are_compared_and_their_spikes_seen(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch, flavour: str
) -> None:
    version = "10.13.3.9" if flavour == "tensorrt" else "1.7.1.116"
    install(monkeypatch, tmp_path, flavour=flavour, version=version)
    options = EngineOptions(batch=BatchRange(1, 2, 4))
    counting = flavour == "tensorrt"  # spikes are seen in such a bundle's engines too
    whole = write_small_bundle(tmp_path, "lagged", instrument=counting)
    bundle = build_engines(whole, open_target(flavour, options), options)
    status, result = compare(bundle, images, "--spikes", "4")
    assert status == 0
    assert set(result["agreements"]) == {"onnxruntime", flavour, f"{flavour} spikes"}
    assert result["agreements"][flavour]["flips"] is None
    assert result["agreements"][f"{flavour} spikes"]["flips"] == 0.0
    before = set(Bundle.open(bundle.root).manifest.files)
    assert before == set(bundle.manifest.files), "the bundle must not change"


def test_engines_that_cannot_be_rebuilt_here_are_compared_without_spikes(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = install(monkeypatch, tmp_path)
    options = EngineOptions(batch=BatchRange(1, 2, 4))
    bundle = build_engines(
        write_small_bundle(tmp_path, "lagged"), open_target("tensorrt", options), options
    )
    world.refuse_build = "no builder on this machine"
    status, result = compare(bundle, images, "--with", "onnxruntime", "tensorrt")
    assert status == 0 and result["reference"] == "onnxruntime"
    assert "no builder on this machine" in result["left_out"]["tensorrt spikes"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--with", "onnxruntime"], "nothing to compare with"),
        (["--with", "pytorsch"], "did you mean 'pytorch'"),
        (["--policy", "halting"], "no calibrated threshold"),
        (["--checkpoint", "missing.pt"], "missing.pt does not exist"),
        (["--out", "/nope/x"], "cannot write /nope/x: there is no folder /nope; name another"),
    ],
)
def test_mistakes_are_status_2_and_one_sentence(
    tmp_path: Path,
    images: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    bundle = write_small_bundle(tmp_path, "dense")
    assert compare(bundle, images, *arguments) == (2, {})
    assert message in capsys.readouterr().err


def test_without_a_checkpoint_the_backends_are_compared(
    tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_small_bundle(tmp_path, "dense")
    (tmp_path / "small.pt").unlink()
    assert compare(bundle, images)[0] == 2
    assert "pytorch: there is no checkpoint" in capsys.readouterr().err


def test_a_checkpoint_of_another_model_is_refused(
    tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_small_bundle(tmp_path, "dense")
    other = write_checkpoint(tmp_path / "other.pt", depth=3)
    assert compare(bundle, images, "--checkpoint", str(other))[0] == 2
    assert "holds another model than the bundle" in capsys.readouterr().err


def test_a_checkpoint_whose_classes_have_another_order_is_refused(
    tmp_path: Path, images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = write_small_bundle(tmp_path, "dense")
    path = bundle.root.with_suffix(".pt")
    loaded = load_checkpoint(path)
    save_checkpoint(path, replace(loaded, classes=loaded.classes[::-1]))
    assert compare(bundle, images, "--checkpoint", str(path))[0] == 2
    assert "has other classes than the bundle" in capsys.readouterr().err
