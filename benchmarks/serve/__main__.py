"""`python -m benchmarks.serve`."""

import sys

from benchmarks.serve.command import main

if __name__ == "__main__":
    sys.exit(main())
