"""A phase of training, step by step.

phase        what a step touches, and where the phase stands
steps        optimiser steps, epochs, what is logged and saved in between
losses       task, ponder and surrogate losses
schedule     learning rates, parameter groups, orders of images
saving       what resuming needs
interrupt    Ctrl-C
memory       a batch size that fits
"""

from train.loop.phase.phase import Phase, Position

__all__ = ["Phase", "Position"]
