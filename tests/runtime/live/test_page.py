"""The live page in a real browser: one server and one tab for all tests."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

pytest.importorskip("websockets", reason="the live page needs pip install 'spikehalt[live]'")

from runtime import Engine, ImageResult
from runtime.inputs.files import decode_image
from tests.runtime.live.server import RunningPage
from tests.runtime.report.chromium import Page, browser, find_chromium
from tests.runtime.report.test_browser import luminance

CHROMIUM = find_chromium()
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium here: install one, or name it in CHROMIUM"
)
SIZES = {"phone": (360, 780), "tablet": (768, 1024), "desktop": (1920, 1080)}
START = {"policy": "halting", "threshold": 1.6}  # where a slider can stand
RESTS = """document.body.dataset.playing === 'false' &&
           !!document.querySelector('.step span:last-child').title"""
# Patches that are dark to bright, and reddish: they die one after the other.
PICTURE = np.repeat(np.repeat(np.array([[10, 75], [150, 230]], np.uint8), 2, 0), 2, 1)[..., None]
PICTURE = np.concatenate([PICTURE, PICTURE // 2, PICTURE // 3], 2)


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[RunningPage]:
    bundle, pictures = str(place / "toy.bundle"), str(place / "pictures")
    exits = ["--policy", START["policy"], "--threshold", str(START["threshold"])]
    with RunningPage([bundle, "--source", pictures, "--rate", "60", *map(str, exits)]) as server:
        yield server


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    assert CHROMIUM is not None
    with browser(CHROMIUM, tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture(scope="module")
def engine(place: Path) -> Iterator[Engine]:
    with Engine(place / "toy.bundle", **START) as engine:  # type: ignore[arg-type]
        yield engine


@pytest.fixture
def page(tab: Page, server: RunningPage) -> Iterator[Page]:
    """The page, resting on PICTURE, its knobs as the command line set them."""
    tab.problems.clear()
    open_page(tab, server)
    drop(tab, "picture.png", as_png(PICTURE))
    tab.wait_for("document.getElementById('name').textContent === 'picture.png'")
    tab.wait_for(RESTS)
    yield tab
    for name, value in (("epsilon", 0.01), ("max_timesteps", 4)):
        slide(tab, name, value)
    choose(tab, "policy", START["policy"])
    slide(tab, "threshold", START["threshold"])
    assert tab.problems == []


def open_page(tab: Page, server: RunningPage, size: str = "desktop", **looks: bool) -> None:
    tab.open(server.address, *SIZES[size], **{"dark": False, **looks})
    tab.wait_for("document.body?.dataset.drawn > 0")


def rest(tab: Page) -> None:
    """Let pictures rest, if they do not."""
    if tab.evaluate("document.getElementById('play').textContent") == "Pause":
        tab.evaluate("document.getElementById('play').click()")
    tab.wait_for(RESTS)


def slide(page: Page, name: str, value: Any) -> None:
    """Move a slider as a hand does, and wait until its picture is there."""
    page.evaluate(
        f"(slider => {{ slider.value = {value}; slider.dispatchEvent(new Event('input')); }})"
        f"(document.getElementById({name!r}))"
    )
    page.wait_for(f"JSON.parse(document.body.dataset.asked).{name} === {value}")


def choose(page: Page, name: str, value: Any) -> None:
    """Choose from a list, and wait until its picture is there."""
    page.evaluate(
        f"(list => {{ list.value = {value!r}; list.dispatchEvent(new Event('change')); }})"
        f"(document.getElementById({name!r}))"
    )
    page.wait_for(f"JSON.parse(document.body.dataset.asked).{name} === {value!r}")


def shown(page: Page, side: str = "adaptive") -> dict[str, Any]:
    """The whole numbers behind what is shown."""
    figure = f"document.getElementById({side!r})"
    gauge = "Number(document.querySelector('[data-key=\"{}.{}\"]').value)"
    return {
        "name": page.evaluate(f"{figure}.querySelector('[data-key=name]').textContent"),
        "probability": float(
            page.evaluate(f"{figure}.querySelector('[data-key=probability]').value")
        ),
        "energy_mj": page.evaluate(gauge.format(side, "energy_mj")),
        "work": page.evaluate(gauge.format(side, "work")),
        "timesteps": page.evaluate(gauge.format(side, "timesteps")),
    }


def told(answer: ImageResult, timesteps: int) -> dict[str, Any]:
    """The same numbers of the engine's answer."""
    return {
        "name": answer.name,
        "probability": answer.probability,
        "energy_mj": answer.energy_mj,
        "work": answer.average_tokens * answer.timesteps / timesteps,
        "timesteps": answer.timesteps,
    }


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_it_opens_without_problems_and_fits_the_window(
    tab: Page, server: RunningPage, size: str, dark: bool
) -> None:
    tab.problems.clear()
    tab.requests.clear()
    open_page(tab, server, size, dark=dark)

    assert tab.problems == []
    assert len(tab.requests) > 5
    assert all(url.startswith(server.address) for url in tab.requests), tab.requests
    assert tab.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
    over = """[...document.querySelectorAll('main *')].filter(each => {
        const [inner, outer] = [each, each.closest('section')].map(e => e.getBoundingClientRect());
        return inner.width && (inner.right > outer.right + 1 || inner.left < outer.left - 1);
    }).length"""
    assert tab.evaluate(over) == 0
    background = luminance(tab.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert (background < 0.5) == dark
    card = luminance(
        tab.evaluate("getComputedStyle(document.querySelector('section')).backgroundColor")
    )
    for element in ("#what", "h2", ".quiet", ".row .static + data", "figcaption", ".knob small"):
        colour = tab.evaluate(f"getComputedStyle(document.querySelector({element!r})).color")
        lighter, darker = sorted((luminance(colour), card), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) > 4.5, element


def test_numbers_are_the_engines(page: Page, engine: Engine) -> None:
    assert shown(page) == pytest.approx(told(engine(PICTURE)[0], 4))
    static = engine(PICTURE, policy="never", epsilon=0.0)[0]
    assert shown(page, "static") == pytest.approx(told(static, 4))


def test_sliders_change_the_answer(page: Page, engine: Engine) -> None:
    seen = [shown(page)]
    for turn, asked in (
        (lambda: slide(page, "epsilon", 0.9), {"epsilon": 0.9}),
        (lambda: slide(page, "threshold", 8), {"epsilon": 0.9, "threshold": 8.0}),
        (lambda: slide(page, "max_timesteps", 2), {"max_timesteps": 2, "threshold": 8.0}),
        (lambda: choose(page, "policy", "never"), {"max_timesteps": 2, "policy": "never"}),
    ):
        turn()
        expected = engine(PICTURE, **{"epsilon": 0.9, **asked})[0]  # type: ignore[arg-type]
        assert shown(page) == pytest.approx(told(expected, 4)), asked
        seen.append(shown(page))
    assert seen[0] != seen[1] != seen[2] != seen[3]


def test_a_dropped_image_is_classified_and_what_is_none_is_told(page: Page, engine: Engine) -> None:
    pixels = np.zeros((30, 20, 3), np.uint8)
    pixels[..., 2] = 200
    content = as_png(pixels)
    drop(page, "blue <b>.png", content)
    page.wait_for("document.getElementById('name').textContent === 'blue <b>.png'")

    image = decode_image(content, "blue", engine.manifest.input)
    assert shown(page) == pytest.approx(told(engine(image)[0], 4))
    assert shown(page)["name"] == "blue"

    drop(page, "words.txt", b"no picture")
    problem = page.wait_for("document.getElementById('error').textContent")
    assert "words.txt" in problem
    assert shown(page)["name"] == "blue"
    page.evaluate("document.getElementById('next').click()")
    page.wait_for("document.getElementById('error').hidden")


def as_png(pixels: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def drop(page: Page, name: str, content: bytes) -> None:
    text = base64.b64encode(content).decode()
    page.evaluate(
        f"""(() => {{
            const bytes = Uint8Array.from(atob({text!r}), each => each.charCodeAt(0));
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([bytes], {name!r}));
            document.body.dispatchEvent(new DragEvent("drop", {{ dataTransfer, bubbles: true }}));
        }})()"""
    )


def test_pictures_rest_and_timesteps_can_be_stepped_through(page: Page, engine: Engine) -> None:
    """Also those that did not run, with what they would have said."""
    trajectory = engine.record(PICTURE)
    guesses = page.evaluate("[...document.querySelectorAll('.step')].map(e => e.textContent)")
    for point, guess in enumerate(guesses):
        assert engine.manifest.classes[trajectory.labels[0, point]] in guess
        assert ("had left" in guess) == (point >= engine(PICTURE)[0].timesteps)
    page.evaluate("document.querySelector('.step').click()")
    pixel = "[...document.querySelector('canvas').getContext('2d').getImageData(0, 0, 4, 4).data]"
    first = page.evaluate(pixel)
    for number in range(3):
        page.evaluate("document.getElementById('forth').click()")
        pressed = "[...document.querySelectorAll('.step')].findIndex(e => e.ariaPressed === 'true')"
        assert page.evaluate(pressed) == number + 1
    assert page.evaluate("document.getElementById('forth').disabled")
    assert page.evaluate(pixel) != first  # patches have died since
    index = int(page.evaluate("document.body.dataset.index"))
    page.evaluate("document.getElementById('next').click()")
    page.wait_for(f"document.body.dataset.index == {index + 1}")


def test_dead_patches_are_faded_as_far_as_the_engine_says(page: Page, engine: Engine) -> None:
    answer = engine(PICTURE, live_masks=True)[0]
    assert answer.live_masks is not None
    depth = np.mean([mask[-1] for mask in answer.live_masks], axis=0).reshape(2, 2)
    depth = depth.repeat(2, 0).repeat(2, 1)[..., None]
    page_colour = np.array([0xE6, 0xEA, 0xF0])
    expected = PICTURE + 0.86 * (1 - depth) * (page_colour - PICTURE)
    pixel = "[...document.querySelector('canvas').getContext('2d').getImageData(0, 0, 4, 4).data]"
    drawn = np.reshape(page.evaluate(pixel), (4, 4, 4))[..., :3]
    np.testing.assert_allclose(drawn, expected, atol=2)


def test_everything_is_reached_and_named_and_works_by_keyboard(page: Page) -> None:
    page.evaluate("document.activeElement.blur()")
    reached = []
    for _ in range(30):
        page.press("Tab")
        here = page.evaluate("document.activeElement.id || document.activeElement.className")
        reached.append(here)
        if here == "compare":
            break
    assert reached[0] == "skip"
    order = ["play", "next", "file", "step", "epsilon", "policy", "threshold", "max_timesteps"]
    assert [name for name in dict.fromkeys(reached) if name in order] == order
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) == "solid"

    tree = page.call("Accessibility.getFullAXTree")["nodes"]
    roles = ("button", "slider", "combobox", "checkbox", "meter", "image", "group", "toolbar")
    found = [each for each in tree if each.get("role", {}).get("value") in roles]
    assert len(found) > 20
    assert [each for each in found if not each.get("name", {}).get("value")] == []

    before = page.evaluate("document.body.dataset.drawn")
    page.evaluate("document.getElementById('epsilon').focus()")
    page.press("End")
    page.wait_for(f"document.body.dataset.drawn > {before}")
    assert page.evaluate("document.querySelector('output[for=epsilon]').textContent") == "0.99"
    page.evaluate("document.querySelector('.step').focus()")
    page.press("Enter")
    page.press("ArrowRight")
    assert page.evaluate("document.activeElement.textContent").startswith("t = 2")
    page.evaluate("document.getElementById('play').focus()")
    page.press(" ")
    page.wait_for("document.body.dataset.playing === 'true'")
    page.press(" ")
    page.wait_for(RESTS)


def test_less_motion_means_that_pictures_rest_until_asked(tab: Page, server: RunningPage) -> None:
    open_page(tab, server)
    rest(tab)
    tab.evaluate("document.getElementById('play').click()")
    tab.wait_for("document.body.dataset.playing === 'true'")
    open_page(tab, server, calm=True)
    tab.wait_for(RESTS)
    moving = "[...document.querySelectorAll('*')].filter(e => e.getAnimations().length).length"
    assert tab.evaluate(moving) == 0


def test_pictures_that_pass_leave_nothing_behind(page: Page, server: RunningPage) -> None:
    open_page(page, server, "phone")  # fewer pixels to paint
    page.call("Network.disable")  # or the browser keeps every message for its inspector
    page.evaluate("document.getElementById('play').click()")
    sizes, nodes = [], []
    for pictures in (50, 60, 60):
        drawn = int(page.evaluate("document.body.dataset.drawn"))
        page.wait_for(f"document.body.dataset.drawn > {drawn + pictures}", every_s=0.3)
        sizes.append(page.heap_bytes())
        nodes.append(page.call("Memory.getDOMCounters")["nodes"])
    page.evaluate("document.getElementById('play').click()")
    page.wait_for(RESTS)
    page.call("Network.enable")
    assert sizes[2] - sizes[1] < 60 * 800  # bytes; a picture that stayed has some 1,300
    assert nodes[2] < nodes[1] + 60  # text that was replaced goes a little later


def test_it_says_that_the_server_is_gone_which_leaves_without_complaint(
    tab: Page, place: Path
) -> None:
    with RunningPage([str(place / "toy.bundle"), "--source", str(place / "pictures")]) as other:
        open_page(tab, other)
        status, complaints = other.stop()
        tab.wait_for("document.getElementById('connection').dataset.state === 'lost'")
    assert (status, complaints.count("Traceback")) == (0, 0), complaints
