"""`python command.py train run …`: one of train's commands, in a PyTorch that was built for CUDA.

Runs in an environment of its own, with tests/fakes/cuda_runtime preloaded. cuDNN is turned off: its
library plans convolutions by itself, and would need a GPU; PyTorch's own kernels take its place.
"""

from __future__ import annotations

import sys

import torch

from train.__main__ import main

torch.backends.cudnn.enabled = False
assert torch.cuda.is_available(), "this PyTorch was not built for CUDA, or the stand-in is missing"
sys.exit(main())
