"""Small complete programs: `python -m runtime.examples.NAME --help`."""
