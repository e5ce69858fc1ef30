"""Small valid manifests for tests."""

from __future__ import annotations

from typing import Any

from runtime.bundle import HaltingSpec, InputSpec, Manifest


def small_manifest(**changes: Any) -> Manifest:
    fields: dict[str, Any] = {
        "producer": "tests",
        "name": "spikformer-2-8",
        "model": {"blocks": 2},
        "classes": ("cat", "dog", "owl"),
        "input": InputSpec(kind="image", height=4, width=4, channels=3),
        "timesteps": 4,
        "chunk": 1,
        "layout": "packed",
        "precision": "fp32",
        "tokens": 4,
        "tokens_per_block": (4, 3),
        "halting": HaltingSpec(mode="block_time", epsilon=0.01),
    }
    return Manifest(**{**fields, **changes})
