"""Graphs of the folded network.

builder             ONNX, node by node
steps, states       the timesteps of a chunk; what one hands to the next
chunk               one graph under construction: builder, steps, states
membranes, neurons  where potentials are kept; LIF through the timesteps
layouts             which tokens have a row
observers           what a graph gives out besides its answer
rates               staircases of a current
emitter             what the parts of the network share: linear layers, convolutions, neurons
layers              linear layers and convolutions, in each precision
stem, blocks, tokens    the parts: halting and merging are in `tokens`
forecasts           halting by forecasts, which adapted networks have
network, readout    all of them in turn; logits and the halting score
check, unroll       what cannot be built; first.onnx and next.onnx
"""
