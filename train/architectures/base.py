"""The questions that the rest of the project asks about an architecture.

Design section 1 says what is computed; this file only says where architectures differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from spikehalt.vocabulary import Arch
from train.architectures.stages import StageForm

FOURTH, FIFTH = 3, 4  # stages of the stem, from 0


@dataclass(frozen=True)
class Attention:
    """How a block mixes the spikes q, k and v of its live tokens, before the attention neuron.

    Its implementations are chosen by it: `train/models/attention.py`, `export/graph/blocks.py`.

    Attributes:
        name: the papers' abbreviation.
        scaled: `ModelConfig.attention_scale` multiplies the mixed sums.
        has_op: one of our ops mixes them (SpikeAttention, PackedAttention) and reads spikes as
            bytes where rows are packed; otherwise standard ops do, on floats.
        meets: how many accumulates a spike causes in the cheaper order of products, from the tokens
            K and the width D/H of a head.
        largest_sum: bound of a mixed sum, from the same.
        spreads: spikes may be max-pooled over neighbours (`ModelConfig.spread_attention`).
    """

    name: str
    scaled: bool
    has_op: bool
    meets: Callable[[int, int], int]
    largest_sum: Callable[[int, int], int]
    spreads: bool = False


@dataclass(frozen=True)
class Architecture:
    """One spiking transformer.

    Attributes:
        name: in configurations, checkpoints and the papers' model names.
        lif_first: a neuron stands before every linear layer of a block, and membrane currents are
            added; else one stands after it, and spikes are added: tokens are then small integers,
            and block 1's first product is the same at every timestep under I-SPS.
        attention: how blocks mix tokens.
        adds_position: the stem's fifth convolution is a position embedding, added to what it
            embeds; else it is one more convolution.
        adds_square_mlp: an MLP whose hidden width is D also adds its first layer's current to the
            tokens, and its second neuron reads that sum.
        integer: its neurons give one of the integers 0..D over D (`LIFConfig.levels`) and keep no
            membrane, so that there is one timestep.
        forms: by the name of `StemConfig.form`, the stages that stand in the stem's place; empty:
            the stem is spike patch splitting.
    """

    name: Arch
    lif_first: bool
    attention: Attention
    adds_position: bool
    adds_square_mlp: bool = False
    integer: bool = False
    forms: Mapping[str, StageForm] = field(default_factory=dict, hash=False)

    @property
    def kept_currents(self) -> tuple[int, ...]:
        """Stages of the stem, from 0, whose membrane current goes on into the tokens.

        The tokens of `lif_first` blocks are currents: no neuron follows the fifth convolution, and
        where its position embedding is added, it is added to the fourth's current. That current is
        pooled before its neuron, whatever `StemConfig.pool_position`.

            spikes      a + LIF(conv5(a))      a = LIF(conv4(x))
            currents    c + conv5(LIF(c))      c = conv4(x)
        """
        if not self.lif_first:
            return ()
        return (FOURTH, FIFTH) if self.adds_position else (FIFTH,)

    @property
    def stem_neurons(self) -> int:
        """Neurons of the stem: one behind every convolution but a fifth whose current is kept."""
        return FIFTH if FIFTH in self.kept_currents else FIFTH + 1
