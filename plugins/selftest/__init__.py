"""The kernels on this GPU against their references."""
