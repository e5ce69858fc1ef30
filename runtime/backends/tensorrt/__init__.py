"""TensorRT and TensorRT-RTX.

In this room an engine is TensorRT's, and a plan is the file that holds one; what users call is
`runtime.Engine`.
"""
