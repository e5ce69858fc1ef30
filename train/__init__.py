"""Train spiking vision transformers that decide how many tokens and timesteps they need.

    config          every knob, as frozen dataclasses read strictly; the papers' models by name
    architectures   spiking transformer architectures, one object each
    halting         two-dimensional token halting: pure functions on tensors
    merging         token merging: pure functions on tensors
    silence         a penalty on the cost of spikes
    distillation    learning another network's answers beside labels
    averaging       one network from several of one shape
    staircase       the rate of a neuron under a constant current, as I-SPS needs it
    models          neurons, stems, attentions, blocks, the network
    adapting        halting for networks that were trained without it
    baselines       methods of other papers around the network: dropping, surrogate modules
    checkpoint      files that hold a network and what resuming needs
    integrity       their digest, and checks of their weights
    data            digits, image folders and zips, event frames
    loop            training runs: phases, sweeps, logs
    parallel        devices and processes
    measure         accuracy, exits, firing rates, energy of trained networks
    figures         the papers' figures
    importing       checkpoints of other repositories
    recipes         configurations that ship with the package
    cli             `python -m train`
    doctor          what trains on this machine
    errors          what is raised on purpose

Axes are named T (timesteps), B (images), K (tokens), D (embedding), L (blocks) throughout.
"""

import spikehalt  # noqa: F401  first of all: it switches the telemetry of libraries off
