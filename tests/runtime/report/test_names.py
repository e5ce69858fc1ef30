"""Class and file names that would act on charts, spreadsheets or terminals do not."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from runtime.bundle import Bundle
from runtime.cli import main
from runtime.errors import BundleFormatError
from tests.runtime.conftest import MakeBundle
from tests.runtime.toy import toy_manifest

HOSTILE = ("=1+1", r"$\bad{$", "\x1b[31m\x9b1m\u202e")


@pytest.fixture
def hostile(make_bundle: MakeBundle) -> Bundle:
    count = len(toy_manifest().classes)
    return make_bundle(classes=(*HOSTILE, *map(str, range(count)))[:count])


@pytest.fixture
def pictures(tmp_path: Path, images: NDArray[np.uint8]) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    names = (r"$\bad{$", "x" * 250, "=1+1", "\x1b[31m")
    for name, image in zip(names, images, strict=False):
        Image.fromarray(image).save(folder / f"{name}.png")
    return folder


@pytest.mark.parametrize("ending", ["png", "svg", "gif"])
def test_a_chart_shows_dollars_as_they_are(
    hostile: Bundle, pictures: Path, tmp_path: Path, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / f"out.{ending}"
    picture = pictures / r"$\bad{$.png"
    assert main(["explain", str(hostile.root), str(picture), "--out", str(out)]) == 0
    assert out.stat().st_size > 1000
    assert "Warning" not in capsys.readouterr().err


def test_a_table_computes_nothing_and_long_names_stop_no_pictures(
    hostile: Bundle, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pictures)
    table, drawn = tmp_path / "out.csv", tmp_path / "drawn"
    files = sorted(each.name for each in pictures.iterdir())
    options = [
        "--csv",
        str(table),
        "--annotate",
        str(drawn),
        "--jsonl",
        str(tmp_path / "out.jsonl"),
    ]
    assert main(["run", str(hostile.root), *files, *options]) == 0
    rows = list(csv.reader(table.read_text("utf-8-sig").splitlines()))
    assert len(rows) == 1 + len(files) == 1 + len(list(drawn.iterdir()))
    cells = [cell for row in rows[1:] for cell in row]
    assert not any(cell.startswith("=") or "\x1b" in cell for cell in cells)
    assert "'=1+1.png" in cells
    assert not set("\x1b\x9b\u202e") & set((tmp_path / "out.jsonl").read_text("utf-8"))


@pytest.mark.parametrize(
    ("name", "message"),
    [("0", "more than once"), ("", "empty class name"), ("\udcff", r"no UTF-8 text, \\udcff")],
)
def test_names_that_tell_no_classes_apart_make_no_bundle(
    make_bundle: MakeBundle, name: str, message: str
) -> None:
    count = len(toy_manifest().classes)
    with pytest.raises(BundleFormatError, match=message):
        make_bundle(classes=(*map(str, range(count - 1)), name))
