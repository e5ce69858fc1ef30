"""Figures of trained networks, from what the engine says of them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.common import trained
from benchmarks.common.table import Row
from benchmarks.common.trained import as_inputs, evaluated, images_of, summarise
from tests.train.samples import tiny_model, write_image
from train.config import DataConfig
from train.data import Split, load_data
from train.data.once import ReadOnce


def result() -> Any:
    return SimpleNamespace(
        labels=np.array([0, 1, 2, 1]),
        average_tokens=np.array([1.0, 0.5, 0.5, 0.4]),
        timesteps=np.array([1, 2, 2, 4]),
        energy_mj=np.array([0.1, 0.2, 0.3, 0.2]),
    )


def test_a_row_holds_averages_over_the_images() -> None:
    row = summarise("halting", result(), np.array([0, 1, 1, 1]), seconds=0.5)
    assert row == Row(
        "halting",
        {
            "accuracy": 0.75,
            "tokens": pytest.approx(0.6),
            "timesteps": 2.25,
            "images_per_s": 8.0,
            "energy_mj": pytest.approx(0.2),
        },
    )


def test_the_columns_show_millijoules_as_microjoules() -> None:
    row = summarise("halting", result(), np.array([0, 1, 1, 1]), seconds=0.5)
    shown = [column.shown(row) for column in evaluated(energy=".1f")]
    assert shown == ["halting", "75.00%", "0.600", "2.25", "8", "200.0"]
    assert [column.title for column in evaluated(energy=".2f")][-1] == "µJ/image"


def test_pixels_are_what_a_camera_gives() -> None:
    images = torch.arange(2 * 3 * 4 * 5, dtype=torch.uint8).reshape(2, 3, 4, 5)
    pixels = as_inputs(Split(images, torch.zeros(2, dtype=torch.int64)))
    assert pixels.shape == (2, 4, 5, 3) and pixels.dtype == np.uint8
    assert pixels.flags["C_CONTIGUOUS"]
    assert pixels[1, 2, 3, 0] == images[1, 0, 2, 3]


def test_the_zoos_images_are_split_as_when_it_was_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(trained, "load_data", lambda *given: asked.append(given))
    for phase in ("static", "halting"):
        images_of(trained.ZOO / "cifar10-small" / f"{phase}.pt", "images.zip")
    (data, _, seed), (again, _, same) = asked
    assert data.path == again.path == "images.zip"
    assert seed == same


def calibrated(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Stand-ins for the engine and the bundle; what they were given."""
    seen: dict[str, Any] = {}
    manifest = SimpleNamespace(halting=SimpleNamespace(epsilon=0.05))

    class Engine:
        def __init__(self, path: Path, policy: str) -> None:
            seen.update(path=path, policy=policy)
            self.manifest = manifest

        def __enter__(self) -> Engine:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def record(self, images: np.ndarray) -> str:
            seen["images"] = images
            return "trajectory"

    def calibrate(_: Any, observed: Any, goal: Any) -> Any:
        seen.update(observed=observed, goal=goal)
        return SimpleNamespace(apply=lambda manifest, where: f"{manifest} from the {where}")

    monkeypatch.setattr(trained, "Engine", Engine)
    monkeypatch.setattr(trained, "Observed", lambda **given: given)
    monkeypatch.setattr(trained, "calibrate", calibrate)
    monkeypatch.setattr(
        trained, "Bundle", SimpleNamespace(open=lambda _: SimpleNamespace(manifest="manifest"))
    )
    monkeypatch.setattr(trained, "update_manifest", lambda path, text: seen.update(written=text))
    return seen


def test_the_threshold_comes_from_all_timesteps_of_the_validation_images(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen = calibrated(monkeypatch)
    images = torch.zeros(3, 1, 2, 2, dtype=torch.uint8)
    trained.choose_threshold(tmp_path, Split(images, torch.tensor([0, 1, 1])))
    assert seen["policy"] == "never" and len(seen["images"]) == 3
    (observed,) = seen["observed"]
    assert observed["labels"].tolist() == [0, 1, 1] and observed["epsilon"] == 0.05
    assert seen["goal"].max_drop == 0.005
    assert seen["written"] == "manifest from the validation split"


def test_the_digits_are_trained_only_where_they_are_not_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data = SimpleNamespace(
        validation="validation",
        test=Split(torch.zeros(2, 1, 2, 2, dtype=torch.uint8), torch.zeros(2)),
    )
    done: list[str] = []
    monkeypatch.setattr(trained, "load_data", lambda *_: data)
    monkeypatch.setattr(
        trained, "train_and_export", lambda *_: done.append("trained") or {"halting": tmp_path}
    )
    monkeypatch.setattr(trained, "choose_threshold", lambda *_: done.append("calibrated"))
    monkeypatch.setattr(trained, "record", lambda folder, images: (folder, images.shape))
    assert trained.digits_replay(tmp_path) == (tmp_path, (2, 2, 2, 1))
    assert done == ["trained", "calibrated"]
    (tmp_path / "halting.pt").touch()
    trained.digits_replay(tmp_path)
    assert done == ["trained", "calibrated"]


def test_images_that_are_read_when_asked_for_are_inputs_too(tmp_path: Path) -> None:
    for index in range(3):
        write_image(tmp_path / "test" / "a" / f"{index}.png", np.full((8, 8), index, np.uint8))
        write_image(tmp_path / "train" / "a" / f"{index}.png", np.zeros((8, 8), np.uint8))
    config = DataConfig("folder", str(tmp_path), 0.5, stream=True, workers=0)
    images = as_inputs(ReadOnce(load_data(config, tiny_model(classes=1), 0).test))
    assert images.shape == (3, 8, 8, 1) and images[:, 0, 0, 0].tolist() == [0, 1, 2]
