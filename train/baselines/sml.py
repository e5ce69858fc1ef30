"""Surrogate module learning (Deng et al., ICML 2023): short paths for gradients during training.

Behind each block but the last stands a small conventional network that classifies the block's
tokens. Its task loss reaches the block without passing through the spiking layers in between, whose
surrogate gradients accumulate errors. The modules are not part of a finished checkpoint.
"""

from __future__ import annotations

from torch import Tensor, nn

from train.models import ModelOutput, SpikingTransformer


class WithSurrogateModules(nn.Module):
    """A network and its surrogate modules; the output carries their logits.

    Args:
        network: gradients pass through it; its blocks are hooked, not changed.
    """

    def __init__(self, network: SpikingTransformer) -> None:
        super().__init__()
        self.network = network
        config = network.config
        self.surrogates = nn.ModuleList(
            [_surrogate(config.dim, config.classes) for _ in range(config.depth - 1)]
        )

    def forward(self, images: Tensor) -> ModelOutput:
        """The network's output with `surrogate_logits`, one [B, N_c] per block but the last."""
        seen: list[Tensor] = []
        blocks = list(self.network.blocks)[:-1]
        hooks = [
            block.register_forward_hook(lambda block, inputs, tokens: seen.append(tokens))
            for block in blocks
        ]
        try:
            output: ModelOutput = self.network(images)
        finally:
            for hook in hooks:
                hook.remove()
        logits = [
            surrogate(tokens.float().mean((0, 2)))
            for surrogate, tokens in zip(self.surrogates, seen, strict=True)
        ]
        return output._replace(surrogate_logits=logits)


def _surrogate(dim: int, classes: int) -> nn.Sequential:
    """Mean token over timesteps and positions [B, D] to logits [B, N_c]."""
    return nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, classes))
