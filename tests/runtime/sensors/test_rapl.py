from __future__ import annotations

import os
from pathlib import Path

import pytest

from runtime.sensors import SensorError
from runtime.sensors.rapl import RaplSensor
from tests.runtime.sensors.fakes import Clock

RANGE_UJ = 1_000_000_000  # wraps after 1 kJ


def domain(folder: Path, name: str, energy_uj: int) -> Path:
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{name}\n")
    (folder / "energy_uj").write_text(f"{energy_uj}\n")
    (folder / "max_energy_range_uj").write_text(f"{RANGE_UJ}\n")
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    package = domain(tmp_path / "intel-rapl:0", "package-0", 5000)
    domain(package / "intel-rapl:0:0", "core", 1000)
    domain(package / "intel-rapl:0:1", "dram", 700)
    domain(tmp_path / "intel-rapl:1", "psys", 9000)
    return tmp_path


def test_packages_and_memory_are_summed_and_nothing_counts_twice(root: Path) -> None:
    sensor = RaplSensor(root)
    start = sensor.energy_mj()
    (root / "intel-rapl:0/energy_uj").write_text("8000")
    (root / "intel-rapl:0/intel-rapl:0:0/energy_uj").write_text("3000")
    (root / "intel-rapl:0/intel-rapl:0:1/energy_uj").write_text("1700")
    (root / "intel-rapl:1/energy_uj").write_text("99000")

    assert sensor.name == "RAPL (package-0, dram)"
    assert sensor.energy_mj() - start == pytest.approx(4.0)


def test_domains_listed_flat_as_links_are_found_once(root: Path) -> None:
    (root / "intel-rapl:0:1").symlink_to(root / "intel-rapl:0/intel-rapl:0:1")

    assert RaplSensor(root).name == "RAPL (package-0, dram)"


def test_a_counter_that_wraps_goes_on(root: Path) -> None:
    (root / "intel-rapl:0/energy_uj").write_text(str(RANGE_UJ - 1000))
    sensor = RaplSensor(root)
    start = sensor.energy_mj()
    (root / "intel-rapl:0/energy_uj").write_text("2000")

    assert sensor.energy_mj() - start == pytest.approx(3.0)


def test_a_gap_in_which_it_may_have_wrapped_unnoticed_gives_no_number(root: Path) -> None:
    clock = Clock()
    sensor = RaplSensor(root, clock)
    clock.now_s = 2.0  # 1 kJ can be used in 1 s at 1 kW

    with pytest.raises(SensorError, match="may have wrapped unnoticed"):
        sensor.energy_mj()


def test_a_machine_without_counters_is_told(tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / "missing"):
        with pytest.raises(SensorError, match="no RAPL counters"):
            RaplSensor(root)


def test_a_counter_for_root_only_says_so(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    really = os.open

    def refuse(path: Path, flags: int) -> int:
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied")
        return really(path, flags)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(SensorError, match="root only"):
        RaplSensor(root)


def test_a_damaged_counter_is_named(root: Path) -> None:
    (root / "intel-rapl:0/energy_uj").write_text("many")

    with pytest.raises(SensorError, match="energy_uj holds no number"):
        RaplSensor(root)
