"""Export checkpoints to ONNX bundles and TensorRT engines.

    to_trt        the command `python export/to_trt.py ckpt.pt`
    options       ExportOptions: from the arguments to the graph
    choose_layout    the token layout that fits the model and the target
    fold          BatchNorm and 1/tau folded into weights and thresholds, as numpy arrays
    graph         first.onnx and next.onnx from them, node by node
    bundle        graphs, shared weights and manifest to a folder
    engines       TensorRT and TensorRT-RTX engines of a bundle; trtexec's commands
    comparison    do all ways of running a bundle agree?
    entry         what commands say where a package is missing
    errors        what is raised on purpose

A checkpoint goes one way: `ExportOptions` and the file, the folded network, its graphs, the bundle,
its engines. The graph is built from the folded weights, not traced: every node has a stable name,
every value that does not depend on the timestep is emitted once, and nothing is computed for an
absent token.
"""

import spikehalt  # noqa: F401  first of all: it switches the telemetry of libraries off
