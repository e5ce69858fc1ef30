"""The networks: stems, attentions, blocks, and the registry of the papers' names."""

from train.config import NAMED_MODELS, named_model
from train.models.network import ModelOutput, SpikingTransformer

__all__ = ["NAMED_MODELS", "ModelOutput", "SpikingTransformer", "named_model"]
