from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from runtime import Engine
from runtime.bundle.read import Bundle
from runtime.cli import main
from runtime.report.animation import animate
from runtime.report.explanation import Explanation, explain
from tests.runtime.conftest import MakeBundle


def explained(bundle: Bundle, image: NDArray[np.uint8]) -> Explanation:
    with Engine(bundle, policy="halting", threshold=1.5) as engine:
        return explain(engine, image)


@pytest.mark.parametrize(("dark", "page"), [(False, (255, 255, 255)), (True, (13, 17, 23))])
def test_a_frame_per_block_and_timestep_until_the_image_leaves(
    dark: bool, page: tuple[int, int, int], bundle: Bundle, images: NDArray[np.uint8]
) -> None:
    white = np.full_like(images[0], 255)
    what = explained(bundle, white)
    assert what.live is not None and what.left_after < 4
    with Image.open(io.BytesIO(animate(what, dark=dark))) as movie:
        assert movie.n_frames == what.left_after * 2 + 1
        assert movie.info["loop"] == 0 and movie.size == (2 * 256 + 16, 256 + 52)
        for number in range(movie.n_frames - 1):
            movie.seek(number)
            pixels = np.asarray(movie.convert("RGB"), int)
            assert abs(pixels[260, 300] - page).max() < 12
            live = what.live[number // 2, number % 2]
            shown = pixels[64:256:128, 272 + 64 : 528 : 128].mean(axis=2)
            assert shown.shape == (2, 2)
            wanted = np.where(live, 255, 0.12 * 255 + 0.88 * np.mean(page))
            np.testing.assert_allclose(shown, wanted, atol=12)


def test_without_live_masks_there_is_nothing_to_move(
    make_bundle: MakeBundle, images: NDArray[np.uint8], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    Image.fromarray(images[0]).save(tmp_path / "a.png")
    bundle, out = make_bundle(live_masks=False), tmp_path / "a.gif"
    assert main(["explain", str(bundle.root), str(tmp_path / "a.png"), "-o", str(out)]) == 2
    assert "patches cannot be shown: toy was exported without live" in capsys.readouterr().err
    assert not out.exists()


def test_the_command_writes_a_gif(
    bundle: Bundle, images: NDArray[np.uint8], tmp_path: Path
) -> None:
    Image.fromarray(images[0]).save(tmp_path / "a.png")
    out = tmp_path / "a.gif"
    assert (
        main(["explain", str(bundle.root), str(tmp_path / "a.png"), "-o", str(out), "--dark"]) == 0
    )
    assert out.read_bytes().startswith(b"GIF89a")
