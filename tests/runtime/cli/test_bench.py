from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.bundle.read import Bundle
from runtime.cli import main
from tests.runtime.conftest import MakeBundle

QUICK = ["--count", "4", "--rounds", "2"]


def test_json_gives_every_variant(bundle: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["bench", str(bundle.root), "--batch", "1,4", "--stream", "--json", *QUICK]

    assert main([*command, "--policy", "halting", "--threshold", "1.5"]) == 0
    data = json.loads(capsys.readouterr().out)

    assert [(each["name"], each["batch"]) for each in data["measured"]][:2] == [
        ("early exit", 1),
        ("all timesteps", 1),
    ]
    assert len(data["measured"]) == 6
    assert all(each["median_ms"] > 0 for each in data["measured"])
    assert "random noise" in data["notes"][0]
    assert "native ops: none: " in data["notes"][-2] and "plugins build" in data["notes"][-2]
    assert data["notes"][-1].startswith("threads: ")


def test_the_table_says_what_was_measured(
    bundle: Bundle, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")

    assert main(["bench", str(bundle.root), "--batch", "2", *QUICK, "--energy", "nvml"]) == 0
    out, err = capsys.readouterr()

    assert "all timesteps" in out and "early exit" not in out  # not calibrated: nobody leaves
    assert "medians over 2 rounds of 4 images" in out
    assert "random noise" in err and "energy: nvml:" in err


def test_real_data_replaces_the_noise(
    make_bundle: MakeBundle,
    tmp_path: Path,
    frames: NDArray[np.float32],
    capsys: pytest.CaptureFixture[str],
) -> None:
    for number, sample in enumerate(frames):
        np.savez(tmp_path / f"{number}.npz", frames=sample)
    bundle = make_bundle(kind="frames")

    assert main(["bench", str(bundle.root), "--images", str(tmp_path), "--json", *QUICK]) == 0
    data = json.loads(capsys.readouterr().out)

    assert not any("noise" in note for note in data["notes"])
    assert {each["images_per_round"] for each in data["measured"]} == {4}


def test_event_noise_has_the_bundles_shape(
    make_bundle: MakeBundle, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = make_bundle(kind="frames", name="events.bundle")

    assert main(["bench", str(bundle.root), "--batch", "1", "--json", *QUICK]) == 0
    assert len(json.loads(capsys.readouterr().out)["measured"]) == 1


def test_only_the_bundle_need_be_named(bundle: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", str(bundle.root), "--rounds", "1", "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)["measured"]
    assert {(each["batch"], each["images_per_round"]) for each in measured} == {(1, 32), (16, 32)}


def test_more_noise_than_memory_holds_is_refused(
    bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", str(bundle.root), "--count", str(2**31 - 1)]) == 2
    assert "give a smaller --count or --batch, or --images" in capsys.readouterr().err
