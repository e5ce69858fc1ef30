"""Speed on a processor: `python -m benchmarks.cpu`."""
