"""Export checkpoints to ONNX bundles and TensorRT engines.

    fold      BatchNorm and 1/tau folded into weights and thresholds
    plan      the folded network, as numpy arrays
    builder   ONNX graphs, node by node
    rows      token layouts: full or packed rows
    states    what one timestep hands to the next
    neurons, stem, blocks, tokens    emit the parts of a timestep
    int8, int8_stem    exact bytes, rounded weights, integer matrix products
    unroll    first.onnx and next.onnx
    bundle    manifest and files

The graph is built from the folded weights, not traced: every node has a stable name, every value
that does not depend on the timestep is emitted once, and nothing is computed for an absent token.
"""
