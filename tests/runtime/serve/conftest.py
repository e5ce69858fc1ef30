from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

pytest.importorskip("uvicorn", reason="serving needs pip install 'spikehalt[serve]'")

from starlette.testclient import TestClient

from runtime.bundle import write_bundle
from runtime.bundle.read import Bundle
from runtime.serve.app import create_app
from runtime.serve.options import Limits, ServeOptions
from tests.runtime.serve.server import RunningServer
from tests.runtime.toy import toy_files, toy_manifest

NAMES = ("toy", "other")
LIMITS = Limits(body_bytes=20_000, pixels=10_000, header_s=1.0, body_s=1.0)


def write_toy(path: Path, **changes: object) -> Bundle:
    """A toy bundle; keyword arguments change its manifest."""
    manifest = toy_manifest(**changes)
    return write_bundle(path, manifest, toy_files(manifest), overwrite=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With toy.bundle, other.bundle and events.bundle."""
    folder = tmp_path_factory.mktemp("serve")
    write_toy(folder / "toy.bundle")
    write_toy(folder / "other.bundle", name="other", timesteps=2)
    write_toy(folder / "events.bundle", kind="frames")
    return folder


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[TestClient]:
    """The application in this process, without a network."""
    bundles = {name: folder / f"{name}.bundle" for name in (*NAMES, "events")}
    options = ServeOptions(bundles=bundles, max_batch=4, queue=4, limits=LIMITS)
    with TestClient(create_app(options), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[RunningServer]:
    """`spikehalt serve` in a process of its own."""
    bundles = [str(folder / f"{name}.bundle") for name in NAMES]
    with RunningServer([*bundles, "--policy", "halting", "--threshold", "1.5"]) as server:
        yield server


def encoded(pixels: NDArray[np.uint8], kind: str) -> bytes:
    """The bytes of an image file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()
