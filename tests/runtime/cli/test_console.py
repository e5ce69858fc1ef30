from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from runtime.bundle.read import Bundle
from runtime.cli import main
from runtime.cli.info import identity
from tests.runtime.conftest import MakeBundle


@pytest.fixture
def without_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in sys.modules if each == "rich" or each.startswith("rich.")]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "rich", None)


@pytest.mark.usefixtures("without_rich")
def test_info_says_the_same_without_rich(
    bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["info", str(bundle.root)]) == 0
    out, err = capsys.readouterr()

    lines = [line.split(None, 1)[-1] for line in out.splitlines()]
    assert out.startswith(f"{bundle.root}\n")
    for name, value in identity(bundle):
        assert name in out and any(line.endswith(value) for line in lines)
    assert "python -m runtime calibrate" in err


@pytest.mark.usefixtures("without_rich")
def test_bench_shows_a_table_without_rich(
    bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", str(bundle.root), "--batch", "2", "--count", "4", "--rounds", "2"]) == 0
    out = capsys.readouterr().out

    assert "ms per image" in out and "all timesteps" in out
    assert "medians over 2 rounds of 4 images" in out


@pytest.mark.usefixtures("without_rich")
def test_files_are_classified_without_rich(
    make_bundle: MakeBundle,
    frames: NDArray[np.float32],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    np.savez(tmp_path / "a.npz", frames=frames[0])

    assert main(["run", str(make_bundle(kind="frames").root), str(tmp_path / "a.npz")]) == 0
    assert "a.npz" in capsys.readouterr().out
