from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture

from spikehalt.errors import MissingExtraError
from tests.train.samples import tiny_model
from train.config import DataConfig
from train.data import load_data
from train.errors import DataError


class Image:
    """Stands for `datasets.Image`, which is found by its name."""


class ClassLabel:
    def __init__(self, names: list[str]) -> None:
        self.names = names


class Part:
    """One part of a set: rows as dicts, columns by name."""

    def __init__(self, levels: list[int], fine: list[int]) -> None:
        self.features = {
            "img": Image(),
            "coarse": ClassLabel(["all"]),
            "fine": ClassLabel(["a", "b"]),
            "id": object(),
        }
        self.rows = [
            {
                "img": Picture.fromarray(np.full((8, 8, 3), level, np.uint8)),
                "coarse": 0,
                "fine": label,
            }
            for level, label in zip(levels, fine, strict=True)
        ]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Any) -> Any:
        return [row[key] for row in self.rows] if isinstance(key, str) else self.rows[key]

    def __iter__(self) -> Any:
        return iter(self.rows)


def parts() -> dict[str, Part]:
    return {"train": Part([10, 20, 30, 40], [0, 1, 0, 1]), "test": Part([200, 201], [1, 0])}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str | None], Any]:
    """Sets by (name, configuration), behind a module that stands for `datasets`."""
    sets: dict[tuple[str, str | None], Any] = {}
    module = types.ModuleType("datasets")
    module.load_dataset = lambda name, configuration: sets[name, configuration]  # type: ignore[attr-defined]
    module.load_from_disk = lambda path: sets[Path(path).name, None]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets", module)
    return sets


def read(path: str, **changes: Any) -> Any:
    model = tiny_model(channels=3, classes=2, **changes)
    return load_data(DataConfig("huggingface", path, 0.25), model, seed=0)


def test_images_and_the_finest_labels_are_found_by_their_types(
    hub: dict[tuple[str, str | None], Any], tmp_path: Path
) -> None:
    hub["someone/things", None] = hub["someone/things", "small"] = parts()
    hub[tmp_path.name, None] = parts()
    for path in ("someone/things", "someone/things:small", str(tmp_path)):
        data = read(path)
        assert data.classes == ("a", "b") and data.test.labels.tolist() == [1, 0]
        assert data.test.images[:, 0, 0, 0].tolist() == [200, 201]
        assert (len(data.train), len(data.validation)) == (3, 1)


def test_each_part_means_what_it_says(hub: dict[tuple[str, str | None], Any]) -> None:
    validated = parts() | {"validation": Part([100], [1])}
    hub["with/validation", None] = validated
    data = read("with/validation")
    assert (len(data.train), len(data.validation), len(data.test)) == (4, 1, 2)
    hub["only/train", None] = {"train": parts()["train"]}
    data = read("only/train")
    assert (len(data.train), len(data.validation), len(data.test)) == (3, 1, 0)


def test_labels_are_matched_by_name_and_kept_back_ones_leave_no_test_part(
    hub: dict[tuple[str, str | None], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    turned, hidden = parts(), parts()
    turned["test"].features["fine"].names = ["b", "a"]  # type: ignore[union-attr]
    hub["turned", None] = turned
    assert read("turned").test.labels.tolist() == [0, 1]
    hidden["test"] = Part([1, 2], [-1, -1])
    hub["hidden", None] = hidden
    assert len(read("hidden").test) == 0
    assert "part test is left out: 2 of its labels are withheld" in capsys.readouterr().err


def test_a_set_without_a_training_part_or_images_is_refused(
    hub: dict[tuple[str, str | None], Any],
) -> None:
    hub["only/test", None] = {"test": parts()["test"], "unsupervised": parts()["test"]}
    with pytest.raises(DataError, match="has the parts test, unsupervised, needs one called train"):
        read("only/test")
    texts = parts()
    del texts["train"].features["img"]
    hub["only/text", None] = texts
    with pytest.raises(DataError, match="has the columns coarse, fine, id; one of images"):
        read("only/text")
    with pytest.raises(DataError, match="un/known cannot be loaded"):
        read("un/known")


def test_without_the_package_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtraError, match=r"needs datasets, .*: pip install .*huggingface"):
        read("someone/things")
