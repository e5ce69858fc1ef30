from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from runtime.bundle import Bundle, add_files
from runtime.bundle.engine_manifest import (
    EngineSidecar,
    Machine,
    PluginUse,
    mismatch,
    numbers,
    pair_engines,
    read_sidecars,
    this_platform,
)
from runtime.errors import BundleFormatError, BundleVersionError
from tests.runtime.conftest import MakeBundle

MACHINE = Machine(
    flavour="tensorrt", version="10.13.3.9", platform="linux-x86_64", gpu="GPU",
    compute_capability="8.6",
)  # fmt: skip


def sidecar_of(bundle: Bundle, **changes: Any) -> EngineSidecar:
    graph = changes.get("graph", "first")
    fields: dict[str, Any] = {
        "build": "b1", "graph": graph, "flavour": "tensorrt", "version": "10.13.3.9",
        "graph_sha256": bundle.manifest.files[f"{graph}.onnx"].sha256,
        "platform": "linux-x86_64", "compute_capabilities": ("8.6",), "gpu": "GPU",
        "layout": "dense", "precision": "fp16", "batch": (1, 4, 8), "profiles": (1, 4, 8),
    }  # fmt: skip
    return EngineSidecar(**{**fields, **changes})


def test_what_is_written_is_read(bundle: Bundle) -> None:
    plugin = PluginUse(name="LIF", version="1", namespace="spikehalt", layers=3)
    sidecar = sidecar_of(bundle, plugins=(plugin,), rows={"rows.block2": 64}, gpu=None)
    assert EngineSidecar.from_json(sidecar.to_json(), "x.plan.json") == sidecar


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"format": "other"}, BundleFormatError, "does not say format"),
        ({"format_version": 2}, BundleVersionError, "format 2: update spikehalt"),
        ({"flavor": "tensorrt"}, BundleFormatError, "did you mean 'flavour'"),
        ({"batch": [4, 1, 8]}, BundleFormatError, "is not MIN ≤ OPT ≤ MAX"),
        ({"batch": [0, 1, 8]}, BundleFormatError, "is not MIN ≤ OPT ≤ MAX"),
        ({"batch": [1, 8]}, BundleFormatError, "is not MIN ≤ OPT ≤ MAX"),
        ({"profiles": [1, 4]}, BundleFormatError, "do not end at MAX"),
        ({"profiles": []}, BundleFormatError, "do not end at MAX"),
        ({"layout": "round"}, BundleFormatError, "unknown value 'round'"),
    ],
)
def test_a_damaged_sidecar_is_refused(
    bundle: Bundle, changes: dict[str, Any], error: type, message: str
) -> None:
    data = {**json.loads(sidecar_of(bundle).to_json()), **changes}
    with pytest.raises(error, match=message):
        EngineSidecar.from_json(json.dumps(data), "x.plan.json")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"graph_sha256": "0" * 64}, "was built from another first.onnx than the bundle's"),
        ({"platform": "linux-aarch64"}, "was built for linux-aarch64, this is linux-x86_64"),
        (
            {"version": "10.3.0.30"},
            "was built by TensorRT 10.3.0.30, installed is 10.13.3.9",
        ),
        ({"version": "10.3.0.30", "version_compatible": True}, None),
        (
            {"version": "11.4.0.106", "version_compatible": True},
            "was built by TensorRT 11.4.0.106, installed is 10.13.3.9",
        ),
        (
            {"compute_capabilities": ("8.7",)},
            "was built for GPUs of compute capability 8.7, GPU has 8.6",
        ),
        ({"compute_capabilities": ("8.7",), "hardware_compatible": True}, None),
        ({"compute_capabilities": ("8.9", "8.6")}, None),
        ({"compute_capabilities": ()}, None),
    ],
)
def test_one_sentence_says_what_does_not_fit(
    bundle: Bundle, changes: dict[str, Any], reason: str | None
) -> None:
    assert mismatch(sidecar_of(bundle, **changes), bundle, MACHINE) == reason


def test_engines_for_ampere_and_newer_do_not_run_on_turing(bundle: Bundle) -> None:
    turing = dataclasses.replace(MACHINE, compute_capability="7.5")
    for changes in ({"compute_capabilities": ()}, {"hardware_compatible": True}):
        reason = mismatch(sidecar_of(bundle, **changes), bundle, turing)
        assert reason == "was built for GPUs of compute capability 8.0 and newer, GPU has 7.5"


def test_an_engine_of_a_graph_the_bundle_lacks_does_not_fit(make_bundle: MakeBundle) -> None:
    unrolled, other = make_bundle(chunk=4), make_bundle("other.bundle")
    reason = mismatch(sidecar_of(other, graph="next"), unrolled, MACHINE)
    assert reason == "was built from another next.onnx than the bundle's"


def with_engines(bundle: Bundle, *sidecars: EngineSidecar) -> Bundle:
    files: dict[str, bytes | Path] = {}
    for number, sidecar in enumerate(sidecars):
        files[f"e{number}.plan"] = b"plan"
        files[f"e{number}.plan.json"] = sidecar.to_json().encode()
    return add_files(bundle.root, files)


def test_engines_are_read_by_flavour(bundle: Bundle) -> None:
    both = with_engines(bundle, sidecar_of(bundle), sidecar_of(bundle, flavour="tensorrt-rtx"))
    assert list(read_sidecars(both, "tensorrt")) == ["e0.plan"]
    assert list(read_sidecars(both, "tensorrt-rtx")) == ["e1.plan"]


def test_engines_pair_within_one_build_and_larger_batches_come_first(bundle: Bundle) -> None:
    large = {"batch": (1, 8, 32), "profiles": (32,)}
    full = with_engines(
        bundle,
        sidecar_of(bundle), sidecar_of(bundle, graph="next"),
        sidecar_of(bundle, build="b2", **large),
        sidecar_of(bundle, build="b2", graph="next", **large),
    )  # fmt: skip
    pair, refusals = pair_engines(full, read_sidecars(full, "tensorrt"), MACHINE)
    assert pair is not None and pair.next is not None
    assert (pair.first[0], pair.next[0], refusals) == ("e2.plan", "e3.plan", [])


def test_a_build_without_the_second_graph_is_passed_over(bundle: Bundle) -> None:
    half = with_engines(bundle, sidecar_of(bundle))
    pair, refusals = pair_engines(half, read_sidecars(half, "tensorrt"), MACHINE)
    assert pair is None and refusals == ["build b1 lacks the engine of a graph"]


def test_an_unrolled_bundle_needs_one_engine(make_bundle: MakeBundle) -> None:
    bundle = make_bundle(chunk=4)
    full = with_engines(bundle, sidecar_of(bundle))
    pair, _ = pair_engines(full, read_sidecars(full, "tensorrt"), MACHINE)
    assert pair is not None and pair.next is None


def test_every_refusal_is_reported_by_file(bundle: Bundle) -> None:
    full = with_engines(
        bundle, sidecar_of(bundle), sidecar_of(bundle, graph="next", version="10.3.0.30")
    )
    sidecars = read_sidecars(full, "tensorrt")
    pair, refusals = pair_engines(full, sidecars, MACHINE)
    assert pair is None
    assert refusals == ["e1.plan was built by TensorRT 10.3.0.30, installed is 10.13.3.9"]

    pair, refusals = pair_engines(full, {"e0.plan": sidecars["e0.plan"]}, MACHINE, lambda _: "no")
    assert refusals == ["e0.plan no"]


def test_versions_compare_by_their_numbers() -> None:
    assert numbers("10.3.0.30") < numbers("10.13.3.9") < numbers("11.0")
    assert numbers("1.7.1.post2") == (1, 7, 1)


def test_the_platform_is_system_and_processor() -> None:
    system, processor = this_platform().split("-", 1)
    assert system in ("linux", "darwin", "win32") and processor
