from __future__ import annotations

from pathlib import Path

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


def test_times_are_told_as_median_and_quartiles() -> None:
    assert footprint.in_words([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]) == "0.400 (0.200-0.600)"


def test_the_disk_is_the_sum_of_the_parts() -> None:
    row = footprint.disk_row({"spikehalt": 1.25, "numpy": 30.5, "onnxruntime": 40.0})
    assert footprint.table().cells(row) == [
        "disk (MB)", "71.8", "80", "spikehalt 1.2, numpy 30.5, onnxruntime 40.0",
    ]  # fmt: skip


def test_a_line_without_a_limit_leaves_it_empty() -> None:
    assert footprint.table().cells(footprint.line("memory (MB)", "12.3")) == [
        "memory (MB)", "12.3", "", "",
    ]  # fmt: skip


def test_what_a_distribution_needs_is_followed_without_extras(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    needs = {
        "app": ["Lib>=1.2,<3", "tool; extra == 'dev'"],
        "lib": ["base[fast] (>=2)", "app"],
        "base": None,
    }
    monkeypatch.setattr(footprint.metadata, "requires", needs.__getitem__)
    assert footprint.required(("app",)) == {"app", "lib", "base"}


def test_compiled_files_and_folders_take_no_room(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"12345")
    (tmp_path / "a.pyc").write_bytes(b"1234567")
    assert [footprint._bytes(path) for path in sorted(tmp_path.iterdir())] == [5, 0]
    assert footprint._bytes(tmp_path) == 0


def test_an_engine_has_a_line_for_its_start_and_one_for_its_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bundle = tmp_path / "net.bundle"
    bundle.mkdir()
    (bundle / "first.onnx").write_bytes(bytes(1_500_000))
    values = {"start": [0.2] * 3, "memory": [90.0] * 3}
    monkeypatch.setattr(footprint, "seconds", lambda _, path, what: values[what])
    start, memory = map(footprint.table().cells, footprint.engine_rows(bundle))
    assert start == ["session start (s)", "0.200 (0.200-0.200)", "0.5", "net, 1.5 MB on disk"]
    assert memory[:3] == ["session memory (MB, Linux)", "90.000 (90.000-90.000)", ""]
