"""Compare the ways of running a network: PyTorch, ONNX Runtime, TensorRT, TensorRT-RTX.

measures        how far two runners agree, made for spikes, and what is tolerated
spiking         spikes from graphs that give them out, in ONNX Runtime
torch_spikes    spikes from PyTorch
checkpoint      the network a bundle came from, and its graphs with every spike given out
spying_engines  engines of such graphs
runners         the bundle's backends as runners of Polygraphy's comparator
pytorch         the checkpoint as one
report          running them all, and the JSON file
checks          what is wrong with the arguments
command         `python -m export compare`
"""
