"""Networks to folded arrays: BatchNorm, 1/tau and thresholds."""
