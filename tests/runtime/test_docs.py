"""What docs/runtime.md prints runs as printed."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from runtime import Engine
from runtime.bundle.read import Bundle
from runtime.cli import main
from tests.runtime.conftest import MakeBundle

PAGE = (Path(__file__).parents[2] / "docs" / "runtime.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def place(
    tmp_path: Path,
    make_bundle: MakeBundle,
    images: NDArray[np.uint8],
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """A folder with ckpt.bundle, calibrated.bundle and labelled data, and a photo."""
    bundle = make_bundle("ckpt.bundle")
    with Engine(bundle) as engine:
        names = engine(images).names
    for number, (image, name) in enumerate(zip(images, names, strict=True)):
        folder = tmp_path / "data" / "val" / name
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{number:02}.png")
    Image.fromarray(images[0]).save(tmp_path / "photo.png")
    monkeypatch.chdir(tmp_path)
    shutil.copytree(bundle.root, "calibrated.bundle")
    assert main(["calibrate", "calibrated.bundle", "data", "--json"]) == 0
    return tmp_path


def test_python_blocks_run_in_order(place: Path) -> None:
    blocks = [code for language, code in BLOCKS if language == "python"]
    names: dict[str, object] = {}

    for code in blocks:
        exec(compile(code, "docs/runtime.md", "exec"), names)

    assert len(blocks) >= 7 and "fake" in names


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")
def test_shell_commands_run(place: Path) -> None:
    lines = [line for language, code in BLOCKS if language == "sh" for line in code.splitlines()]
    ours = [line for line in lines if line.startswith("python -m runtime ")]
    assert len(ours) == 8

    for line in lines:
        words = shlex.split(line, comments=True)
        if words[0] == "openssl":
            subprocess.run(words, check=True, capture_output=True)
        elif line in ours:
            assert main(words[3:]) == 0, line

    assert (place / "report.html").exists() and (place / "curves.svg").exists()
    assert Bundle.open("ckpt.bundle", public_key="public.pem").manifest.exit.default != "never"


def test_every_link_to_a_file_leads_somewhere() -> None:
    root = Path(__file__).parents[2]
    named = re.findall(r"`(runtime/[\w./]+|tests/[\w./]+|export/[\w./]+)`", PAGE)

    assert named
    for name in named:
        assert (root / name).exists(), name
