"""Arguments that cannot be are refused before the checkpoint or an image is read."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import pytest

from export.comparison.checks import output_file
from export.errors import UnsupportedError
from runtime.bundle.read import Bundle
from tests.fakes.bundles import write_small_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return write_small_bundle(tmp_path, "dense")


def target(bundle: Bundle, path: Path | None = None) -> Path:
    return output_file(argparse.Namespace(out=path), bundle)


def test_the_file_lies_beside_the_bundle_unless_named(bundle: Bundle, tmp_path: Path) -> None:
    assert target(bundle) == tmp_path / "small.compare.json"
    assert target(bundle, tmp_path / "own.json") == tmp_path / "own.json"


def test_a_file_that_could_not_be_written_is_refused(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnsupportedError, match=r"there is no folder .*none; name another"):
        target(bundle, tmp_path / "none" / "x.json")
    with pytest.raises(UnsupportedError, match="it is a folder; name another"):
        target(bundle, tmp_path)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(UnsupportedError, match="no permission to write there; name another"):
        target(bundle)
