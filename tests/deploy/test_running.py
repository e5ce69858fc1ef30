"""What the CPU image and the unit run, run: in a fresh environment, at their places.

There is no Docker engine and no systemd here. What is not run: `apt-get` and `useradd` of the
image (the compiler is this machine's, and the user a number), its base image, and the unit's
seccomp filter.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime import Engine
from tests.deploy.dockerfile import FOLDER, ROOT, Dockerfile, context
from tests.deploy.machine import PROTECTED, Machine, Running, why_not
from tests.deploy.test_files import values
from tests.runtime.serve.conftest import encoded, write_toy

pytestmark = [
    pytest.mark.skipif(bool(why_not()), reason=why_not()),
    pytest.mark.slow,
]

NOT_RUN = ("apt-get", "rm -rf /var/lib/apt", "useradd")
PICTURE = np.random.default_rng(3).integers(0, 256, (4, 4, 3), np.uint8)
PATH = f"{sys.base_prefix}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The context of the image's build, a bundle, and a picture."""
    place = tmp_path_factory.mktemp("deploy")
    (place / "src/deploy").mkdir(parents=True)
    (place / "venv").mkdir()
    ignored = shutil.ignore_patterns("__pycache__")
    for name in context():
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, place / "src" / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, place / "src" / name)
    write_toy(place / "bundles/toy.bundle")
    (place / "bundles/photo.png").write_bytes(encoded(PICTURE, "PNG"))
    for folder in (place / "bundles").rglob("*"):
        folder.chmod(0o755)
    return place


@pytest.fixture(scope="module")
def machine(place: Path) -> Iterator[Machine]:
    """With /opt/spikehalt as the image's first stage leaves it."""
    folders = {"/src": "src", "/opt/spikehalt": "venv", "/bundles": "bundles"}
    folders["/srv/spikehalt"] = "bundles"
    machine = Machine({there: place / here for there, here in folders.items()})
    try:
        quick = {"PATH": PATH, "CXX": str(_quick(place)), "PIP_NO_COMPILE": "1"}
        for command in Dockerfile("cpu").commands():
            if not command.startswith(NOT_RUN):
                run_or_skip(machine, command, {**os.environ, **quick})
        yield machine
    finally:
        machine.close()


def run_or_skip(machine: Machine, command: str, environment: dict[str, str]) -> None:
    """Run one of the image's commands; skipped where no package can be had."""
    try:
        machine.build(command, environment)
    except AssertionError as error:
        if "(from versions: none)" in str(error):
            pytest.skip(f"no package index can be reached by: {command}")
        raise


def _quick(place: Path) -> Path:
    """A compiler that does not optimise, which takes most of its time."""
    compiler = place / "c++"
    compiler.write_text(f'#!/bin/sh\nexec {shutil.which("c++")} "$@" -O0\n')
    compiler.chmod(0o755)
    return compiler


def answer(server: Running, address: str) -> dict[str, Any]:
    """What the server says of the picture."""
    data = ("--data-binary", "@/bundles/photo.png")
    asked = server.ask("curl", "-sf", f"http://{address}/classify", *data)
    assert asked.returncode == 0, server.log
    answered: dict[str, Any] = json.loads(asked.stdout)
    return answered


def test_the_image_serves_a_mounted_bundle(machine: Machine, place: Path) -> None:
    file = Dockerfile("cpu")
    command = [*file.one("ENTRYPOINT").listed(), "/bundles/toy.bundle", "--threads", "1"]
    probe = file.one("HEALTHCHECK").listed()
    line = machine.command(command, alone=True)
    environment = {"PATH": PATH, **file.environment()}
    with Running(line, environment, probe, place / "image.log") as server:
        assert probe[-1] in file.one("HEALTHCHECK").text
        given = answer(server, "127.0.0.1:8000")
        refused = server.ask("sh", "-c", "touch /opt/spikehalt/x")
        assert refused.returncode != 0  # the user may write nothing
        assert server.stop() == 0
    with Engine(place / "bundles/toy.bundle") as engine:
        expected = engine(PICTURE)
    assert given["label"] == expected.labels[0]
    assert given["probability"] == pytest.approx(expected.probabilities.max(), rel=1e-5)


def test_the_image_computes_with_its_native_ops(machine: Machine) -> None:
    environment = {"PATH": PATH, **Dockerfile("cpu").environment()}
    program = Dockerfile("cpu").one("ENTRYPOINT").listed()[0]
    line = machine.command([program, "doctor"], alone=True)
    said = subprocess.run(line, env=environment, capture_output=True, text=True).stdout
    assert re.search(r"/opt/spikehalt/lib/spikehalt", said), said


def test_the_unit_serves_in_its_cage(machine: Machine, place: Path) -> None:
    unit = FOLDER / "spikehalt.service"
    words = values(unit, "ExecStart")
    conf = dict(re.findall(r"^#   (BUNDLES|OPTIONS)=(.*)$", unit.read_text(), re.M))
    for name, value in conf.items():
        words = words.replace(f"${name}", value)
    environment = dict(each.split("=", 1) for each in values(unit, "Environment").split())
    cache = place / "cache"
    cache.mkdir(mode=0o777)
    cache.chmod(0o777)
    protections = [f"mount --bind {cache} /var/cache", *PROTECTED]
    line = machine.command(words.split(), protections, alone=True)
    probe = ["curl", "-sf", "http://127.0.0.1:8000/v2/health/ready"]
    with Running(line, {"PATH": PATH, **environment}, probe, place / "unit.log") as server:
        assert (
            server.ask(
                "sh", "-c", "touch /etc/x || touch /srv/spikehalt/x || touch /opt/spikehalt/x"
            ).returncode
            != 0
        )
        assert answer(server, "127.0.0.1:8000")["model"] == "toy"
        assert server.stop() == 0
    assert "Traceback" not in server.log
