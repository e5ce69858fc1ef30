"""A disk that fills up while it is served from, and what is written there."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime import Engine
from tests.deploy.machine import why_not
from tests.runtime.serve.conftest import encoded, write_toy
from tests.runtime.serve.server import ROOT, START_S, RunningServer, free_port

PIXELS = np.random.default_rng(5).integers(0, 256, (4, 4, 3), np.uint8)
PICTURE = encoded(PIXELS, "PNG")


def answer(address: str) -> dict[str, Any]:
    """What the server says of the picture."""
    request = urllib.request.Request(f"http://{address}/classify", PICTURE)
    with urllib.request.urlopen(request, timeout=20) as response:
        told: dict[str, Any] = json.load(response)
    return told


class SmallDisk:
    """A disk of 600 kB that a server alone sees, with its bundle and its temporary files.

    Args:
        place: where it is mounted, and where toy.bundle and new.bundle lie beside it.
    """

    def __init__(self, place: Path) -> None:
        self._place, self.folder = place, place / "disk"
        self.folder.mkdir()

    @property
    def within(self) -> list[str]:
        """A command line that runs another one where the disk is."""
        steps = (
            f"mount -t tmpfs -o size=600k none {self.folder}",
            f"cp -r {self._place}/toy.bundle {self.folder}",
            f"export TMPDIR={self.folder}",
            'exec "$@"',
        )
        return ["unshare", "--mount", "sh", "-c", " && ".join(steps), "sh"]

    def seen_by(self, server: RunningServer) -> Path:
        """The same for this process."""
        return Path(f"/proc/{server.process.pid}/root{self.folder}")


def fill(disk: Path) -> Path:
    """A file that takes what is left of a disk."""
    path = disk / "fill"
    with path.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        while True:
            file.write(bytes(4096))
    return path


def put_in_place(disk: Path, bundle: Path) -> None:
    """Replace toy.bundle at a stroke, by as much of another one as there is room for."""
    try:
        shutil.copytree(bundle, disk / "next")
    except shutil.Error as error:
        assert "No space left" in str(error)
    (disk / "toy.bundle").rename(disk / "last")
    (disk / "next").rename(disk / "toy.bundle")
    shutil.rmtree(disk / "last")


@pytest.mark.skipif(bool(why_not()), reason=why_not())
@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_costs_no_answer(tmp_path: Path, workers: int) -> None:
    with Engine(write_toy(tmp_path / "toy.bundle")) as engine:
        label = engine(PIXELS).labels[0]
    write_toy(tmp_path / "new.bundle", timesteps=3)
    small = SmallDisk(tmp_path)
    arguments = [str(small.folder / "toy.bundle"), "--workers", str(workers)]
    with RunningServer(arguments, within=small.within) as server:
        server.wait_for("startup complete", workers)
        disk = small.seen_by(server)
        filled = fill(disk)
        assert [answer(server.address)["label"] for _ in range(20)] == 20 * [label]
        put_in_place(disk, tmp_path / "new.bundle")
        server.wait_for("cannot be replaced, the old one goes on", workers)
        assert answer(server.address)["timesteps"] == 4
        filled.unlink()
        put_in_place(disk, tmp_path / "new.bundle")
        server.wait_for("replaces", workers)
        assert answer(server.address)["timesteps"] == 3
        assert server.stop() == 0
    assert sum("startup complete" in line for line in server.log) == workers  # none has died
    assert not any("Traceback" in line for line in server.log), server.log


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_log_that_cannot_be_written_stops_no_server(tmp_path: Path) -> None:
    write_toy(tmp_path / "toy.bundle")
    port = free_port()
    command = [sys.executable, "-m", "spikehalt", "serve", str(tmp_path / "toy.bundle")]
    with open("/dev/full", "w") as full:
        server = subprocess.Popen([*command, "--port", str(port)], stderr=full, cwd=ROOT)
    try:
        begin = time.monotonic()
        while True:
            try:
                assert answer(f"127.0.0.1:{port}")["timesteps"] == 4
                break
            except urllib.error.URLError:  # it does not listen yet
                assert time.monotonic() - begin < START_S and server.poll() is None
                time.sleep(0.05)
    finally:
        server.terminate()
        status = server.wait(START_S)
    assert status == 0
