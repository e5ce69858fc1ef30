"""`report BUNDLE --against OTHER`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from runtime import Engine
from runtime.bundle import Bundle
from runtime.cli import main
from runtime.errors import ConfigError
from runtime.report.comparison import agreement, check_comparable
from tests.runtime.conftest import MakeBundle


def test_agreement_matches_classes_by_name(bundle: Bundle, images: NDArray[np.uint8]) -> None:
    with Engine(bundle) as engine:
        mine = engine(images)
    order = (2, 0, 1)
    manifest = replace(mine.manifest, classes=tuple(mine.manifest.classes[i] for i in order))
    place = np.argsort(order)
    theirs = replace(mine, labels=place[mine.labels], manifest=manifest)
    truth = mine.labels.copy()
    truth[:3] = (truth[:3] + 1) % 3

    assert agreement(mine, theirs, truth) == {
        "same": 1.0, "only_this_right": 0.0, "only_other_right": 0.0,
    }  # fmt: skip
    wrong = replace(theirs, labels=place[(mine.labels + 1) % 3])
    found = agreement(mine, wrong, truth)
    assert found == {"same": 0.0, "only_this_right": 9 / 12, "only_other_right": 3 / 12}
    assert agreement(mine, wrong, None)["only_this_right"] is None


def test_bundles_of_other_inputs_or_classes_are_refused(
    bundle: Bundle, make_bundle: MakeBundle
) -> None:
    events = make_bundle("events.bundle", kind="frames")
    strange = make_bundle("other.bundle", classes=("red", "green", "violet"))
    with Engine(bundle) as engine, Engine(events) as frames, Engine(strange) as other:
        with pytest.raises(ConfigError, match="'image' and toy of 'frames'"):
            check_comparable(engine, frames)
        with pytest.raises(ConfigError, match=r"different classes \('blue', 'violet'\)"):
            check_comparable(engine, other)
        check_comparable(engine, engine)


def test_the_command_shows_both_bundles(
    bundle: Bundle,
    images: NDArray[np.uint8],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for number, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{number:02}.png")
    page, root = tmp_path / "page.html", str(bundle.root)
    command = ["report", root, str(tmp_path), "-o", str(page), "--json", "--against", root]
    assert main([*command, "--policy", "halting", "--threshold", "1.5"]) == 0

    found = json.loads(capsys.readouterr().out)
    against = found["against"]
    assert against["names"] == [bundle.root.name] * 2  # bundles of one name go by their folders
    assert against["agreement"]["same"] == 1.0 and against["agreement"]["only_this_right"] is None
    assert against["summary"]["average_tokens"] == found["summary"]["average_tokens"]
    assert against["settings"] == found["settings"]
    text = page.read_text(encoding="utf-8")
    assert "Two bundles side by side" in text and text.count("1.00 ×") >= 2  # the same bundle
    assert "<th>live tokens</th>" in text and "<th>accuracy</th>" not in text  # no empty rows
