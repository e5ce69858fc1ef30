"""The CUDA driver: memory, streams and graphs."""
