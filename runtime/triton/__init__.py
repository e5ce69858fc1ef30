"""Bundles in NVIDIA's Triton Inference Server.

repository   the folders and configurations that Triton reads
config       config.pbtxt
model        what Triton's Python backend runs: the engine
"""
