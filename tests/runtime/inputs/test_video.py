from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from runtime.bundle import InputSpec
from runtime.errors import InputError
from runtime.inputs import video
from runtime.inputs.files import decode_image
from runtime.inputs.video import Frame, Video, frame_to_input, is_camera, is_video, thinned
from spikehalt.datasets.preprocessing import Preprocessing
from tests.fakes.videos import COLOURS, cut, turned, unknown_codec, write_video


def frames_of(source: Path | str, **how: float) -> list[Frame]:
    with Video(str(source), **how) as opened:
        return list(opened.frames())


def close(pixel: Any, colour: tuple[int, int, int]) -> bool:
    """Whether a pixel has a colour, but for what the codec lost."""
    return bool(np.abs(pixel.astype(int) - colour).max() < 30)


@pytest.mark.parametrize(
    ("source", "video", "camera"),
    [
        ("clip.mp4", True, False),
        ("CLIP.MOV", True, False),
        ("0", True, True),
        ("/dev/video1", True, True),
        ("rtsp://host/stream", True, False),
        ("photo.png", False, False),
        ("folder", False, False),
        ("data.zip", False, False),
    ],
)
def test_sources_are_told_apart_by_name(source: str, video: bool, camera: bool) -> None:
    assert (is_video(source), is_camera(source)) == (video, camera)


def test_frames_come_in_order_with_their_colours(tmp_path: Path) -> None:
    frames = frames_of(write_video(tmp_path / "a.mp4"))
    assert [frame.index for frame in frames] == list(range(6))
    for number, frame in enumerate(frames):
        assert frame.pixels.shape == (32, 48, 3) and frame.pixels.dtype == np.uint8
        assert close(frame.pixels[16, 8], COLOURS[number % 3])
        assert close(frame.pixels[16, 40], (0, 0, 0))


def test_a_variable_frame_rate_keeps_its_times(tmp_path: Path) -> None:
    times_ms = (0, 40, 500, 520, 2000)
    frames = frames_of(write_video(tmp_path / "a.mp4", times_ms))
    assert [frame.time_s for frame in frames] == pytest.approx([ms / 1000 for ms in times_ms])


def test_a_turned_video_comes_upright(tmp_path: Path) -> None:
    frame = frames_of(turned(write_video(tmp_path / "a.mp4")))[0]
    assert frame.pixels.shape == (48, 32, 3)
    assert close(frame.pixels[8, 16], COLOURS[0]) and close(frame.pixels[40, 16], (0, 0, 0))


def test_a_video_that_was_cut_off_gives_what_it_holds(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "a.mkv")
    assert 0 < len(frames_of(cut(whole, 0.8))) < 6


def wrong(folder: Path) -> dict[str, tuple[Path | str, str]]:
    """Sources that cannot be read, and what is said of them."""
    (folder / "text.mp4").write_text("no video at all")
    return {
        "absent": (folder / "none.mp4", "cannot be opened: No such file"),
        "text": (folder / "text.mp4", "no video that FFmpeg can read, or it is damaged"),
        "cut": (
            cut(write_video(folder / "b.mp4"), 0.3),
            "no video that FFmpeg can read, or it is damaged",
        ),
        "codec": (unknown_codec(write_video(folder / "a.mkv")), "no decoder: convert it"),
        "camera": ("/dev/video99", "there is no such camera, but"),
        "stream": ("rtsp://127.0.0.1:1/x", "cannot be opened: Connection refused"),
        "protocol": ("xyz://host/x", "xyz://host/x cannot be opened: Protocol not found"),
    }


@pytest.mark.parametrize("name", ["absent", "text", "cut", "codec", "camera", "stream", "protocol"])
def test_what_cannot_be_read_is_one_sentence(name: str, tmp_path: Path) -> None:
    source, message = wrong(tmp_path)[name]
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        frames_of(source, timeout_s=2.0)
    assert "\n" not in str(caught.value) and str(source) in str(caught.value)


@contextmanager
def stalling_server(data: bytes) -> Iterator[str]:
    """An HTTP address that sends some bytes and then nothing more, until the context ends."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: video/mp2t\r\n\r\n" + data)
                done.wait(10)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/live.ts"
        finally:
            done.set()
            thread.join()


def test_a_stream_that_stalls_ends_with_a_reason_after_its_frames(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.ts", range(0, 12000, 100))
    frames = []
    with (
        stalling_server(path.read_bytes()) as address,
        pytest.raises(InputError) as caught,
        Video(address, timeout_s=0.5) as opened,
    ):
        for frame in opened.frames():
            frames.append(frame)
    assert frames
    assert f"ended after {len(frames)} frames: nothing came for 0.5 s" in str(caught.value)


def test_a_camera_that_is_unplugged_ends_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real = write_video(tmp_path / "a.mp4"), av.open
    asked = []

    def plugged(place: str, **how: Any) -> Any:
        asked.append((place, how["format"]))
        return real(str(path))

    monkeypatch.setattr(av, "open", plugged)
    monkeypatch.setattr(video.sys, "platform", "linux")
    with Video("3") as camera:
        assert camera.live
        frames = camera.frames()
        assert [next(frames).index for _ in range(6)] == list(range(6))
        with pytest.raises(InputError, match="3 gives no more frames after 6: is it plugged in"):
            next(frames)
    assert asked == [("/dev/video3", "v4l2")]


def test_a_camera_by_number_needs_a_system_whose_cameras_are_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(video.sys, "platform", "plan9")
    with pytest.raises(InputError, match="camera 0 cannot be opened by its number on plan9"):
        Video("0")


def times(frames: Iterator[Frame]) -> list[int]:
    return [frame.index for frame in frames]


def test_frames_are_thinned_by_number_and_by_time() -> None:
    nothing = np.zeros((1, 1, 3), np.uint8)
    frames = [Frame(number, number / 30, nothing) for number in range(31)]
    assert times(thinned(frames)) == list(range(31))
    assert times(thinned(frames, every=7)) == [0, 7, 14, 21, 28]
    assert times(thinned(frames, max_fps=10)) == list(range(0, 31, 3))
    assert times(thinned(frames, max_fps=60)) == list(range(31))
    assert len(times(thinned(frames, max_fps=20))) == 21


@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_a_frame_becomes_what_an_image_file_of_it_becomes(order: str, tmp_path: Path) -> None:
    from PIL import Image

    how = Preprocessing(fit="crop", channel_order=order)  # type: ignore[arg-type]
    spec = InputSpec(kind="image", height=4, width=4, channels=3, preprocessing=how)
    pixels = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    expected = decode_image((tmp_path / "a.png").read_bytes(), "a.png", spec)
    np.testing.assert_array_equal(frame_to_input(Frame(0, 0.0, pixels), spec), expected)
