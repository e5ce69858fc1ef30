"""Real engines on a real GPU against ONNX Runtime: `pytest -m gpu`.

Skipped where there is no GPU, or no TensorRT; run it on the machine the engines are for.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.engines.build import build_engines
from export.engines.profiles import BatchRange
from export.engines.targets.base import EngineOptions
from export.engines.targets.choose import open_target
from export.errors import TargetMissingError, UnsupportedError
from runtime import Engine
from runtime.backends.cuda.driver import CudaDriver
from runtime.bundle.read import Bundle
from runtime.errors import DeviceError
from tests.export.dyadic import pictures
from tests.fakes.bundles import write_small_bundle
from train.models import NAMED_MODELS

pytestmark = [pytest.mark.gpu, pytest.mark.tensorrt]
ARCHITECTURES = sorted({each.arch for each in NAMED_MODELS.values() if not each.stages})
BACKENDS = [("tensorrt", True), ("tensorrt", False), ("tensorrt-rtx", False)]


def real_engines(folder: Path, flavour: str, plugins: bool, batch: str, **changes: Any) -> Bundle:
    """A bundle with engines for this machine's GPU; skips, with the reason, without one."""
    module = flavour.replace("-", "_")
    try:
        importlib.import_module(module)
        capability = CudaDriver().compute_capability
    except (ImportError, DeviceError) as error:
        pytest.skip(f"needs {module} and an NVIDIA GPU: {error}")
    rtx = {"compute_capabilities": (capability,)} if flavour == "tensorrt-rtx" else {}
    options = EngineOptions(batch=BatchRange.parse(batch), plugins=plugins, **rtx)
    try:
        target = open_target(flavour, options)
    except (TargetMissingError, UnsupportedError) as error:
        pytest.skip(str(error))
    return build_engines(write_small_bundle(folder, **changes), target, options)


@pytest.mark.parametrize("merging", [{"gamma": 3}, {"merge_threshold": 0.8}])
@pytest.mark.parametrize("layout", ["dense", "lagged"])
@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize(("flavour", "plugins"), BACKENDS)
def test_float32_engines_decide_as_onnx_runtime(
    tmp_path: Path, flavour: str, plugins: bool, arch: str, layout: str, merging: dict[str, Any]
) -> None:
    """With dyadic weights every sum is exact, so live tokens must be equal."""
    bundle = real_engines(tmp_path, flavour, plugins, "1:4:8", arch=arch, layout=layout, **merging)
    with Engine(bundle, threads=1, backend="onnxruntime", policy="never") as engine:
        expected = engine(pictures(7))
    with Engine(bundle, backend=flavour, policy="never") as engine:
        for _ in range(3):
            found = engine(pictures(7))
            np.testing.assert_array_equal(found.live_tokens, expected.live_tokens)
            np.testing.assert_allclose(found.logits, expected.logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("flavour", "plugins"), BACKENDS)
def test_float16_engines_decide_as_onnx_runtime(
    tmp_path: Path, flavour: str, plugins: bool
) -> None:
    bundle = real_engines(tmp_path, flavour, plugins, "8", layout="lagged", precision="fp16")
    with Engine(bundle, threads=1, backend="onnxruntime", policy="never") as engine:
        expected = engine(pictures(8))
    with Engine(bundle, backend=flavour, policy="never") as engine:
        found = engine(pictures(8))
    np.testing.assert_array_equal(found.live_tokens, expected.live_tokens)
    np.testing.assert_allclose(found.logits, expected.logits, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(("flavour", "plugins"), BACKENDS)
def test_images_leave_one_by_one(tmp_path: Path, flavour: str, plugins: bool) -> None:
    bundle = real_engines(tmp_path, flavour, plugins, "1:4:8", layout="lagged")
    with Engine(bundle, threads=1, backend="onnxruntime") as engine:
        scores = engine.record(pictures(8)).halt_score
    settings: Any = {"policy": "halting", "threshold": float(np.median(scores[:, 0])) + 1e-3}
    with Engine(bundle, threads=1, backend="onnxruntime", **settings) as engine:
        expected = engine(pictures(8))
    with Engine(bundle, backend=flavour, **settings) as engine:
        found = engine(pictures(8))
    assert len(set(expected.timesteps)) > 1
    np.testing.assert_array_equal(found.timesteps, expected.timesteps)
