from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from runtime import Engine
from runtime.bundle.read import Bundle
from runtime.cli import main
from runtime.report.explanation import draw, explain
from runtime.report.pictures import missing_heat_maps
from runtime.results.scores import softmax
from tests.runtime.conftest import MakeBundle
from tests.runtime.toy import toy_manifest, toy_reference

Capture = pytest.CaptureFixture[str]


def test_depth_and_confidence_are_those_of_the_network(
    bundle: Bundle, images: NDArray[np.uint8]
) -> None:
    with Engine(bundle, policy="halting", threshold=1.5) as engine:
        given = engine(images)
        number = int(np.flatnonzero(given.timesteps < 4)[0])
        explained = explain(engine, images[number])
    expected = toy_reference(bundle.manifest, images[number : number + 1], 0.01)
    assert explained.depth is not None
    depth = expected["live"][0].sum(axis=1).reshape(4, 2, 2)
    np.testing.assert_array_equal(explained.depth, depth)
    probabilities = softmax(expected["logits"][0])[:, given.labels[number]]
    np.testing.assert_allclose(explained.confidence, probabilities, atol=1e-5)
    np.testing.assert_allclose(explained.scores, expected["halt_score"][0], atol=1e-5)
    assert explained.left_after == given.timesteps[number]
    assert explained.answer == given.names[number]


def test_timesteps_end_where_the_engine_ends(bundle: Bundle, images: NDArray[np.uint8]) -> None:
    with Engine(bundle, max_timesteps=2) as engine:
        explained = explain(engine, images[0])
    assert explained.live is not None and explained.live.shape == (2, 2, 2, 2)
    assert explained.points.tolist() == [1, 2] and explained.confidence.shape == (2,)
    assert explained.left_after == 2


def test_chunks_are_the_points_where_images_may_leave(
    make_bundle: MakeBundle, images: NDArray[np.uint8]
) -> None:
    with Engine(make_bundle(chunk=2)) as engine:
        explained = explain(engine, images[0])
    assert explained.points.tolist() == [2, 4] and explained.confidence.shape == (2,)


def test_without_depth_the_rest_is_drawn_and_the_reason_told(
    make_bundle: MakeBundle, images: NDArray[np.uint8], tmp_path: Path, capsys: Capture
) -> None:
    Image.fromarray(images[0]).save(tmp_path / "a.png")
    bundle, out = make_bundle(live_masks=False), tmp_path / "why.png"
    assert main(["explain", str(bundle.root), str(tmp_path / "a.png"), "-o", str(out)]) == 0
    assert "spikehalt export CHECKPOINT --live-masks" in capsys.readouterr().err
    with Image.open(out) as picture:
        assert picture.size[0] > 600


def test_merged_tokens_are_a_reason_too() -> None:
    assert missing_heat_maps(toy_manifest(tokens_per_block=(4, 3))).startswith("tokens merge")
    assert missing_heat_maps(toy_manifest()) == ""


def test_event_frames_are_explained_too(
    make_bundle: MakeBundle, frames: NDArray[np.float32]
) -> None:
    with Engine(make_bundle(kind="frames"), policy="entropy", threshold=0.5) as engine:
        explained = explain(engine, frames[0])
    assert explained.pixels.shape[-1] == 3
    assert draw(explained, "events", "svg").lstrip().startswith(b"<?xml")


def test_a_picture_grows_with_its_panels(bundle: Bundle, images: NDArray[np.uint8]) -> None:
    with Engine(bundle, policy="confidence", threshold=0.4) as engine:
        short = explain(engine, images[0])
        text = draw(short, "title", "svg").decode()
    for panel in range(5):
        assert f'id="axes_{panel + 1}"' in text
    assert "leaves at confidence" in text


@pytest.mark.parametrize(
    ("image", "out", "message"),
    [
        ("a.png", "x.jpg", "x.jpg must end in one of .png, .svg, .pdf, .gif"),
        (".", "x.png", "there are 2 files, one is explained at a time: name it, such as"),
        ("a.png", "no/x.png", "there is no folder"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(
    image: str,
    out: str,
    message: str,
    bundle: Bundle,
    images: NDArray[np.uint8],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        Image.fromarray(images[0]).save(folder / name)
    monkeypatch.chdir(folder)
    assert main(["explain", str(bundle.root), image, "--out", out]) == 2
    assert message in capsys.readouterr().err
    assert sorted(path.name for path in folder.iterdir()) == ["a.png", "b.png"]
