from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from runtime import Engine
from runtime.bundle import Bundle, EnergySpec, sign_bundle
from runtime.cli import calibrate as command
from runtime.cli import main
from spikehalt import commands
from tests.runtime.conftest import MakeBundle

ENERGY = EnergySpec(once_mj=1.0, per_timestep_mj=0.5, per_token_mj=(0.1, 0.01), source="tests")


@pytest.fixture
def bundle(make_bundle: MakeBundle) -> Bundle:
    return make_bundle(energy=ENERGY)


@pytest.fixture
def data(tmp_path: Path, bundle: Bundle, images: NDArray[np.uint8]) -> Path:
    """Every image in the folder of what all timesteps answer."""
    with Engine(bundle) as engine:
        names = engine(images).names
    for number, (image, name) in enumerate(zip(images, names, strict=True)):
        folder = tmp_path / "data" / "val" / name
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{number:02}.png")
    return tmp_path / "data"


def test_thresholds_are_written_and_used(
    bundle: Bundle, data: Path, images: NDArray[np.uint8], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["calibrate", str(bundle.root), str(data), "--max-drop", "0%", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)

    with Engine(bundle.root) as engine:
        assert engine.settings.policy == report["default"]
        assert engine.notice is None
        timesteps = engine(images).timesteps
    chosen = report["chosen"][report["default"]]
    assert report["written"] is True
    assert timesteps.mean() == pytest.approx(chosen["average_timesteps"]) and timesteps.mean() < 4
    assert Bundle.open(bundle.root).manifest.exit.calibration["data"] == "data"


@pytest.mark.parametrize("signed", [False, True])
def test_a_signed_bundle_must_be_signed_again(
    bundle: Bundle, data: Path, signed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    if signed:
        sign_bundle(bundle.root, bytes(range(32)))

    assert main(["calibrate", str(bundle.root), str(data), "--json"]) == 0

    assert ("signature no longer fits" in capsys.readouterr().err) is signed


def test_a_dry_run_writes_nothing(
    bundle: Bundle, data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    arguments = ["calibrate", str(bundle.root), str(data), "--timesteps", "2", "--dry-run"]

    assert main([*arguments, "--epsilon", "0.5"]) == 0
    out = capsys.readouterr().out

    assert "not written (dry run)" in out and "12 images" in out
    assert "average timesteps" in out
    assert Bundle.open(bundle.root).fingerprint == bundle.fingerprint


def test_curves_are_plotted_with_time_and_energy(
    bundle: Bundle, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plot = tmp_path / "curves.svg"

    assert main(["calibrate", str(bundle.root), str(data), "--plot", str(plot), "--json"]) == 0
    root = ElementTree.fromstring(plot.read_text(encoding="utf-8"))

    titles = [each.get("aria-label", "") for each in root.iter("{http://www.w3.org/2000/svg}svg")]
    for what in ("timesteps", "tokens", "time per image (ms", "energy per image ("):
        assert any(what in title for title in titles)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--confidence", "0.95"], "12 images cannot support"),
        (["--split", "test"], "below a folder 'test'"),
        (["--timesteps", "2", "--confidence", "0.9"], "promise about max_drop"),
        (["--plot", "/nowhere/x.svg"], "cannot write"),
    ],
)
def test_what_cannot_be_done_leaves_the_bundle(
    bundle: Bundle,
    data: Path,
    extra: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["calibrate", str(bundle.root), str(data), "--json", *extra]) == 2
    assert message in capsys.readouterr().err
    assert Bundle.open(bundle.root).fingerprint == bundle.fingerprint


def test_folders_that_are_no_classes_are_refused(
    bundle: Bundle, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "val" / "red").rename(data / "val" / "crimson")

    assert main(["calibrate", str(bundle.root), str(data), "--json"]) == 2
    assert "'crimson'; its classes are red, green, blue" in capsys.readouterr().err


def test_a_bundle_replaced_meanwhile_is_not_touched(
    bundle: Bundle,
    data: Path,
    make_bundle: MakeBundle,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    observe = command.observe

    def replaced(arguments: object) -> object:
        observed = observe(arguments)  # type: ignore[arg-type]
        make_bundle(producer="another")
        return observed

    monkeypatch.setattr(command, "observe", replaced)
    assert main(["calibrate", str(bundle.root), str(data), "--json"]) == 2
    assert "changed while it was being calibrated" in capsys.readouterr().err
    assert Bundle.open(bundle.root).manifest.exit.default == "never"


@pytest.mark.parametrize(("text", "value"), [("0.5%", 0.005), ("0.02", 0.02), ("1%", 0.01)])
def test_drops_are_shares_or_percentages(text: str, value: float) -> None:
    assert commands.share(text) == pytest.approx(value)


def test_classes_without_files_are_named(
    bundle: Bundle, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(data / "val" / "green")
    assert main(["calibrate", str(bundle.root), str(data), "--max-drop", "5%", "--json"]) == 0
    assert "note: 1 of 3 classes have no files: green" in capsys.readouterr().err
