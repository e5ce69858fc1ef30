from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("websockets", reason="the live page needs pip install 'spikehalt[live]'")

from benchmarks import live
from tests.runtime.live.conftest import write_pictures, write_toy


def test_pictures_that_come_are_counted_beside_what_they_cost(tmp_path: Path) -> None:
    write_toy(tmp_path / "toy.bundle")
    source = str(write_pictures(tmp_path / "pictures"))
    found = live.measured(tmp_path / "toy.bundle", source, seconds=0.3, compare=False)
    assert found["rate"] > 0 and found["processor_ms"] >= 0
    assert 0.3 < found["kilobytes"] < 5


def test_drawn_pictures_are_of_cifars_size(tmp_path: Path) -> None:
    from PIL import Image

    files = sorted(Path(live.drawn(tmp_path / "pictures")).iterdir())
    assert len(files) == live.PICTURES
    with Image.open(files[0]) as image:
        assert image.size == (32, 32)


def test_processor_time_only_grows() -> None:
    before = live.processor_s(os.getpid())
    sum(range(3_000_000))
    assert live.processor_s(os.getpid()) >= before > 0
