"""What a graph can give out besides its answer; any of them together.

base          what an observer is told
live_masks    which tokens ran
operations    multiply-accumulates and accumulates of every image
spikes        every neuron's spikes, by the names of spike_names
"""
