from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spikehalt.errors import ConfigError
from spikehalt.strict import build
from train.checkpoint import load_checkpoint
from train.config import (
    AugmentConfig,
    DataConfig,
    HaltingConfig,
    LIFConfig,
    LossConfig,
    ModelConfig,
    PhaseConfig,
    StemConfig,
    TrainConfig,
)

ZOO = Path(__file__).parents[3] / "zoo"


def with_images(channels: int = 3, classes: int = 2, **augment: Any) -> dict[str, Any]:
    """A run on pictures of so many channels and classes, augmented so."""
    return {
        "model": ModelConfig(channels=channels, classes=classes),
        "data": DataConfig("folder", "x", augment=AugmentConfig(**augment)),
    }


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (ModelConfig, {"dim": 30}, "multiple of 8"),
        (ModelConfig, {"dim": 40, "heads": 3}, "not divisible by heads 3"),
        (ModelConfig, {"depth": 0}, "depth is 0, must be in 1"),
        (ModelConfig, {"mlp_ratio": 0.0}, "mlp_ratio is 0.0, must be positive"),
        (ModelConfig, {"mlp_ratio": 1e-4}, "leave the MLP at least one unit"),
        (ModelConfig, {"mlp_ratio": float("inf")}, "mlp_ratio is inf"),
        (ModelConfig, {"merge_gamma": -1}, "merge_gamma is -1"),
        (ModelConfig, {"merge_threshold": 1.5}, r"merge_threshold is 1.5, must be in \(0, 1\]"),
        (ModelConfig, {"merge_threshold": -0.1}, "merge_threshold is -0.1"),
        (ModelConfig, {"merge_threshold": float("nan")}, "merge_threshold is nan"),
        (
            ModelConfig,
            {"merge_gamma": 3, "merge_threshold": 0.9},
            "merge_gamma 3 and merge_threshold 0.9 are two ways .* set one of them to 0",
        ),
        (ModelConfig, {"input": "frames"}, "they need stem.kind 'sps'"),
        (ModelConfig, {"pixel_mean": (0.1, 0.2)}, "pixel_mean has 2 values"),
        (ModelConfig, {"pixel_std": (0.0,)}, "pixel_std must be positive"),
        (LIFConfig, {"threshold": 0.2, "v_reset": 0.3}, "thresholds must lie above v_reset"),
        (HaltingConfig, {"epsilon": 1.0}, r"epsilon is 1.0, must be in \[0, 1\)"),
        (HaltingConfig, {"epsilon": float("nan")}, "epsilon is nan"),
        (DataConfig, {"name": "folder"}, "needs data.path"),
        (DataConfig, {"validation_fraction": 1.0}, "validation_fraction"),
        (PhaseConfig, {"learning_rate": 0.0}, "learning_rate must be positive"),
        (PhaseConfig, {"epochs": 1, "timesteps": (1, 1)}, "timesteps has 2 entries for 1 epochs"),
        (PhaseConfig, {"epochs": 1, "image_sizes": (8, 8)}, "image_sizes has 2 entries"),
        (PhaseConfig, {"image_sizes": (4,)}, r"image_sizes are \(4,\), must be >= 8"),
        (PhaseConfig, {"ponder_weight": -0.1}, "ponder_weight is -0.1, must be >= 0"),
        (LIFConfig, {"surrogate_alpha": 0.0}, "surrogate_alpha is 0.0"),
        (ModelConfig, {"image_size": (0, 32)}, "image_size is"),
        (ModelConfig, {"attention_scale": 0.0}, "attention_scale is 0.0"),
        (LossConfig, {"label_smoothing": 1.0}, "label_smoothing is 1.0"),
        (LossConfig, {"label_smoothing": -0.1}, "label_smoothing is -0.1"),
        (LossConfig, {"price_power": 0.0}, "price_power is 0.0"),
        (LossConfig, {"token_target": 1.5}, "token_target is 1.5"),
        (LossConfig, {"token_spread": -0.1}, "token_spread is -0.1"),
        (LossConfig, {"straight_through": -0.1}, "straight_through must be >= 0"),
        (AugmentConfig, {"crop_padding": -1}, "crop_padding is -1"),
        (AugmentConfig, {"rand_augment": -1}, "rand_augment is -1"),
        (AugmentConfig, {"erase": 1.5}, "erase is 1.5, a probability"),
        (AugmentConfig, {"mixup": -0.5}, "mixup is -0.5"),
        (AugmentConfig, {"cutmix": -0.5}, "cutmix is -0.5"),
        (TrainConfig, {"weight_decay": -1.0}, "weight_decay is -1.0"),
        (TrainConfig, {"weight_decay": float("nan")}, "weight_decay is nan"),
        (TrainConfig, {"clip_norm": -1.0}, "clip_norm is -1.0"),
        (TrainConfig, {"save_every_minutes": 0.0}, "save_every_minutes is 0.0"),
        (TrainConfig, {"seed": -1}, "seed is -1"),
        (
            TrainConfig,
            {"static": PhaseConfig(ponder_weight=0.1)},
            "static.ponder_weight is 0.1, .* set halting.ponder_weight",
        ),
        (TrainConfig, {"batch_size": 1}, "batch_size must be >= 2"),
        (
            TrainConfig,
            {"static": PhaseConfig(timesteps=(5,))},
            r"static.timesteps must lie in 1\.\.4",
        ),
        (
            TrainConfig,
            {
                "static": PhaseConfig(image_sizes=(16,)),
                "model": ModelConfig(input="frames", stem=StemConfig(kind="sps")),
                "data": DataConfig(name="events", path="x"),
            },
            "event frames keep their size",
        ),
        (
            TrainConfig,
            {"halting": PhaseConfig(image_sizes=(16,)), "model": ModelConfig(merge_gamma=1)},
            "merge_gamma counts tokens",
        ),
        (AugmentConfig, {"mixup_off_epoch": -1}, "mixup_off_epoch is -1, must be >= 0"),
        (DataConfig, {"fit": "crop", "crop_share": 0.0}, r"crop_share is 0.0, must be in \(0, 1\]"),
        (
            DataConfig,
            {"crop_share": 0.9},
            "crop_share 0.9 has no effect unless fit is 'crop'",
        ),
        (ModelConfig, {"spread_attention": True}, "is the Spike-driven Transformer's"),
        (
            TrainConfig,
            with_images(channels=1, rand_augment=2),
            r"changes colours.*\(model.channels is 1\)",
        ),
        (
            TrainConfig,
            with_images(channels=4, rand_augment=2),
            r"changes colours.*\(model.channels is 4\)",
        ),
        (TrainConfig, with_images(channels=5), "have 1 to 4 channels .* model.channels is 5"),
        (TrainConfig, with_images(classes=1, mixup=0.2), "mixup and cutmix mix classes"),
        (TrainConfig, with_images(classes=1, cutmix=0.2), "mixup and cutmix mix classes"),
        (TrainConfig, with_images(crop_padding=33), "crop_padding 33 is larger than the images"),
        (
            TrainConfig,
            {
                "model": ModelConfig(channels=1),
                "data": DataConfig("folder", "x", channel_order="bgr"),
            },
            "'bgr' needs colour images, and model.channels is 1",
        ),
        (
            TrainConfig,
            {"halting": PhaseConfig(epochs=1)},
            "a halting phase needs model.halting.mode",
        ),
    ],
)
def test_values_that_make_no_sense_are_refused(
    kind: type, values: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        kind(**values)


@pytest.mark.parametrize(
    ("gamma", "counts", "average"),
    [  # AT-SNN table 1 on 64 tokens and four blocks
        (5, (59, 54, 49, 44), 0.805),
        (10, (54, 44, 34, 24), 0.609),
        (25, (39, 20, 10, 5), 0.289),
        (32, (32, 16, 8, 4), 0.234),
    ],
)
def test_token_counts_under_merging_are_those_of_the_paper(
    gamma: int, counts: tuple[int, ...], average: float
) -> None:
    config = ModelConfig(depth=4, merge_gamma=gamma)
    assert config.tokens == 64
    assert config.tokens_per_block == counts
    assert sum(counts) / (4 * 64) == pytest.approx(average, abs=5e-4)


def test_each_pool_halves_the_grid_rounding_up() -> None:
    assert ModelConfig(image_size=(33, 20)).grid == (9, 5)
    everywhere = StemConfig(pool=(True, True, True, True))
    assert ModelConfig(image_size=(224, 224), stem=everywhere).tokens == 196


def test_static_removes_halting_and_merging_alone() -> None:
    for merging in ({"merge_gamma": 5}, {"merge_threshold": 0.9}):
        config = ModelConfig(**merging, halting=HaltingConfig("block_time", alpha=2.0))
        static = config.static()
        assert (static.halting.mode, static.merges) == ("none", False)
        assert (static.halting.alpha, static.dim) == (2.0, config.dim)


def test_with_a_threshold_all_slots_stay_and_half_of_them_can_merge_into_one() -> None:
    config = ModelConfig(depth=2, merge_threshold=0.9)
    assert config.tokens_per_block == (64, 64) and config.gammas == (0, 0)
    assert config.merging == (True, True) and config.most_merged == (32, 32)
    assert ModelConfig(depth=2, merge_gamma=25).most_merged == (25, 19)
    everywhere = StemConfig(pool=(True, True, True, True))
    lonely = ModelConfig(depth=1, image_size=(8, 8), merge_threshold=0.9, stem=everywhere)
    assert lonely.tokens == 1 and lonely.merging == (False,) and lonely.most_merged == (0,)


def test_a_threshold_takes_the_place_of_whatever_merged() -> None:
    config = ModelConfig(merge_gamma=5).merged_at(0.9)
    assert (config.merge_gamma, config.merge_threshold) == (0, 0.9)
    assert not config.merged_at(0.0).merges


@pytest.mark.parametrize("path", sorted(ZOO.glob("*/*.pt")), ids=lambda path: path.stem)
def test_the_runs_of_the_shipped_checkpoints_are_still_valid(path: Path) -> None:
    checkpoint = load_checkpoint(path)
    run = build(TrainConfig, checkpoint.run)
    assert checkpoint.model == (run.model if checkpoint.phase == "halting" else run.model.static())
