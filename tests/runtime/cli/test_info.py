from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runtime.bundle import Bundle, EnergySpec, ExitSpec
from runtime.cli import main
from runtime.cli.info import _merging
from tests.runtime.conftest import MakeBundle
from tests.runtime.toy import toy_manifest


def test_shows_what_the_bundle_is(
    make_bundle: MakeBundle,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    energy = EnergySpec(once_mj=1, per_timestep_mj=1, per_token_mj=(1, 1), source="digits")
    exit_spec = ExitSpec(default="entropy", entropy=0.25)
    bundle = make_bundle(energy=energy, exit=exit_spec)

    assert main(["info", str(bundle.root)]) == 0
    out, err = capsys.readouterr()

    for text in (
        "toy",
        "uint8 [B, 4, 4, 3]",
        "resize, bilinear, upright, rgb, uint8 0..255",
        "3: red, green, blue",
        "4, 1 at once",
        "entropy 0.25",
    ):
        assert text in out
    for text in (
        "packed",
        "fp32",
        "block_time, ε 0.01",
        "digits",
        "first.onnx",
        bundle.fingerprint,
    ):
        assert text in out
    assert err == ""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "none"),
        ({"tokens": 6, "tokens_per_block": (5, 3)}, "1, 2 tokens, by block"),
        ({"model": {"merge_threshold": 0.9}}, "cosine is at least 0.9; their slots stay, dead"),
    ],
)
def test_what_merges_is_said(changes: dict[str, Any], said: str) -> None:
    assert _merging(replace(toy_manifest(), **changes)).endswith(said)


@pytest.mark.parametrize(("qdq", "form"), [(False, "int8, for CPUs"), (True, "Q/DQ pairs")])
def test_the_form_of_int8_is_named(
    make_bundle: MakeBundle, capsys: pytest.CaptureFixture[str], qdq: bool, form: str
) -> None:
    assert main(["info", str(make_bundle(precision="int8", qdq=qdq).root)]) == 0
    assert form in capsys.readouterr().out


def test_json_is_the_manifest(bundle: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(bundle.root), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)

    assert data.pop("fingerprint") == bundle.fingerprint
    assert data.pop("signature") == "none"
    assert data == json.loads(bundle.manifest.to_json())


def test_a_damaged_bundle_is_named(bundle: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    (bundle.root / "first.onnx").write_bytes(b"")

    assert main(["info", str(bundle.root)]) == 2
    assert "first.onnx is truncated" in capsys.readouterr().err


def test_it_is_a_module(bundle: Bundle) -> None:
    command = [sys.executable, "-m", "runtime", "info", str(bundle.root), "--json"]

    done = subprocess.run(
        command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True
    )

    assert json.loads(done.stdout)["name"] == "toy"
