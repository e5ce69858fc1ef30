"""Emit one block for the timesteps of a chunk on token rows [M, D]."""

from __future__ import annotations

from collections.abc import Callable

from export.fold.exact import spike_range, token_range
from export.fold.folded import BlockPlan
from export.graph.emitter import Emitter
from export.graph.layouts.base import Rows
from train.architectures import Attention
from train.architectures.attention import SDSA, SSA

Current = Callable[[Callable[[], str]], str]
Mixture = Callable[[Emitter, str, BlockPlan, str, Rows], str]


def emit_block(
    e: Emitter, number: int, x: str, rows: Rows, hoist: Current, *, constant: bool = False
) -> str:
    """X += attention(x); x += MLP(x).

    Args:
        e: the graph.
        number: of the block, from 1.
        x: tokens [M, D].
        rows: which token each row is.
        hoist: carries a current over timesteps where it does not depend on them, else emits it.
        constant: x is one timestep's, and the same at every other.

    Returns:
        Tokens after the block [M, D]. Rows of absent tokens hold values that nothing reads.
    """
    plan = e.plan.blocks[number - 1]
    with e.graph.scope(f"block{number}"):
        x = _linear_first(e, f"block{number}", plan, x, rows)
        mixed = _attention(e, f"block{number}", plan, x, rows, hoist, constant)
        x = _attention_residual(e, x, mixed, constant)
        hidden = _mlp(e, f"block{number}", plan, x, rows)
        return e.graph.op("Add", x, hidden, name="mlp_residual")


def _linear_first(e: Emitter, block: str, plan: BlockPlan, x: str, rows: Rows) -> str:
    """X += W LIF(x), where blocks begin so."""
    if plan.linear is None:
        return x
    assert plan.in_lif is not None
    exact, dim = spike_range(e.plan.config), e.plan.config.dim
    spikes = e.lif(f"{block}.linear_lif", x, rows, plan.in_lif, dim, for_linear=True)
    added = e.linear(spikes, plan.linear, "linear", rows, exact)
    return e.graph.op("Add", x, added, name="linear_residual")


def _attention_residual(e: Emitter, x: str, mixed: str, constant: bool) -> str:
    """Tokens that are the same at every timestep are added to each one's, not copied."""
    if not constant:
        return e.graph.op("Add", x, mixed, name="attention_residual")
    tail = [e.plan.config.dim]
    total = e.graph.op("Add", x, e.steps.unfold(mixed, tail), name="attention_residual")
    return e.steps.fold(total, tail)


def _attention(
    e: Emitter, block: str, plan: BlockPlan, x: str, rows: Rows, hoist: Current, constant: bool
) -> str:
    dim = e.plan.config.dim
    if plan.in_lif is not None:
        x = e.lif(f"{block}.in_lif", x, rows, plan.in_lif, dim, for_linear=True, constant=constant)
        current = e.linear(x, plan.qkv, "qkv", rows, spike_range(e.plan.config))
        constant = False
    else:
        entering = token_range(e.plan.config, rows.block)
        current = hoist(lambda: e.linear(x, plan.qkv, "qkv", rows, entering, constant=constant))
    spikes = e.lif(
        f"{block}.qkv_lif", current, rows, plan.lif, 3 * dim, constant=constant, for_attention=True
    )
    e.attended(spikes, rows)
    mixed = MIXTURES[e.plan.config.architecture.attention](e, block, plan, spikes, rows)
    current = e.linear(mixed, plan.proj, "proj", rows, spike_range(e.plan.config))
    if plan.in_lif is not None:
        return current
    return e.lif(f"{block}.proj_lif", current, rows, plan.lif, dim)


def _mix_by_products(e: Emitter, block: str, plan: BlockPlan, spikes: str, rows: Rows) -> str:
    """SSA: spikes of the attention neuron on (q k^T) v; [M, 3D] -> [M, D]."""
    dim, heads = e.plan.config.dim, e.plan.config.heads
    current = rows.attend(spikes, dim, heads)
    return e.lif(f"{block}.attn_lif", current, rows, plan.attn_lif, dim, for_linear=True)


def _mix_by_gate(e: Emitter, block: str, plan: BlockPlan, spikes: str, rows: Rows) -> str:
    """SDSA: q masked by the spiking sum over live tokens of k * v; [M, 3D] -> [M, D]."""
    graph, dim = e.graph, e.plan.config.dim
    parts = graph.ops("Split", [spikes, graph.ints(dim, dim, dim)], 3, axis=1, name="split")
    q, k, v = (parts[0], *(_spread(e, part, rows) for part in parts[1:]))
    product = _spread_in_heads(e, graph.op("Mul", k, rows.masked(v), name="kv"), rows)
    total = rows.sum_tokens(product, dim)
    gate = e.lif_per_image(f"{block}.attn_lif", total, plan.attn_lif, [dim])
    return _spread_in_heads(e, rows.gate(q, gate, dim), rows)


def _spread(e: Emitter, x: str, rows: Rows) -> str:
    """Max over each token's 3 x 3 neighbours, where asked for: then no token is ever absent."""
    config, graph = e.plan.config, e.graph
    if not config.spread_attention:
        return x
    grid = graph.op("Transpose", rows.to_grid(x, config.dim), perm=[0, 2, 1], name="by_channel")
    shape = graph.ints(-1, config.dim, *config.grid)
    pooled = _neighbours(e, graph.op("Reshape", grid, shape, name="maps"))
    flat = graph.op("Reshape", pooled, graph.ints(-1, config.dim, config.tokens), name="flat")
    back = graph.op("Transpose", flat, perm=[0, 2, 1], name="by_token")
    return e.layout.entering(config.tokens).from_grid(back, config.dim)


def _spread_in_heads(e: Emitter, x: str, rows: Rows) -> str:
    """Max over 3 tokens in row and 3 channels of a head, where asked for."""
    config, graph = e.plan.config, e.graph
    if not config.spread_attention:
        return x
    shape = graph.ints(-1, config.tokens, config.heads, config.dim // config.heads)
    split = graph.op("Reshape", rows.to_grid(x, config.dim), shape, name="heads")
    pooled = _neighbours(e, graph.op("Transpose", split, perm=[0, 2, 1, 3], name="by_head"))
    joined = graph.op("Transpose", pooled, perm=[0, 2, 1, 3], name="by_token")
    shape = graph.ints(-1, config.tokens, config.dim)
    flat = graph.op("Reshape", joined, shape, name="flat")
    return e.layout.entering(config.tokens).from_grid(flat, config.dim)


def _neighbours(e: Emitter, maps: str) -> str:
    """Max-pool (3, stride 1, padding 1)."""
    return e.graph.op("MaxPool", maps, kernel_shape=[3, 3], pads=[1, 1, 1, 1], name="spread")


MIXTURES: dict[Attention, Mixture] = {SSA: _mix_by_products, SDSA: _mix_by_gate}


def _mlp(e: Emitter, block: str, plan: BlockPlan, x: str, rows: Rows) -> str:
    config = e.plan.config
    dim, width, exact = config.dim, config.hidden, spike_range(config)
    if plan.in_lif is not None:
        spikes = e.lif(f"{block}.fc1_lif", x, rows, plan.in_lif, dim, for_linear=True)
        hidden = e.linear(spikes, plan.fc1, "fc1", rows, exact)
        if config.adds_square_mlp:
            total = e.graph.op("Add", x, hidden, name="fc1_residual")
            spikes = e.lif(f"{block}.fc2_lif", total, rows, plan.in_lif, dim, for_linear=True)
            added = e.linear(spikes, plan.fc2, "fc2", rows, exact)
            return e.graph.op("Add", hidden, added, name="fc2_residual")
        spikes = e.lif(f"{block}.fc2_lif", hidden, rows, plan.lif, width, for_linear=True)
        return e.linear(spikes, plan.fc2, "fc2", rows, exact)
    entering = token_range(config, rows.block, after_attention=True)
    current = e.linear(x, plan.fc1, "fc1", rows, entering)
    hidden = e.lif(f"{block}.fc1_lif", current, rows, plan.lif, width, for_linear=True)
    current = e.linear(hidden, plan.fc2, "fc2", rows, exact)
    return e.lif(f"{block}.fc2_lif", current, rows, plan.lif, dim)
