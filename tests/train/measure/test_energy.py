from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from spikingjelly.activation_based.op_counter import DispatchCounterMode, SynOpCounter

from tests.train.samples import lively_network, random_images, tiny_model
from train.config import HaltingConfig, ModelConfig, StemConfig
from train.data import Split
from train.measure.energy import (
    MODULES,
    Constants,
    Cost,
    EnergyModel,
    costs,
    energy_by_module,
    energy_model,
    measure_firing_rates,
)
from train.measure.evaluate import evaluate
from train.models import SpikingTransformer

MAC, AC = 4.6, 0.9


def smallest(**changes: object) -> ModelConfig:
    """One block of width 8 on 4 x 4 grey images; one pool leaves four tokens."""
    config = ModelConfig(
        depth=1,
        dim=8,
        heads=2,
        mlp_ratio=2.0,
        timesteps=2,
        image_size=(4, 4),
        channels=1,
        classes=3,
        stem=StemConfig(kind="isps", pool=(False, False, False, True)),
        halting=HaltingConfig(mode="block_time"),
    )
    return replace(config, **changes)  # type: ignore[arg-type]


def rates(value: float) -> dict[str, float]:
    names = [f"stem.convs.{i}.conv" for i in range(1, 5)]
    names += [f"blocks.0.attention.{n}.linear" for n in ("qkv", "proj")]
    names += [f"blocks.0.mlp.{n}.linear" for n in ("fc1", "fc2")]
    return dict.fromkeys(names, value)


# Multiply-accumulates, by hand: 3 x 3 kernels, in x out channels, pixels.
FIRST = 9 * 1 * 1 * 16
STEM = 9 * (1 * 2 + 2 * 4 + 4 * 8) * 16 + 9 * 8 * 8 * 4
LINEAR = 8 * 24 + 8 * 8 + 8 * 16 + 16 * 8
ATTENTION = 2 * 8 * 4
HALTING = 8 + 3
HEAD = 8 * 3


def test_isps_spends_its_stem_once() -> None:
    model = energy_model(SpikingTransformer(smallest()), rates(0.25))
    assert model.once_mj * 1e9 == pytest.approx(FIRST * MAC + 0.25 * 2 * STEM * AC)
    assert model.per_timestep_mj * 1e9 == pytest.approx(HEAD * MAC)
    token = 0.25 * (LINEAR + ATTENTION) * AC + HALTING * MAC
    assert [mj * 1e9 for mj in model.per_token_mj] == pytest.approx([token])


def test_sps_spends_its_stem_at_every_timestep_but_for_the_first_convolution() -> None:
    config = smallest(stem=StemConfig(kind="sps", pool=(False, False, False, True)))
    model = energy_model(SpikingTransformer(config), rates(0.25))
    assert model.once_mj * 1e9 == pytest.approx(FIRST * MAC)
    assert model.per_timestep_mj * 1e9 == pytest.approx(0.25 * STEM * AC + HEAD * MAC)


def test_without_halting_there_is_no_overhead() -> None:
    model = energy_model(SpikingTransformer(smallest().static()), rates(0.0))
    assert model.per_token_mj == (0.0,)


def test_constants_are_parameters() -> None:
    network = SpikingTransformer(smallest())
    model = energy_model(network, rates(0.5), mac_pj=3.2, ac_pj=0.1, source="a datasheet")
    assert (model.mac_pj, model.ac_pj, model.source) == (3.2, 0.1, "a datasheet")
    assert model.once_mj * 1e9 == pytest.approx(FIRST * 3.2 + 0.5 * 2 * STEM * 0.1)


def test_energy_of_an_image_is_linear_in_what_it_used() -> None:
    model = EnergyModel(MAC, AC, 1.0, 0.5, (0.1, 0.2), "")
    live = torch.tensor([[[4, 2], [3, 1]], [[4, 4], [0, 0]]])
    energy = model.energy_mj(live, torch.tensor([2, 1]))
    assert energy.tolist() == pytest.approx([1 + 1 + 0.7 + 0.6, 1 + 0.5 + 0.4 + 0.8])


def test_firing_rates_are_mean_inputs_over_live_tokens() -> None:
    config = tiny_model(halting="block_time")
    network = lively_network(config)
    split = Split(random_images(config, 6), torch.zeros(6, dtype=torch.int64))
    seen = {}
    layer = network.blocks[2].attention.proj
    hook = layer.register_forward_hook(lambda m, inputs, out: seen.update(args=inputs))
    rates_by_name = measure_firing_rates(network, split)
    hook.remove()
    spikes, live, _ = seen["args"]
    expected = spikes[live > 0].mean()
    found = rates_by_name["blocks.2.attention.proj.linear"]
    assert found == pytest.approx(float(expected)) and 0 < found < 1
    inputs = {name for name in rates_by_name if not name.endswith("qkv_lif")}
    assert inputs == {
        name
        for name, m in network.named_modules()
        if isinstance(m, (torch.nn.Conv2d, torch.nn.Linear))
    }
    assert len(rates_by_name) == len(inputs) + config.depth


def test_the_rate_of_q_k_and_v_is_their_mean_spike_over_live_tokens() -> None:
    config = tiny_model(halting="block_time")
    network = lively_network(config)
    split = Split(random_images(config, 6), torch.zeros(6, dtype=torch.int64))
    seen = {}
    layer = network.blocks[2].attention.qkv_lif
    hook = layer.register_forward_hook(lambda m, inputs, out: seen.update(out=out, live=inputs[1]))
    found = measure_firing_rates(network, split)["blocks.2.attention.qkv_lif"]
    hook.remove()
    assert found == pytest.approx(float(seen["out"][seen["live"] > 0].mean()))


def test_rates_do_not_depend_on_the_batch_and_leave_the_network_as_it_was() -> None:
    config = tiny_model()
    network = lively_network(config).train()
    split = Split(random_images(config, 6), torch.zeros(6, dtype=torch.int64))
    one, many = (measure_firing_rates(network, split, batch_size=size) for size in (1, 6))
    assert one == pytest.approx(many) and network.training


def test_modules_add_up_to_the_energy_model() -> None:
    config = tiny_model(halting="block_time", merge_gamma=2)
    network = lively_network(config)
    split = Split(random_images(config, 6), torch.zeros(6, dtype=torch.int64))
    rates_by_name = measure_firing_rates(network, split)
    tokens = torch.tensor(evaluate(network, split).tokens_per_block)
    modules = energy_by_module(network, rates_by_name, tokens, Constants())
    assert [module.module for module in modules] == list(MODULES)
    model = energy_model(network, rates_by_name)
    whole = model.energy_mj(tokens.unsqueeze(0), torch.tensor([config.timesteps]))
    assert sum(module.energy_mj for module in modules) == pytest.approx(float(whole))
    assert all(module.energy_mj > 0 for module in modules)


def test_halting_is_the_only_module_that_a_static_network_lacks() -> None:
    network = SpikingTransformer(smallest().static())
    tokens = torch.full((2, 1), 4.0)
    found = energy_by_module(network, rates(0.25), tokens, Constants())
    assert [m.module for m in found if m.energy_mj == 0] == ["halting"]


def test_memory_access_counts_a_weight_per_operation_and_a_membrane_per_neuron() -> None:
    cost = Cost("MLP", "token", macs=10, acs=5, neurons=3)
    plain = (10 * MAC + 5 * AC) / 1e9
    assert cost.energy_mj(Constants()) == pytest.approx(plain)
    moved = 15 * 4 + 3 * 2 * 4
    constants = Constants(memory_pj_per_byte=1.25)
    assert cost.energy_mj(constants) == pytest.approx(plain + moved * 1.25 / 1e9)


def test_the_membranes_of_a_token_are_those_of_its_neurons() -> None:
    """3 D of q, k, v, D after attention, D after the projection, the MLP's 2 D and D."""
    network = SpikingTransformer(smallest())
    tokens = [cost for cost in costs(network, rates(0.25)) if cost.unit == "token"]
    assert sum(cost.neurons for cost in tokens) == 8 * (3 + 1 + 1 + 2 + 1)


@pytest.mark.parametrize("arch", ["spikingformer", "sdt"])
def test_spikingjellys_counter_counts_the_same_accumulates(arch: str) -> None:
    """Its rules fit linear layers whose inputs are 0 or 1: Spikingformer's and SDT's are."""
    config = tiny_model(arch=arch)
    network, images = lively_network(config), random_images(config, 4)
    split = Split(images, torch.zeros(4, dtype=torch.int64))
    rates_by_name = measure_firing_rates(network, split)
    counter = SynOpCounter()
    layers = [
        network.blocks[1].attention.qkv,
        network.blocks[1].attention.proj,
        network.blocks[1].mlp.fc2,
    ]
    inputs: list[torch.Tensor] = []
    hooks = [
        layer.linear.register_forward_hook(lambda m, args, out: inputs.append(args[0]))
        for layer in layers
    ]
    network(images)
    for hook in hooks:
        hook.remove()
    with torch.no_grad(), DispatchCounterMode([counter]):
        for layer, rows in zip(layers, inputs, strict=True):
            torch.nn.functional.linear(rows, layer.linear.weight)  # which the counter knows
    names = ("attention.qkv", "attention.proj", "mlp.fc2")
    ours = sum(
        rates_by_name[f"blocks.1.{name}.linear"] * layer.linear.weight.numel() * len(rows)
        for name, layer, rows in zip(names, layers, inputs, strict=True)
    )
    assert counter.get_total() == pytest.approx(ours)


def test_firing_rates_are_measured_on_every_class_of_sorted_images() -> None:
    config = tiny_model(classes=2)
    images = torch.zeros(40, 1, 8, 8, dtype=torch.uint8)
    images[20:] = 255
    labels = torch.arange(40) // 20
    network = lively_network(config)
    of_all, of_some = (
        measure_firing_rates(network, Split(images, labels), images=count) for count in (40, 10)
    )
    assert of_some["stem.convs.0.conv"] == pytest.approx(of_all["stem.convs.0.conv"])
