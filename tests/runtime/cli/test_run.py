from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from runtime import Engine
from runtime.bundle import Bundle, ExitSpec
from runtime.cli import main
from spikehalt.datasets.preprocessing import Preprocessing
from tests.runtime.conftest import MakeBundle
from tests.runtime.toy import toy_manifest

Images = NDArray[np.uint8]


@pytest.fixture
def folder(tmp_path: Path, images: Images) -> Path:
    place = tmp_path / "pictures"
    place.mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image).save(place / f"{number:02}.png")
    return place


def test_json_gives_what_the_engine_gives(
    bundle: Bundle, folder: Path, images: Images, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["run", str(bundle.root), str(folder), "--json", "--batch", "5"]

    assert main([*command, "--policy", "halting", "--threshold", "1.5"]) == 0
    data = json.loads(capsys.readouterr().out)
    with Engine(bundle, policy="halting", threshold=1.5) as engine:
        expected = engine(images)

    assert [Path(each["path"]).name for each in data["images"]] == [
        f"{i:02}.png" for i in range(12)
    ]
    assert [each["label"] for each in data["images"]] == expected.labels.tolist()
    assert [each["timesteps"] for each in data["images"]] == expected.timesteps.tolist()
    assert data["summary"]["average_timesteps"] == pytest.approx(expected.timesteps.mean())
    assert data["summary"]["average_tokens"] == pytest.approx(expected.average_tokens.mean())
    assert data["summary"]["average_energy_mj"] is None
    assert data["settings"]["policy"] == "halting"


def test_the_table_lists_files_classes_and_means(
    bundle: Bundle,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "300")

    assert main(["run", str(bundle.root), str(folder / "00.png"), str(folder / "01.png")]) == 0
    out, err = capsys.readouterr()

    assert "00.png" in out and "01.png" in out and "green" in out
    assert "2 image(s): 4.00 timesteps" in out
    assert "python -m runtime calibrate" in err


def test_a_damaged_file_does_not_stop_the_others(
    bundle: Bundle, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "05.png").write_bytes(b"damaged")

    assert main(["run", str(bundle.root), str(folder), "--json"]) == 1
    out, err = capsys.readouterr()
    data = json.loads(out)

    errors = [each for each in data["images"] if "error" in each]
    assert len(errors) == 1 and "not a readable image" in errors[0]["error"]
    assert data["summary"]["images"] == 11
    assert "note: 1 of 12 files could not be read" in err


def test_event_files_are_classified(
    make_bundle: MakeBundle,
    frames: NDArray[np.float32],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bundle = make_bundle(kind="frames", exit=ExitSpec(default="entropy", entropy=0.9))
    np.savez(tmp_path / "a.npz", frames=frames[0])

    assert main(["run", str(bundle.root), str(tmp_path / "a.npz"), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    with Engine(bundle) as engine:
        assert data["images"][0]["label"] == engine(frames[0]).labels[0]


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--policy", "entropy"], "no calibrated threshold"),
        (["--epsilon", "2"], "epsilon 2.0"),
        (["--split", "test"], "below a folder 'test'"),
    ],
)
def test_an_error_is_one_sentence(
    bundle: Bundle,
    folder: Path,
    extra: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["run", str(bundle.root), str(folder), "--json", *extra]) == 2
    out, err = capsys.readouterr()

    assert out == "" and err.startswith("error: ") and message in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bench", "x", "--batch", "1,a"], "argument --batch: 'a' is not a whole number"),
        (["run", "x", "y", "--batch", "0"], "argument --batch: 0 is not in 1..65536"),
        (["calibrate", "x", "y", "--max-drop", "much"], "'much' is no share such as 0.005 or 0.5%"),
    ],
)
def test_a_number_that_is_none_is_quoted(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)

    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND; python -m runtime --help lists the"),
        (["fly"], "invalid choice: 'fly' (choose from"),
        (["run"], "are required: BUNDLE, SOURCE; python -m runtime run --help lists the arguments"),
    ],
)
def test_wrong_arguments_are_one_line_that_names_the_help(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)

    (line,) = capsys.readouterr().err.splitlines()
    assert stop.value.code == 2 and line.startswith("error: ") and message in line


def test_an_override_of_what_the_bundle_learned_says_so(
    make_bundle: MakeBundle, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    how = Preprocessing(fit="crop", interpolation="bicubic")
    bundle = make_bundle(input=replace(toy_manifest().input, preprocessing=how))
    command = ["run", str(bundle.root), str(folder / "00.png"), "--interpolation", "bicubic"]
    assert main([*command, "--fit", "resize", "--orientation", "stored"]) == 0
    notes = [line for line in capsys.readouterr().err.splitlines() if "overrides" in line]
    assert notes == [
        "note: --fit resize overrides the bundle's 'crop', which it learned",
        "note: --orientation stored overrides the bundle's 'upright', which it learned",
    ]


def test_the_bundle_prepares_pictures_as_it_learned_to(
    make_bundle: MakeBundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wide = np.zeros((4, 40, 3), np.uint8)
    wide[..., 0], wide[:, 18:22] = 90, (0, 0, 255)  # red, and blue in the middle
    Image.fromarray(wide).save(tmp_path / "wide.png")
    for fit, answer in (("resize", "red"), ("crop", "blue")):
        spec = replace(toy_manifest().input, preprocessing=Preprocessing(fit=fit))  # type: ignore[arg-type]
        bundle = make_bundle(f"{fit}.bundle", input=spec)
        assert main(["run", str(bundle.root), str(tmp_path / "wide.png"), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["images"][0]["name"] == answer


def test_what_is_left_out_is_noted(
    bundle: Bundle, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "x.psd").write_bytes(b"")
    assert main(["run", str(bundle.root), str(folder), "--json"]) == 0
    assert f"note: {folder}: 12 of 13 files read; skipped: 1 .psd" in capsys.readouterr().err


def test_labelled_folders_give_an_accuracy(
    bundle: Bundle, images: Images, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Engine(bundle) as engine:
        labels = engine(images).labels
    labels[:3] = (labels[:3] + 1) % 3
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        place = tmp_path / "data" / bundle.manifest.classes[label] / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place)

    assert main(["run", str(bundle.root), str(tmp_path / "data")]) == 0
    assert "75.00% right by the folders' names" in capsys.readouterr().out
    assert main(["run", str(bundle.root), str(tmp_path / "data"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["summary"]["accuracy"] == 0.75
    (tmp_path / "data" / "red").rename(tmp_path / "data" / "no class")
    assert main(["run", str(bundle.root), str(tmp_path / "data"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["summary"]["accuracy"] is None


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("option", ["--jsonl", "--csv"])
def test_a_full_disk_is_named_by_the_file_on_it(
    bundle: Bundle, folder: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    assert main(["run", str(bundle.root), str(folder), option, "/dev/full"]) == 2
    assert "error: /dev/full cannot be written: No space left" in capsys.readouterr().err
