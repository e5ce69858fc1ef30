"""Train spiking vision transformers that decide how many tokens and timesteps they need.

    config      every knob, as frozen dataclasses read strictly
    architectures    what tells one spiking transformer from another, an object each
    halting     two-dimensional token halting: pure functions on tensors
    merging     token merging: pure functions on tensors
    neurons     the LIF layer on SpikingJelly's, and the rate staircase of I-SPS
    models      stems, attentions, blocks, the network, the registry of names
    data        digits, image folders and zips, event frames
    loop        the training loop, checkpoints, logs
    energy      energy estimates from measured firing rates

Axes are named T (timesteps), B (images), K (tokens), D (embedding), L (blocks) throughout.
"""
