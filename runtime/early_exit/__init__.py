"""The loop over timesteps: who goes on, who leaves, and what decides it.

loop      run a chunk, let images leave, go on with the others
settings  policy, threshold, ε and timesteps of a call, checked
control   steering towards a latency or an energy
record    all timesteps, with the outputs of every exit point
stream    frames of a camera, in order
windows   frames of an event camera, answered as soon as the policy is sure
submit    images of many callers, answered together
"""
