"""What ONNX Runtime's CUDA provider has to be told, and where its CUDA libraries come from."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from typing import Any

from spikehalt.extras import install_command

PROVIDER_OPTIONS: Mapping[str, str] = {
    # Float32 means float32: TF32 would round weights and currents to 11 bits, and neurons near
    # their threshold would decide otherwise than everywhere else.
    "use_tf32": "0",
    # Batches shrink as images leave, and for every new size cuDNN would time all its algorithms.
    "cudnn_conv_algo_search": "HEURISTIC",
}

NOT_STARTED = (
    "ONNX Runtime could not start on 'cuda': it needs an NVIDIA GPU with its driver, and the CUDA "
    "and cuDNN it was built for, which "
    f"{install_command('gpu')} brings; or use device='cpu'"
)


def load_libraries(ort: Any) -> None:
    """Load the CUDA libraries that pip installs, where the system's loader does not look.

    Args:
        ort: the module `onnxruntime`.
    """
    preload = getattr(ort, "preload_dlls", None)  # builds without CUDA may lack it
    if preload is not None:
        with contextlib.redirect_stdout(sys.stderr):  # it prints what it does not find
            preload()
