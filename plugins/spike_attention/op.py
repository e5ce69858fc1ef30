"""SpikeAttention and PackedAttention in the table of ops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from plugins.common.attributes import Attribute
from plugins.common.bodies import Bodies
from plugins.common.op import Op
from plugins.spike_attention.reference import packed_attention, spike_attention

if TYPE_CHECKING:
    import onnx

_ATTRIBUTES: Final = {"heads": Attribute(int, minimum=1), "slots": Attribute(int, minimum=1)}


def _body(of: Bodies) -> onnx.FunctionProto:
    from plugins.spike_attention.function import spike_attention_function

    return spike_attention_function(of)


def _packed_body(of: Bodies) -> onnx.FunctionProto:
    from plugins.spike_attention.function import packed_attention_function

    return packed_attention_function(of)


OP: Final = Op(
    name="SpikeAttention",
    inputs=("spikes",),
    outputs=("mixed",),
    reference=spike_attention,
    body=_body,
    attributes=_ATTRIBUTES,
)
PACKED_OP: Final = Op(
    name="PackedAttention",
    inputs=("spikes", "index", "place"),
    outputs=("mixed",),
    reference=packed_attention,
    body=_packed_body,
    attributes=_ATTRIBUTES,
)
OPS: Final = (OP, PACKED_OP)
