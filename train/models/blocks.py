"""Transformer blocks; tokens [T, B, K, D], `live` [T, B, K] or None.

`rows` are the places of live tokens, `live_rows(live)`, or None as `live`.
"""

from __future__ import annotations

from torch import Tensor, nn

from train.config import ModelConfig
from train.models.attention import ATTENTIONS
from train.models.layers import LinearBN, live_rows
from train.models.neurons import firing


class MLP(nn.Module):
    """Two linear layers with a neuron before or after each (`Architecture.lif_first`)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.lif_first, self.adds = config.architecture.lif_first, config.adds_square_mlp
        self.fc1 = LinearBN(config.dim, config.hidden)
        self.fc1_lif = firing(config)
        self.fc2 = LinearBN(config.hidden, config.dim)
        self.fc2_lif = firing(config)

    def forward(self, x: Tensor, live: Tensor | None, rows: Tensor | None) -> Tensor:
        """Tokens to the residual to be added, spikes or currents."""
        if self.lif_first:
            hidden = self.fc1(self.fc1_lif(x, live), live, rows)
            if self.adds:
                return hidden + self.fc2(self.fc2_lif(x + hidden, live), live, rows)  # type: ignore[no-any-return]
            return self.fc2(self.fc2_lif(hidden, live), live, rows)  # type: ignore[no-any-return]
        hidden = self.fc1_lif(self.fc1(x, live, rows), live)
        return self.fc2_lif(self.fc2(hidden, live, rows), live)  # type: ignore[no-any-return]


class Block(nn.Module):
    """x += attention(x); x += MLP(x); with `ModelConfig.linear_first` x += W LIF(x) before both."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.linear_first = config.linear_first
        if config.linear_first:
            self.linear_lif = firing(config)
            self.linear = LinearBN(config.dim, config.dim)
        self.attention = ATTENTIONS[config.architecture.attention](config)
        self.mlp = MLP(config)

    def forward(self, x: Tensor, live: Tensor | None) -> Tensor:
        """Tokens [1 or T, B, K, D] to tokens [T, B, K, D]; absent tokens pass unchanged."""
        rows = None if live is None else live_rows(live)
        if self.linear_first:
            x = x + self.linear(self.linear_lif(x, live), live, rows)
        x = x + self.attention(x, live, rows)
        return x + self.mlp(x, live, rows)  # type: ignore[no-any-return]
