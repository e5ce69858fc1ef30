"""Training speed: `python -m benchmarks.train`."""
