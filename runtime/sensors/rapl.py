"""RAPL: energy counters of Intel and AMD processors, through Linux' powercap files.

Each `intel-rapl:N` folder has `name`, `energy_uj` (wraps at `max_energy_range_uj`) and
subfolders. "package-N" contains its cores; "dram" and its like come on top, "psys" would count
everything twice. Since 2020 only root may read `energy_uj`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from runtime.sensors.base import SensorError, sensor_text
from spikehalt.reading import reading

POWERCAP = Path("/sys/class/powercap")
_UPDATE_S = 0.001  # RAPL counters are updated about every millisecond
_MAX_WATTS = 1000.0  # no package draws more: bounds how often a counter can wrap


class RaplSensor:
    """Sum of all packages and their memory.

    Args:
        root: the powercap folder.
        clock: seconds that only grow.

    Raises:
        SensorError: no such counters here, or no permission to read them.
    """

    min_window_s = 100 * _UPDATE_S

    def __init__(
        self, root: Path = POWERCAP, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._counters = [_Counter(folder, clock) for folder in _domains(root)]
        if not self._counters:
            raise SensorError(f"no RAPL counters below {root}")
        self.name = f"RAPL ({', '.join(counter.domain for counter in self._counters)})"

    def energy_mj(self) -> float:
        """See `EnergySensor.energy_mj`."""
        return sum(counter.read_uj() for counter in self._counters) / 1e3

    def close(self) -> None:
        """Nothing runs in the background."""


class _Counter:
    """One counter, its wraps undone."""

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self.domain = _text(folder / "name")
        self._file, self._clock = folder / "energy_uj", clock
        self._range_uj = _number(folder / "max_energy_range_uj")
        self._last_uj, self._last_s = _number(self._file), clock()
        self._total_uj = 0

    def read_uj(self) -> int:
        now_uj, now_s = _number(self._file), self._clock()
        gap_s, self._last_s = now_s - self._last_s, now_s
        used = now_uj - self._last_uj
        self._last_uj = now_uj
        if gap_s * _MAX_WATTS * 1e6 > self._range_uj:
            raise SensorError(
                f"{self.domain} was not read for {gap_s:.0f} s and may have wrapped unnoticed: "
                "read engine.stats more often"
            )
        self._total_uj += used if used >= 0 else used + self._range_uj
        return self._total_uj


def _domains(root: Path) -> list[Path]:
    """Packages, and of their subdomains only memory, which packages do not contain."""
    if not root.is_dir():
        return []
    folders = sorted(root.glob("intel-rapl:*"))
    packages = [each for each in folders if _named(each, "package")]
    memory = [each for each in folders if _named(each, "dram")]
    memory += [each for p in packages for each in sorted(p.glob("*:*:*")) if _named(each, "dram")]
    unique = {each.resolve(): each for each in [*packages, *memory]}
    return list(unique.values())


def _named(folder: Path, start: str) -> bool:
    name = folder / "name"
    return name.is_file() and _text(name).startswith(start)


def _number(path: Path) -> int:
    with reading(path, SensorError, "holds no number"):
        return int(_text(path))


def _text(path: Path) -> str:
    try:
        return sensor_text(path)
    except SensorError as error:
        if not isinstance(error.__cause__, PermissionError):
            raise
        raise SensorError(
            f"{path} is readable by root only: run as root, or chmod a+r it"
        ) from error
