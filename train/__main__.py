"""`python -m train`: see `python -m train --help`."""

import sys

if __name__ == "__main__":
    try:
        from train.cli import main

        status = main()
    except KeyboardInterrupt:  # pressed while modules are imported
        sys.stderr.write("stopped before anything was done\n")
        status = 130
    sys.exit(status)
