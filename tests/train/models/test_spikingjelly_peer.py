"""SpikingJelly's own models with our weights copied in give our logits: LIF, SSA and SPS agree."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from spikingjelly.activation_based import functional
from spikingjelly.activation_based.model import spikformer
from torch import Tensor, nn

from tests.train.samples import dyadic_network, random_images
from train.config import ModelConfig, StemConfig
from train.models import SpikingTransformer, named_model


def copy_pair(linear: nn.Module, bn: nn.Module, ours: nn.Module) -> None:
    """One of our ConvBN or LinearBN into SpikingJelly's (1 x 1) convolution and BatchNorm."""
    weight = (ours.conv if hasattr(ours, "conv") else ours.linear).weight
    linear.weight.data.copy_(weight.reshape(linear.weight.shape))
    bn.load_state_dict(ours.bn.state_dict())


def copy_weights(ours: SpikingTransformer, theirs: spikformer.Spikformer) -> None:
    stem = theirs.patch_embed
    stages = [*stem.stages, stem.positional_encoding]
    for stage, conv in zip(stages, ours.stem.convs, strict=True):
        copy_pair(stage.conv_bn.block[0], stage.conv_bn.block[1], conv)
    for peer, block in zip(theirs.blocks, ours.blocks, strict=True):
        copy_pair(*peer.attn.qkv_conv_bn, block.attention.qkv)
        copy_pair(*peer.attn.proj_conv_bn, block.attention.proj)
        copy_pair(*peer.mlp.fc1, block.mlp.fc1)
        copy_pair(*peer.mlp.fc2, block.mlp.fc2)
    theirs.head.load_state_dict(ours.head.state_dict())


def their_logits(model: spikformer.Spikformer, pixels: Tensor) -> Tensor:
    """[B, N_c]: their head speaks at every timestep, ours on the mean over timesteps."""
    functional.reset_net(model)
    with torch.no_grad():
        return model.eval()(pixels).mean(0)


def compare(config: ModelConfig, theirs: spikformer.Spikformer, images: int) -> Tensor:
    ours = dyadic_network(config, seed=1)
    copy_weights(ours, theirs)
    pictures = random_images(config, images)
    with torch.no_grad():
        logits = ours(pictures).logits[-1]
    peer = their_logits(theirs, ours._sequence(pictures)[0])
    torch.testing.assert_close(logits, peer, rtol=1e-5, atol=1e-5)
    return logits


def test_spikformer_cifar10() -> None:
    stem = StemConfig(kind="sps", pool_position="before_lif")
    config = replace(named_model("spikformer-4-384"), stem=stem)
    logits = compare(config, spikformer.spikformer_cifar10(), 2)
    assert logits.std() > 0.05 and not torch.equal(logits[0], logits[1])


@pytest.mark.parametrize("timesteps", [1, 4, 6])
def test_other_sizes_and_timesteps(timesteps: int) -> None:
    stem = StemConfig(kind="sps", pool_position="before_lif")
    config = ModelConfig(
        depth=2, dim=32, heads=4, timesteps=timesteps, image_size=(16, 16), classes=7, stem=stem
    )
    theirs = spikformer.Spikformer(
        T=timesteps, img_size_h=16, img_size_w=16, patch_size=4, num_classes=7, embed_dims=32,
        num_heads=4, depths=2,
    )  # fmt: skip
    assert compare(config, theirs, 3).std() > 0
