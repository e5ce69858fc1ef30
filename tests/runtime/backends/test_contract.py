"""A manifest over graphs that are not its own is refused, before anything is computed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from runtime.backends.contract import check_facts
from runtime.backends.facts import Facts
from runtime.bundle import FIRST_GRAPH, HaltingSpec, InputSpec, graph_properties
from runtime.errors import BundleFormatError
from spikehalt.vocabulary import Layout
from tests.runtime.manifests import small_manifest

MANIFEST = small_manifest(
    model={"timesteps": 4, "merge_gamma": 1, "halting": {"mode": "block_time"}},
    tokens=5, tokens_per_block=(4, 3), live_masks=True,
)  # fmt: skip
SHAPES: Mapping[str, tuple[int | None, ...]] = {
    "image": (None, 4, 4, 3),
    "epsilon": (),
    "logits": (None, 3),
    "halt_score": (None,),
    "live_tokens": (None, 1, 2),
    "live.block2": (None, 1, 3),
    "next.state.tokens": (None, 4, 8),
    "next.state.block2.hist": (None, 3),
    "next.state.block1.fc1_lif": (None, 32),
}
TYPES = dict.fromkeys(SHAPES, "float32")
PORTS_ALONE = Facts(shapes=SHAPES, types=TYPES, ops={"LIF", "Gemm"})
NOTED = Facts(properties=graph_properties(MANIFEST))
IMAGE = InputSpec(kind="image", height=8, width=4, channels=3)


@pytest.mark.parametrize("facts", [PORTS_ALONE, NOTED, Facts()])
def test_a_manifest_fits_its_own_graphs(facts: Facts) -> None:
    check_facts(MANIFEST, FIRST_GRAPH, facts)


@pytest.mark.parametrize("name", ["head_lif", "block1.attn_lif"])
@pytest.mark.parametrize("layout", ["packed", "dense"])
def test_membranes_that_every_image_has_once_say_nothing_of_the_layout(
    name: str, layout: Layout
) -> None:
    state = {f"next.state.{name}": (None, 32)}
    facts = Facts(shapes=state, types=dict.fromkeys(state, "float32"))
    check_facts(dataclasses.replace(MANIFEST, layout=layout), FIRST_GRAPH, facts)


@pytest.mark.parametrize(
    ("facts", "changes", "what"),
    [
        (PORTS_ALONE, {"chunk": 2}, "live_tokens of shape"),
        (PORTS_ALONE, {"timesteps": 8}, "timesteps 8, its model has 4"),
        (PORTS_ALONE, {"tokens_per_block": (4, 2)}, "tokens_per_block"),
        (PORTS_ALONE, {"tokens": 9}, "tokens_per_block"),
        (PORTS_ALONE, {"tokens_per_block": (4, 2), "model": {}}, "of shape"),
        (PORTS_ALONE, {"layout": "dense"}, "layout dense"),
        (PORTS_ALONE, {"layout": "lagged"}, "layout lagged"),
        (PORTS_ALONE, {"precision": "fp16"}, "precision fp16"),
        (PORTS_ALONE, {"precision": "int8"}, "precision int8"),
        (PORTS_ALONE, {"classes": ("cat", "dog")}, "logits of shape"),
        (PORTS_ALONE, {"input": IMAGE}, r"image of shape \[B, 8, 4, 3\], first"),
        (PORTS_ALONE, {"halting": HaltingSpec(mode="none")}, "halting none"),
        (NOTED, {"chunk": 2}, "chunk 2, first.onnx has 1"),
        (NOTED, {"timesteps": 8, "model": {}}, "timesteps"),
        (NOTED, {"tokens": 9, "model": {}}, "tokens 9"),
        (NOTED, {"tokens_per_block": (4, 2), "model": {}}, "tokens_per_block"),
        (NOTED, {"layout": "dense"}, "layout"),
        (NOTED, {"precision": "int8", "qdq": True}, "precision"),
        (NOTED, {"classes": ("cat", "dog")}, "classes"),
        (NOTED, {"halting": HaltingSpec(mode="block"), "model": {}}, "halting"),
    ],
)
def test_a_contradiction_is_named(facts: Facts, changes: dict[str, Any], what: str) -> None:
    with pytest.raises(BundleFormatError, match=f"the manifest says .*{what}.*export"):
        check_facts(dataclasses.replace(MANIFEST, **changes), FIRST_GRAPH, facts)
