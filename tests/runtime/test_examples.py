from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from runtime import Engine
from runtime.bundle.read import Bundle
from runtime.examples import camera_loop, classify_folder, event_stream, service
from tests.runtime.conftest import MakeBundle

Images = NDArray[np.uint8]


@pytest.fixture
def folder(tmp_path: Path, images: Images) -> Path:
    (tmp_path / "pictures").mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / "pictures" / f"{number:02}.png")
    return tmp_path / "pictures"


def answers(out: str) -> list[str]:
    return [line.split(": ")[1].split()[0] for line in out.splitlines() if ": " in line]


@pytest.fixture
def expected(bundle: Bundle, images: Images) -> list[str]:
    with Engine(bundle) as engine:
        return list(engine(images).names)


def test_classify_a_folder(
    bundle: Bundle,
    folder: Path,
    images: Images,
    expected: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    classify_folder.main([str(bundle.root), str(folder)])
    out = capsys.readouterr().out
    with Engine(bundle) as engine:
        tokens = engine(images).average_tokens.mean()

    assert answers(out) == expected
    assert out.endswith(f"12 images, 4.00 timesteps, {tokens:.3f} of the tokens\n")


def test_a_camera_loop_on_a_recorded_video(
    bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 0, 0)]
    video = [Image.new("RGB", (32, 24), colour) for colour in colours]
    video[0].save(tmp_path / "clip.gif", save_all=True, append_images=video[1:])

    camera_loop.main([str(bundle.root), str(tmp_path / "clip.gif")])

    assert answers(capsys.readouterr().out) == ["red", "green", "blue", "red"]


def test_an_event_stream(
    make_bundle: MakeBundle,
    frames: NDArray[np.float32],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bundle = make_bundle(kind="frames")
    (tmp_path / "events").mkdir()
    for number, sample in enumerate(frames):
        np.savez(tmp_path / "events" / f"{number}.npz", frames=sample)

    event_stream.main([str(bundle.root), str(tmp_path / "events")])

    with Engine(bundle) as engine:
        assert answers(capsys.readouterr().out) == list(engine(frames).names)


def test_a_multi_threaded_service(
    bundle: Bundle, folder: Path, expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    service.main([str(bundle.root), str(folder)])
    out = capsys.readouterr().out

    assert answers(out) == expected
    assert "12 images in " in out


def run_module(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"runtime.examples.{name}", *arguments],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )


NAMES = ["camera_loop", "classify_folder", "event_stream", "service"]


@pytest.mark.parametrize("name", NAMES)
def test_every_example_explains_itself(name: str) -> None:
    done = run_module(name, "--help")

    assert done.returncode == 0 and done.stderr == ""
    assert "usage: " in done.stdout and "BUNDLE" in done.stdout
    assert f"python -m runtime.examples.{name} ckpt.bundle" in done.stdout


@pytest.mark.parametrize("module", [camera_loop, classify_folder, event_stream, service])
@pytest.mark.parametrize("arguments", [[], ["a.bundle"], ["a.bundle", "x", "y"]])
def test_a_wrong_number_of_arguments_ends_in_one_line(
    module: Any, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        module.main(arguments)

    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and "arguments" in line


@pytest.mark.parametrize("name", NAMES)
def test_what_does_not_exist_is_one_sentence(name: str, bundle: Bundle) -> None:
    for path, message in (("nowhere.bundle", "nowhere.bundle does not exist"), (bundle.root, "")):
        done = run_module(name, str(path), "nowhere.gif")

        assert done.returncode == 2 and done.stdout == ""
        assert done.stderr.startswith("error: ") or "\nerror: " in done.stderr
        assert message in done.stderr and "nowhere" in done.stderr
        assert "Traceback" not in done.stderr
