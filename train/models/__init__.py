"""The networks: stems, attentions, blocks, and the registry of the papers' names."""

from train.models.network import ModelOutput, SpikingTransformer
from train.models.registry import NAMED_MODELS, named_model

__all__ = ["NAMED_MODELS", "ModelOutput", "SpikingTransformer", "named_model"]
