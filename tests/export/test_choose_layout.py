from __future__ import annotations

from dataclasses import replace

import pytest

from export.choose_layout import block_mmacs, choose_layout, merging_advice
from export.options import ExportOptions
from train.config import HaltingConfig, ModelConfig
from train.models import named_model
from train.recipes import load_recipe


def halting(model: ModelConfig, mode: str = "block_time") -> ModelConfig:
    return replace(model, halting=HaltingConfig(mode=mode))  # type: ignore[arg-type]


def test_a_papers_model_is_packed() -> None:
    choice = choose_layout(halting(named_model("spikformer-4-384")))
    assert choice.layout == "packed" and "113.25 M" in choice.reason


def test_a_tiny_model_runs_dense_and_the_reason_names_the_bound() -> None:
    choice = choose_layout(replace(load_recipe("digits").model, dim=32))
    assert choice.layout == "dense"
    assert "0.20 M" in choice.reason and "below 0.5 M" in choice.reason


@pytest.mark.parametrize(
    ("mode", "reason"), [("none", "no token halts"), ("block", "tokens come back")]
)
def test_modes_that_cannot_gain_from_packing_run_dense(mode: str, reason: str) -> None:
    choice = choose_layout(halting(named_model("spikformer-4-384"), mode))
    assert choice.layout == "dense" and reason in choice.reason


@pytest.mark.parametrize(
    ("mode", "batch", "chunk", "layout", "reason"),
    [
        ("block_time", 32, 1, "lagged", "earlier chunks are left out"),
        ("block_time", 1, 1, "dense", "one image fills no GPU"),
        ("block_time", 32, 4, "dense", "no earlier chunk"),
        ("block", 32, 1, "dense", "no token is gone for good"),
        ("none", 32, 1, "dense", "no token is gone for good"),
    ],
)
def test_the_layout_of_engines_suits_the_batch_and_the_halting(
    mode: str, batch: int, chunk: int, layout: str, reason: str
) -> None:
    model = halting(named_model("spikformer-4-384"), mode)
    choice = choose_layout(model, ExportOptions(chunk, engine_batch=batch))
    assert choice.layout == layout and reason in choice.reason


def test_engines_that_are_built_later_cannot_pack() -> None:
    model = halting(named_model("spikformer-4-384"))
    choice = choose_layout(model, ExportOptions(precision="int8", qdq=True))
    assert choice.layout == "dense" and "built later" in choice.reason


def test_a_layout_that_was_asked_for_is_taken_without_a_word() -> None:
    choice = choose_layout(load_recipe("digits").model, ExportOptions(layout="packed"))
    assert choice.layout == "packed" and choice.notes == []


def test_slots_that_merged_and_stay_are_packed_without_halting_too() -> None:
    static = replace(named_model("spikformer-4-384"), halting=HaltingConfig())
    assert choose_layout(static).layout == "dense"
    assert choose_layout(static.merged_at(0.9)).layout == "packed"
    engines = ExportOptions(engine_batch=8)
    assert choose_layout(static, engines).layout == "dense"
    assert choose_layout(static.merged_at(0.9), engines).layout == "lagged"


def test_merging_lowers_what_packing_could_save() -> None:
    model = halting(named_model("spikformer-4-384"))
    merged = replace(model, merge_gamma=32)
    assert block_mmacs(merged) == block_mmacs(model) / 2


def test_merging_that_costs_more_than_it_saves_is_said() -> None:
    tiny, large = load_recipe("digits").model, named_model("spikformer-4-384")
    advice = merging_advice(replace(tiny, merge_gamma=3))
    assert "--merge-gamma 0" in advice and "below 10 M" in advice
    assert merging_advice(tiny.merged_at(0.9)) == advice
    assert merging_advice(replace(tiny, merge_gamma=0)) == ""
    assert merging_advice(replace(large, merge_gamma=25)) == ""
