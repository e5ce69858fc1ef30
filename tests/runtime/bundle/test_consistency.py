from __future__ import annotations

from typing import Any

import pytest

from runtime.bundle import EnergySpec, ExitSpec, FileEntry, HaltingSpec, InputSpec, Manifest
from runtime.errors import BundleFormatError
from tests.runtime.manifests import small_manifest

ENTRY = FileEntry(sha256="0" * 64, bytes=3)
FRAMES = {"kind": "frames", "height": 4, "width": 4, "channels": 2}


def test_frames_need_as_many_timesteps_as_the_model() -> None:
    good = small_manifest(input=InputSpec(**FRAMES, timesteps=4))

    assert Manifest.from_json(good.to_json()).input.timesteps == 4
    with pytest.raises(BundleFormatError, match=r"input\.timesteps 3 must be 4"):
        small_manifest(input=InputSpec(**FRAMES, timesteps=3)).to_json()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"chunk": 3}, "chunk 3 does not divide timesteps 4"),
        ({"chunk": 0}, "chunk 0 does not divide"),
        ({"qdq": True}, "qdq does not go with precision"),
        ({"timesteps": 0}, "timesteps 0 is not in"),
        ({"tokens_per_block": (4, 5)}, "never grow from block to block"),
        ({"tokens_per_block": ()}, "needs 1..1024 blocks"),
        ({"classes": ()}, "classes needs at least one name"),
        ({"halting": HaltingSpec(mode="block", epsilon=1.0)}, "epsilon 1.0 is not in"),
        ({"exit": ExitSpec(default="entropy")}, "'entropy' has no calibrated threshold"),
        ({"exit": ExitSpec(entropy=1.2)}, "exit.entropy 1.2 is not in"),
        (
            {"exit": ExitSpec(halting=-1e10)},
            r"exit.halting -10000000000.0 is not in \[-1e\+09, 1e\+09\]",
        ),
        (
            {"halting": HaltingSpec(mode="none"), "exit": ExitSpec(halting=1.0)},
            "although halting.mode is none",
        ),
        ({"files": {"../x": ENTRY}}, "not a plain file name"),
        ({"files": {"manifest.json": ENTRY}}, "not a plain file name"),
        ({"files": {"first.onnx": ENTRY}}, "lacks next.onnx"),
        ({"files": {"next.onnx": ENTRY}}, "lacks first.onnx"),
        (
            {"chunk": 4, "files": {"first.onnx": ENTRY, "next.onnx": ENTRY}},
            "superfluous next.onnx",
        ),
        ({"files": {"a": FileEntry(sha256="x", bytes=1)}}, "hexadecimal"),
        ({"files": {"a": FileEntry(sha256="0" * 64, bytes=2**60)}}, "must be an integer"),
        ({"input": InputSpec(kind="image", height=0, width=4, channels=3)}, "height 0"),
        ({"input": InputSpec(kind="image", height=16384, width=16384, channels=3)}, "2.28"),
        ({"model": {"x": float("nan")}}, "cannot be written as JSON"),
        ({"model": {"x": object()}}, "cannot be written as JSON"),
    ],
)
def test_contradictions_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BundleFormatError, match=message):
        small_manifest(**changes).to_json()


def test_energy_has_one_token_cost_per_block() -> None:
    energy = EnergySpec(once_mj=1, per_timestep_mj=1, per_token_mj=(1.0,), source="x")

    with pytest.raises(BundleFormatError, match="has 1 entries"):
        small_manifest(energy=energy).to_json()


def test_an_instrumented_bundle_needs_the_energy_constants() -> None:
    with pytest.raises(BundleFormatError, match="needed by an instrumented bundle"):
        small_manifest(instrumented=True).to_json()
