from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from runtime import Engine
from runtime.bundle import Bundle
from runtime.cli import answers, main
from runtime.cli.outputs import COLUMNS
from runtime.inputs.video import Frame, Video, frame_to_input
from spikehalt.commands import STOPPED
from tests.fakes.videos import cut, write_video
from tests.runtime.conftest import MakeBundle

Capture = pytest.CaptureFixture[str]
Images = NDArray[np.uint8]
EXIT = ("--policy", "halting", "--threshold", "1.5")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_video(tmp_path / "clip.mp4")


def run(bundle: Bundle, *arguments: object) -> int:
    return main(["run", str(bundle.root), *map(str, arguments)])


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def pictures_of(path: Path) -> list[Images]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_frames_get_the_engines_answers(bundle: Bundle, clip: Path, tmp_path: Path) -> None:
    assert run(bundle, clip, *EXIT, "--jsonl", tmp_path / "o.jsonl", "--batch", 4) == 0
    with Video(str(clip)) as video, Engine(bundle, policy="halting", threshold=1.5) as engine:
        frames = list(video.frames())
        spec = bundle.manifest.input
        expected = engine(np.stack([frame_to_input(frame, spec) for frame in frames]))
    rows = lines_of(tmp_path / "o.jsonl")
    assert [row["frame"] for row in rows] == list(range(6))
    assert [row["time_s"] for row in rows] == [frame.time_s for frame in frames]
    assert [row["label"] for row in rows] == expected.labels.tolist()
    assert [row["timesteps"] for row in rows] == expected.timesteps.tolist()
    assert {row["path"] for row in rows} == {str(clip)}


def test_a_spreadsheet_holds_images_and_frames(
    bundle: Bundle, clip: Path, images: Images, tmp_path: Path
) -> None:
    Image.fromarray(images[0]).save(tmp_path / "a.png")
    out = tmp_path / "o.csv"
    assert run(bundle, tmp_path / "a.png", clip, "--csv", out, "--every", 2) == 0
    with out.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(COLUMNS)
    assert [row["frame"] for row in rows] == ["", "0", "2", "4"]
    assert rows[1]["class"] == "red" and float(rows[1]["probability"]) > 1 / 3


def test_max_fps_counts_the_videos_own_time(bundle: Bundle, tmp_path: Path) -> None:
    clip = write_video(tmp_path / "v.mp4", (0, 10, 20, 1000, 1010, 2000))
    assert run(bundle, clip, "--max-fps", 2, "--jsonl", tmp_path / "o.jsonl") == 0
    assert [row["frame"] for row in lines_of(tmp_path / "o.jsonl")] == [0, 3, 5]


def test_without_files_frames_are_told_as_they_come_and_summed_up(
    bundle: Bundle, clip: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    assert run(bundle, clip) == 0
    out = capsys.readouterr().out
    assert f"{clip} 0.10 s: green (" in out
    assert "red in 2 of 6 frames" in out and "6 image(s): 4.00 timesteps" in out


def test_json_has_a_document_with_every_frame(bundle: Bundle, clip: Path, capsys: Capture) -> None:
    assert run(bundle, clip, "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in data["images"]] == ["red", "green", "blue"] * 2
    assert data["summary"]["images"] == 6


def test_an_annotated_video_keeps_times_and_dims_the_dead(bundle: Bundle, tmp_path: Path) -> None:
    clip = write_video(tmp_path / "v.mp4", (0, 40, 500, 900))
    out, line = tmp_path / "out.mp4", tmp_path / "o.jsonl"
    assert run(bundle, clip, "--annotate", out, "--jsonl", line, "--epsilon", 0.9) == 0
    with Video(str(out)) as video:
        shown = list(video.frames())
    assert [frame.time_s for frame in shown] == pytest.approx([0, 0.04, 0.5, 0.9])
    assert all(side % 2 == 0 for side in shown[0].pixels.shape[:2])
    assert [row["live_tokens"][-1] for row in lines_of(line)] == [[4, 2]] * 4  # black ones live on
    assert shown[0].pixels[64, 64, 0] == pytest.approx(250 * 0.6, abs=30)  # one block of two


def test_annotated_pictures_go_into_a_folder_in_order(
    bundle: Bundle, clip: Path, images: Images, tmp_path: Path
) -> None:
    Image.fromarray(images[0]).save(tmp_path / "a.png")
    assert run(bundle, tmp_path / "a.png", clip, "--annotate", tmp_path / "out", "--every", 3) == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["000000-a.png", "000001-clip.png", "000002-clip.png"]
    with Image.open(tmp_path / "out" / names[0]) as picture:
        assert picture.size == (256, 300)


def test_a_bundle_without_live_masks_annotates_and_says_what_is_missing(
    make_bundle: MakeBundle, clip: Path, tmp_path: Path, capsys: Capture
) -> None:
    bundle = make_bundle(live_masks=False)
    assert run(bundle, clip, "--annotate", tmp_path / "o.mp4") == 0
    assert len(pictures_of(tmp_path / "o.mp4")) == 6
    assert "note: no patch is dimmed: toy was exported without" in capsys.readouterr().err


def test_what_was_answered_before_a_video_broke_off_is_kept(
    bundle: Bundle, clip: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaking(self: Video) -> Any:
        yield from [
            Frame(number, number / 10, np.full((9, 9, 3), 9, np.uint8)) for number in (0, 1)
        ]
        raise answers.InputError("unplugged")

    monkeypatch.setattr(Video, "frames", breaking)
    line, movie = tmp_path / "o.jsonl", tmp_path / "o.mp4"
    assert run(bundle, clip, "--jsonl", line, "--annotate", movie) == 1
    rows = lines_of(line)
    assert [row.get("frame") for row in rows] == [0, 1, None] and rows[2]["error"] == "unplugged"
    assert len(pictures_of(movie)) == 2
    assert "note: 1 of 1 files could not be read" in capsys.readouterr().err


def test_ctrl_c_keeps_what_was_answered(
    bundle: Bundle, clip: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = answers._classify

    def classify(*arguments: Any) -> Any:
        monkeypatch.setattr(answers, "_classify", stop)
        return real(*arguments)

    def stop(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(answers, "_classify", classify)
    line, movie = tmp_path / "o.jsonl", tmp_path / "o.mp4"
    assert run(bundle, clip, "--jsonl", line, "--annotate", movie, "--batch", 1) == STOPPED
    assert len(lines_of(line)) == len(pictures_of(movie)) == 1
    assert "note: stopped; what was answered until then is kept" in capsys.readouterr().err


def test_a_damaged_video_does_not_stop_the_others(
    bundle: Bundle, clip: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert run(bundle, cut(clip, 0.3), clip, "--json") == 1
    rows = json.loads(capsys.readouterr().out)["images"]
    assert "error" in rows[0] and len(rows) == 7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--annotate", "out.avi"], "must be a file ending in .mp4, or a folder"),
        (["--annotate", "no/out.mp4"], "there is no folder"),
        (["--jsonl", "no/o.jsonl"], "there is no folder"),
        (["--max-fps", "0"], "0 is not above 0"),
        (["--every", "0"], "0 is not in 1.."),
    ],
)
def test_what_cannot_be_done_is_said_before_any_work(
    arguments: list[str],
    message: str,
    bundle: Bundle,
    clip: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    monkeypatch.chdir(clip.parent)
    before = sorted(clip.parent.iterdir())
    try:
        status = run(bundle, clip, *arguments)
    except SystemExit as stop:
        status = int(str(stop.code))
    assert status == 2 and message in capsys.readouterr().err
    assert sorted(clip.parent.iterdir()) == before


def test_an_event_bundle_takes_no_video(
    make_bundle: MakeBundle, clip: Path, capsys: Capture
) -> None:
    assert run(make_bundle(kind="frames"), clip) == 2
    assert "this bundle takes event frames" in capsys.readouterr().err
