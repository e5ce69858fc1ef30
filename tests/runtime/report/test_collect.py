from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from runtime import Engine
from runtime.bundle import Bundle, EnergySpec
from runtime.cli import main
from runtime.inputs.files import Sample, find_samples
from runtime.report import collect, render
from tests.runtime.conftest import MakeBundle

EXIT: dict[str, Any] = {"policy": "halting", "threshold": 1.5}


@pytest.fixture
def samples(tmp_path: Path, bundle: Bundle, images: NDArray[np.uint8]) -> list[Sample]:
    """Every image in the folder of what all timesteps answer, but for the first."""
    with Engine(bundle) as engine:
        labels = engine(images).labels
    labels[0] = (labels[0] + 1) % 3
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        folder = tmp_path / "data" / bundle.manifest.classes[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{number:02}.png")
    return find_samples([tmp_path / "data"], bundle.manifest.input)


def order(samples: list[Sample]) -> list[int]:
    return [int(Path(sample.name).stem) for sample in samples]


def test_figures_are_those_of_the_engine(
    bundle: Bundle, samples: list[Sample], images: NDArray[np.uint8]
) -> None:
    with Engine(bundle, **EXIT) as engine:
        expected = engine(images[order(samples)])
        data = collect(engine, samples, [("name", "toy")], batch=5).data

    summary = data["summary"]
    assert summary["images"] == 12
    assert summary["accuracy"] == pytest.approx(11 / 12)
    assert summary["average_timesteps"] == pytest.approx(expected.timesteps.mean())
    assert summary["average_tokens"] == pytest.approx(expected.average_tokens.mean())
    assert [each["images"] for each in data["exits"]] == [
        int((expected.timesteps == t).sum()) for t in (1, 2, 3, 4)
    ]
    assert [each["timesteps"] for each in data["images"]] == expected.timesteps.tolist()
    assert data["stats"]["images"] == 12
    assert json.loads(json.dumps(data, allow_nan=False)) == data


def test_live_share_counts_only_images_that_ran(bundle: Bundle, samples: list[Sample]) -> None:
    with Engine(bundle, **EXIT) as engine:
        shares = collect(engine, samples, []).data["live_share"]
        early = collect(engine, samples[:1], []).data
        nobody = Engine(bundle, policy="never", max_timesteps=2)
        cut = collect(nobody, samples, []).data["live_share"]
        nobody.close()

    assert [row[0] for row in shares] == [1.0] * 4  # block 1 runs every token
    assert all(row[1] <= 1.0 for row in shares)
    assert cut[2] == [None, None]
    assert early["summary"]["images"] == 1


def test_easy_images_leave_first_and_hard_ones_last(bundle: Bundle, samples: list[Sample]) -> None:
    with Engine(bundle, **EXIT) as engine:
        data = collect(engine, samples, []).data

    timesteps = [each["timesteps"] for each in data["images"]]
    easy = [timesteps[number] for number in data["groups"]["easy"]]
    hard = [timesteps[number] for number in data["groups"]["hard"]]
    assert easy == sorted(timesteps)[:6]
    assert hard == sorted(timesteps, reverse=True)[:6]


def test_what_cannot_be_shown_has_a_reason(
    make_bundle: MakeBundle, samples: list[Sample], tmp_path: Path
) -> None:
    (tmp_path / "data" / "red").rename(tmp_path / "data" / "crimson")
    bundle = make_bundle(live_masks=False)
    unlabelled = find_samples([tmp_path / "data"], bundle.manifest.input)

    with Engine(bundle, **EXIT) as engine:
        collected = collect(engine, unlabelled, [("name", "toy")])
    page = render(collected)

    assert collected.data["summary"]["accuracy"] is None and collected.data["curves"] is None
    assert collected.data["summary"]["energy_mj"] is None
    assert "'crimson'" in collected.data["reasons"]["accuracy"]
    assert "Not shown: toy was exported without live masks" in page
    assert "no energy constants" in page


def test_event_frames_are_pictured(
    make_bundle: MakeBundle, frames: NDArray[np.float32], tmp_path: Path
) -> None:
    bundle = make_bundle(kind="frames")
    (tmp_path / "events").mkdir()
    for number, sample in enumerate(frames):
        np.savez(tmp_path / "events" / f"{number}.npz", frames=sample)
    samples = find_samples([tmp_path / "events"], bundle.manifest.input)

    with Engine(bundle, **EXIT) as engine:
        page = render(collect(engine, samples, [("name", "toy")]))

    assert page.count("data:image/png;base64,") >= 10


def test_the_command_writes_the_page(
    bundle: Bundle, samples: list[Sample], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [str(bundle.root), str(tmp_path / "data")]
    command = ["report", *paths, "--out", str(tmp_path / "r.html")]

    assert main([*command, "--count", "5"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'r.html'}: 5 image(s)\n"
    assert (tmp_path / "r.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert main([*command[:-1], "/nowhere/r.html"]) == 2
    assert "there is no folder /nowhere" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("place", "message"), [("missing/page.html", "there is no folder"), (".", "it is a folder")]
)
def test_a_place_that_cannot_be_written_is_refused_before_any_work(
    bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str, message: str
) -> None:
    output = ["-o", str(tmp_path / place)]

    assert main(["report", str(bundle.root), str(tmp_path / "no data"), *output]) == 2
    assert message in capsys.readouterr().err


def test_every_figure_stands_beside_that_of_all_timesteps(
    make_bundle: MakeBundle, samples: list[Sample], images: NDArray[np.uint8]
) -> None:
    energy = EnergySpec(once_mj=1e-3, per_timestep_mj=1e-3, per_token_mj=(1e-6,) * 2, source="x")
    bundle = make_bundle(energy=energy)
    with Engine(bundle, **EXIT) as engine:
        collected = collect(engine, samples, [])
        full = engine(images[order(samples)], policy="never")
    data, page = collected.data, render(collected)

    base = data["all_timesteps"]
    assert base["average_timesteps"] == 4.0 > data["summary"]["average_timesteps"]
    assert full.energy_mj is not None
    assert base["energy_mj"] == pytest.approx(full.energy_mj.mean())
    assert base["average_tokens"] == pytest.approx(full.average_tokens.mean())
    ratio = data["summary"]["energy_mj"] / base["energy_mj"]
    assert f"{ratio:.2f} × all timesteps" in page and " µJ</b>" in page
    assert data["single"]["calls"] == 12 and "a call with one image" in page
    assert data["single"]["latency_ms"] > 0 < data["single"]["all_timesteps_latency_ms"]


def test_the_setting_in_use_is_marked_on_its_curve(bundle: Bundle, samples: list[Sample]) -> None:
    with Engine(bundle, **EXIT) as engine:
        data = collect(engine, samples, []).data
        page = render(collect(engine, samples, []))
    used = data["operating_point"]
    assert (used["policy"], used["threshold"]) == ("halting", 1.5)
    assert used in data["curves"]["halting"] and used not in data["curves"]["entropy"]
    assert used["average_timesteps"] == pytest.approx(data["summary"]["average_timesteps"])
    assert "The dot is the setting in use" in page and "<circle" in page
    with Engine(bundle, policy="never") as engine:
        collected = collect(engine, samples, [])
    assert collected.data["operating_point"] is None
    assert "<circle" not in render(collected)


def test_the_conditions_are_named(bundle: Bundle, samples: list[Sample]) -> None:
    with Engine(bundle, **EXIT, threads=1) as engine:
        rows = dict(collect(engine, samples, [], batch=5).data["conditions"])
    assert {"machine", "backend", "threads", "native ops", "batch", "date"} <= rows.keys()
    assert rows["threads"] == "1" and rows["batch"] == "5 images at once"
