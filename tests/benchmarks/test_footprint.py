from __future__ import annotations

import pytest

from benchmarks import footprint


def test_everything_a_device_needs_is_counted() -> None:
    needed = footprint.required(footprint.INSTALLED)

    assert {"numpy", "onnxruntime", "flatbuffers"} <= needed
    assert "torch" not in needed


def test_sizes_are_those_of_the_files_on_disk() -> None:
    sizes = footprint.disk_mb()

    assert next(iter(sizes)) == "spikehalt"
    assert 0 < sizes["spikehalt"] < 5 < sizes["numpy"] < 500


def test_times_come_from_fresh_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprint, "ROUNDS", 2)

    values = footprint.seconds("import sys\nprint(0.5 if 'numpy' not in sys.modules else 1)")

    assert values == [0.5, 0.5]
