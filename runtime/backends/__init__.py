"""What runs the graphs of a bundle: one session per library.

base            what a session is to the engine
registry        backends by name, and how one is chosen
ports           names of the graphs' inputs and outputs
facts           what a loaded graph tells of itself
contract        is a graph the one that the manifest speaks of?
layouts         what each token layout asks of the runtime
lagged          row lists of the lagged layout
replay          recorded outputs in a backend's place
onnxruntime     ONNX Runtime, on processors and on CUDA
tensorrt        TensorRT and TensorRT-RTX
cuda            the driver: memory, streams, graphs
plugin_library  the project's TensorRT plugins, found and loaded
"""
