"""Names of the outputs that give out spikes."""

from __future__ import annotations

PREFIX = "spike."


def spike_output(timestep: int, neuron: str) -> str:
    """Name of the output with a neuron's spikes at a timestep of the chunk, from 1."""
    return f"{PREFIX}{timestep}.{neuron}"


def split_output(name: str) -> tuple[int, str]:
    """Timestep and neuron of such an output."""
    timestep, neuron = name.removeprefix(PREFIX).split(".", 1)
    return int(timestep), neuron
