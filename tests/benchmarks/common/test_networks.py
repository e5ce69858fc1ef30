"""Networks of random weights: which they are, and that they fire."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from benchmarks.common import networks
from benchmarks.common.replay import SILENT
from tests.benchmarks.cpu.test_cost import tiny
from train.config import HaltingConfig


@pytest.mark.parametrize("model", [networks.MODEL, networks.LARGE])
@pytest.mark.parametrize("kind", ["isps", "sps"])
def test_a_named_shape_gets_the_stem_that_is_asked_for(model: str, kind: str) -> None:
    found = networks.config_of(kind, halting=False, model=model)
    assert found.stem.kind == kind
    assert found.halting == HaltingConfig()
    assert f"{found.arch}-{found.depth}-{found.dim}" == model


def test_halting_is_silent_so_that_the_replay_alone_decides() -> None:
    assert networks.config_of("isps", halting=True).halting == SILENT
    score = torch.sigmoid(torch.tensor(SILENT.alpha * 1e3 + SILENT.beta))
    assert score == 0


def test_random_weights_are_the_same_every_time() -> None:
    first, second = (networks.random_network(tiny()).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_fair_share_of_neurons_fires() -> None:
    config = replace(tiny(), halting=HaltingConfig())
    network = networks.random_network(config)
    shares: list[float] = []
    for module in network.modules():
        if type(module).__name__ == "LIF":
            module.register_forward_hook(
                lambda _, __, spikes: shares.append(float((spikes > 0).float().mean()))
            )
    pixels = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
    with torch.no_grad():
        network(pixels)
    assert shares and 0.02 < sum(shares) / len(shares) < 0.7


@pytest.mark.parametrize(
    ("halting", "layout", "replayed"), [(True, "packed", True), (True, "dense", True),
                                        (False, "packed", False)],
)  # fmt: skip
def test_graphs_take_replayed_histories_where_tokens_halt(
    halting: bool, layout: str, replayed: bool
) -> None:
    config = tiny() if halting else replace(tiny(), halting=HaltingConfig())
    graphs = networks.our_graphs(config, layout=layout)  # type: ignore[arg-type]
    assert set(graphs) == {"first.onnx", "next.onnx"}
    inputs = [each.name for each in graphs["next.onnx"].graph.input]
    assert any(name.startswith("replay.") for name in inputs) == replayed
    ops = {node.op_type for node in graphs["next.onnx"].graph.node}
    assert ("TokenPack" in ops) == (halting and layout == "packed")


def test_all_timesteps_in_one_graph_need_no_second_one() -> None:
    config = tiny()
    graphs = networks.our_graphs(config, chunk=config.timesteps)
    inputs = {each.name for each in graphs["first.onnx"].graph.input}
    wanted = {
        f"replay.block{block}.t{step}"
        for block in range(1, config.depth + 1)
        for step in range(1, config.timesteps + 1)
    }
    assert wanted <= inputs
