"""Every knob of a model and of a training run, as frozen dataclasses with checked values.

    checks    what refuses a value
    tokens    which tokens run: halting, dropping
    model     a network: neurons, stem, blocks; stored in checkpoints and bundles
    named     the papers' models by name
    data      images and their augmentation
    run       phases, losses, the machine

Read with `spikehalt.strict.build`, so that unknown keys and wrong types are refused. Imports no
torch.
"""

from spikehalt.vocabulary import ARCHITECTURES, Arch, HaltingMode
from train.config.checks import (
    check_epsilon,
    check_max_drop,
    check_merge_threshold,
    require,
)
from train.config.data import STREAMED, AugmentConfig, DataConfig, DatasetName
from train.config.model import LIFConfig, ModelConfig, StemConfig
from train.config.named import NAMED_MODELS, named_model
from train.config.run import LossConfig, PhaseConfig, SilenceOf, TrainConfig
from train.config.tokens import DropConfig, HaltingConfig

__all__ = [
    "ARCHITECTURES",
    "NAMED_MODELS",
    "STREAMED",
    "Arch",
    "AugmentConfig",
    "DataConfig",
    "DatasetName",
    "DropConfig",
    "HaltingConfig",
    "HaltingMode",
    "LIFConfig",
    "LossConfig",
    "ModelConfig",
    "PhaseConfig",
    "SilenceOf",
    "StemConfig",
    "TrainConfig",
    "check_epsilon",
    "check_max_drop",
    "check_merge_threshold",
    "named_model",
    "require",
]
