"""The numpy references as ops of `onnx.reference.ReferenceEvaluator`."""

from __future__ import annotations

from typing import Any

from onnx.reference.op_run import OpRun

from plugins.common.contract import DOMAIN
from plugins.common.references import run_reference
from plugins.common.types import Array


class _Op(OpRun):  # type: ignore[misc]  # onnx is untyped here
    """The reference of the op that the class is named after; onnx goes by that name."""

    op_domain = DOMAIN

    def _run(self, *inputs: Array, **attributes: Any) -> tuple[Array, ...]:
        return run_reference(type(self).__name__, attributes, *inputs)


class LIF(_Op):
    """`plugins.lif.reference.lif`."""


class TokenHalt(_Op):
    """`plugins.token_halt.reference.token_halt`, one readout per token."""


class TokenHaltSum(_Op):
    """`plugins.token_halt.reference.token_halt`, the readout summed over the tokens."""


class TokenMerge(_Op):
    """`plugins.token_merge.reference.token_merge`."""


class PackedLIF(_Op):
    """`plugins.packed_lif.reference.packed_lif`."""


class PackedTokenHalt(_Op):
    """`plugins.packed_halt.reference.packed_token_halt`."""


class TokenPack(_Op):
    """`plugins.token_pack.reference.token_pack`."""


class SpikeAttention(_Op):
    """`plugins.spike_attention.reference.spike_attention`."""


class PackedAttention(_Op):
    """`plugins.spike_attention.reference.packed_attention`."""


class SpikeCount(_Op):
    """`plugins.spike_count.reference.spike_count`."""


class Patches(_Op):
    """`plugins.patches.reference.patches`."""


class SpikeLinear(_Op):
    """`plugins.spike_linear.reference.spike_linear`."""


class SpikeLinearInteger(_Op):
    """`plugins.spike_linear.reference.spike_linear_integer`."""


class SpikeConv(_Op):
    """`plugins.spike_conv.reference.spike_conv`."""


class SpikeConvInteger(_Op):
    """`plugins.spike_conv.reference.spike_conv_integer`."""


OPS = (
    LIF,
    TokenHalt,
    TokenHaltSum,
    TokenMerge,
    PackedLIF,
    PackedTokenHalt,
    TokenPack,
    SpikeAttention,
    PackedAttention,
    SpikeCount,
    Patches,
    SpikeLinear,
    SpikeLinearInteger,
    SpikeConv,
    SpikeConvInteger,
)
