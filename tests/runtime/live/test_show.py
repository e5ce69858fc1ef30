"""The show and its socket, without a browser and without a network."""

from __future__ import annotations

import json
import re
import shlex
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("websockets", reason="the live page needs pip install 'spikehalt[live]'")

from starlette.testclient import TestClient, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from runtime import Engine
from runtime.cli import build_parser
from runtime.errors import InputError
from runtime.inputs.video import Frame
from runtime.live.app import create_app
from runtime.live.knobs import Change, limits, start
from runtime.live.show import Show
from runtime.live.side import Side
from runtime.live.sources import Item, Nothing, Source, newest, of_frame, open_source
from spikehalt.errors import ConfigError
from tests.fakes.videos import write_video
from tests.runtime.live.conftest import PICTURES
from tests.runtime.serve.conftest import encoded

HOME = "http://127.0.0.1:8008"


class Failing:
    """One picture, then none that can be had."""

    name, rate = "failing", 50.0

    def __init__(self) -> None:
        self.opened = 0

    def items(self) -> Iterator[Item]:
        self.opened += 1
        yield of_frame("failing", Frame(0, 0.0, np.full((4, 4, 3), 99, np.uint8)))
        raise InputError("the camera was unplugged")


@contextmanager
def client(
    bundle: Path, source: Source | str, against: Path | None = None, **settings: Any
) -> Iterator[TestClient]:
    with Engine(bundle, **settings) as engine, Engine(against or bundle) as other:
        side = Side(engine, engine.manifest.input)
        static = side if against is None else Side(other, other.manifest.input)
        if isinstance(source, str):
            source = open_source(source, side.spec)
        knobs = start(engine.manifest, engine.settings, 50.0)
        app = create_app(side, static, Show(side, static, source, knobs))
        with TestClient(app, base_url=HOME) as client:
            yield client


@contextmanager
def watching(client: TestClient, origin: str = HOME) -> Iterator[WebSocketTestSession]:
    headers = {"origin": origin, "host": "127.0.0.1:8008"}
    with client.websocket_connect("/live", headers=headers) as socket:
        yield socket


def words(socket: WebSocketTestSession, kind: str, **wanted: Any) -> dict[str, Any]:
    """The next words of a kind, in which something is as wanted."""
    for _ in range(1000):
        text = socket.receive().get("text")
        message = json.loads(text) if text else {"kind": "picture"}
        if message["kind"] == kind and wanted.items() <= message.items():
            return message  # type: ignore[no-any-return]
    raise AssertionError(f"no {kind} with {wanted}")


def picture(socket: WebSocketTestSession, **wanted: Any) -> dict[str, Any]:
    """The next picture in which something is as wanted, its arrays among its values."""
    for _ in range(1000):
        data = socket.receive().get("bytes")
        if data is None:
            continue
        length = int.from_bytes(data[:4], "little")
        head: dict[str, Any] = json.loads(data[4 : 4 + length])
        rest = np.frombuffer(data, np.uint8)[4 + length :]
        for place in [head, *head["sides"]]:
            key = "picture" if place is head else "live"
            if place[key] is not None:
                size = int(np.prod(place[key]))
                place[key], rest = rest[:size].reshape(place[key]), rest[size:]
        assert len(rest) == 0
        if wanted.items() <= head.items():
            return head
    raise AssertionError(f"no picture with {wanted}")


def ask(socket: WebSocketTestSession, **change: Any) -> None:
    socket.send_text(json.dumps(change))


def test_pictures_follow_one_another_and_carry_the_engines_answers(place: Path) -> None:
    with (
        client(place / "toy.bundle", str(place / "pictures"), threshold=1.5, policy="halting") as c,
        watching(c) as socket,
        Engine(place / "toy.bundle", threshold=1.5, policy="halting") as engine,
    ):
        names = set()
        for _ in range(2 * PICTURES):
            shown = picture(socket)
            names.add(shown["name"])
            image = np.asarray(Image.open(shown["name"]))
            answer = engine(image, live_masks=True)[0]
            side, static = shown["sides"]
            assert (shown["picture"] == image).all()
            assert answer.live_masks is not None
            live = np.stack(answer.live_masks, 1).reshape(answer.timesteps, 2, 2, 2)
            assert (side["live"] == live).all()
            assert side["live_tokens"] == answer.live_tokens.tolist()
            assert side["probability"] == pytest.approx(answer.probability)
            assert static["timesteps"] == 4
        assert len(names) == PICTURES


def test_what_is_compared_with_may_be_another_bundle(place: Path) -> None:
    pictures = str(place / "pictures")
    with client(place / "toy.bundle", pictures, place / "other.bundle") as c, watching(c) as socket:
        about = words(socket, "about")
        assert [side["name"] for side in about["sides"]] == ["toy", "other"]
        assert [side["timesteps"] for side in picture(socket)["sides"]] == [4, 2]
        ask(socket, compare=False)
        words(socket, "state", compare=False)
        sides = [len(picture(socket)["sides"]) for _ in range(4)]
        # One picture may have waited in the outbox, and one have been under way.
        assert sides[2:] == [1, 1] and sides == sorted(sides, reverse=True)


def test_a_knob_that_cannot_be_turned_so_is_refused_and_the_others_stay(place: Path) -> None:
    with client(place / "toy.bundle", str(place / "pictures")) as c, watching(c) as socket:
        for change, part in (
            ({"epsilon": 1.5}, "less than 1"),
            ({"max_timesteps": 7}, "max_timesteps 7"),
            ({"colour": "red"}, "Extra inputs"),
            ({"policy": "sometimes"}, "'halting', 'entropy', 'confidence'"),
        ):
            ask(socket, **change)
            assert part in words(socket, "refused")["error"]
        socket.send_text("{")
        assert "JSON" in words(socket, "refused")["error"]
        ask(socket, epsilon=0.5)
        assert words(socket, "state", epsilon=0.5)["max_timesteps"] == 4


def test_every_policy_keeps_its_own_threshold(place: Path) -> None:
    with client(place / "toy.bundle", str(place / "pictures")) as c, watching(c) as socket:
        ask(socket, policy="confidence", threshold=0.75)
        ask(socket, policy="entropy", threshold=0.25)
        ask(socket, policy="confidence")
        state = words(
            socket,
            "state",
            policy="entropy",
            thresholds={**_started(), "confidence": 0.75, "entropy": 0.25},
        )
        assert words(socket, "state", policy="confidence")["thresholds"] == state["thresholds"]


def _started() -> dict[str, float]:
    return {"halting": 4.0, "entropy": 0.1, "confidence": 0.9}


@pytest.mark.parametrize(
    ("origin", "host"),
    [("http://example.org", "127.0.0.1:8008"), (HOME, "example.org"), ("null", "127.0.0.1:8008")],
)
def test_strangers_see_nothing(place: Path, origin: str, host: str) -> None:
    with client(place / "toy.bundle", str(place / "pictures")) as c:
        with (
            pytest.raises(WebSocketDisconnect),
            c.websocket_connect("/live", headers={"origin": origin, "host": host}),
        ):
            pass
        assert c.get("/", headers={"host": "example.org"}).status_code == 400
        page = c.get("/")
        assert "script-src 'self'" in page.headers["content-security-policy"]


def test_a_source_that_fails_says_why_rests_and_can_be_played_again(place: Path) -> None:
    source = Failing()
    with client(place / "toy.bundle", source) as c, watching(c) as socket:
        assert words(socket, "state", playing=False)
        assert words(socket, "state", error="the camera was unplugged")
        ask(socket, playing=True)
        assert picture(socket, index=2)["name"] == "failing at 0.00 s"
        assert source.opened == 2


def test_without_a_source_it_waits_for_what_is_dropped(place: Path) -> None:
    with client(place / "toy.bundle", Nothing()) as c, watching(c) as socket:
        words(socket, "state", playing=False)
        socket.send_bytes(b"red.png\0" + encoded(np.full((9, 9, 3), [200, 0, 0], np.uint8), "PNG"))
        shown = picture(socket)
        assert (shown["name"], shown["playing"], shown["sides"][0]["name"]) == (
            "red.png",
            False,
            "red",
        )
        assert [each["timestep"] for each in shown["sides"][0]["points"]] == [1, 2, 3, 4]
        socket.send_bytes(b"notes.txt\0words")
        while not (problem := words(socket, "state")["error"]):
            pass
        assert "notes.txt" in problem
        ask(socket, epsilon=0.9)  # acts on the picture that was there before
        assert picture(socket)["name"] == "red.png"


def test_event_frames_are_shown_as_pictures_too(place: Path, tmp_path: Path) -> None:
    frames = np.random.default_rng(0).random((4, 2, 4, 4), np.float32)
    np.savez(tmp_path / "one.npz", frames=frames)
    with client(place / "events.bundle", str(tmp_path)) as c, watching(c) as socket:
        shown = picture(socket)
        assert shown["picture"].shape == (4, 4, 3)
        assert shown["sides"][0]["timesteps"] == 4
    with Engine(place / "events.bundle") as engine:
        spec = engine.manifest.input
        assert isinstance(open_source(None, spec), Nothing)
        for asked in ("clip.mp4", "digits"):
            with pytest.raises(InputError, match="event frames"):
                open_source(asked, spec)


def test_videos_come_again_and_show_more_than_the_bundle_sees(place: Path, tmp_path: Path) -> None:
    pytest.importorskip("av", reason="videos need pip install 'spikehalt[video]'")
    clip = write_video(tmp_path / "clip.mp4", (0, 100, 200))
    with Engine(place / "toy.bundle") as engine:
        manifest = engine.manifest
        source = open_source(str(clip), manifest.input)
        items = [item for item, _ in zip(source.items(), range(5), strict=False)]
        assert [item.name.split(" at ")[1] for item in items] == [
            "0.00 s", "0.10 s", "0.20 s", "0.00 s", "0.10 s",
        ]  # fmt: skip
        data = items[0].data(manifest.input)
        assert data.shape == (4, 4, 3)
        assert items[0].picture(manifest, data).shape == (256, 256, 3)


def test_of_a_camera_the_newest_picture_is_shown() -> None:
    gone, passed = threading.Event(), threading.Event()

    class Camera:
        def frames(self) -> Iterator[Frame]:
            for number in range(5):
                yield Frame(number, 0.0, np.zeros((2, 2, 3), np.uint8))
                if number == 0:
                    gone.wait(10)
            passed.set()

    passing = newest(Camera())  # type: ignore[arg-type]
    assert next(passing).index == 0
    gone.set()
    passed.wait(10)
    assert [frame.index for frame in passing] == [4]


def test_the_demos_digits_are_there_where_there_is_no_camera(place: Path) -> None:
    with Engine(place / "toy.bundle") as engine:
        spec = engine.manifest.input
        source = open_source("digits", spec)
        items = [item for item, _ in zip(source.items(), range(3), strict=False)]
        assert [item.name for item in items] == ["digit 0", "digit 1", "digit 2"]
        assert items[0].data(spec).shape == (4, 4, 3)
        assert items[0].data(spec).max() > 100
        with pytest.raises(InputError, match="nowhere"):
            open_source("nowhere", spec)


def test_nothing_is_computed_while_nobody_watches(place: Path) -> None:
    with Engine(place / "toy.bundle") as engine:
        side = Side(engine, engine.manifest.input)
        source = open_source(str(place / "pictures"), side.spec)
        knobs = start(engine.manifest, engine.settings, 50.0)
        app = create_app(side, side, Show(side, side, source, knobs))
        with TestClient(app, base_url=HOME) as c:
            with watching(c) as socket:
                picture(socket)
            c.get("/")
            left = engine.stats.calls
            c.get("/main.js")
            assert engine.stats.calls <= left + 2  # what was being answered when the last one left


def test_limits_fit_the_bundle(place: Path) -> None:
    with Engine(place / "toy.bundle") as engine:
        offered = limits(engine.manifest)
        assert offered["max_timesteps"] == {"min": 1, "max": 4, "step": 1}
        names = [policy["name"] for policy in offered["policies"]]
        assert names == ["halting", "entropy", "confidence", "never"]
        knobs = start(engine.manifest, engine.settings, 2.0)
        with pytest.raises(ConfigError):
            knobs.changed(Change(max_timesteps=9), engine.manifest)


def test_commands_of_the_documentation_are_accepted() -> None:
    text = (Path(__file__).parents[3] / "docs" / "live.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    for line in block.splitlines():
        command, *words = shlex.split(line, comments=True)
        arguments = build_parser().parse_args(words)
        assert (command, arguments.command) == ("spikehalt", "live")
    default = build_parser().parse_args(["live", "x.bundle"])
    assert f"default {default.port})" in text
