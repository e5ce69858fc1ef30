"""Questions answered by measuring, a command each: `python -m benchmarks.studies.NAME`."""
