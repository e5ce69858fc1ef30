"""Compile the neurons' loops for a GPU; prints loads and stores of each kernel as JSON.

Triton and ptxas are real, and need no GPU for this (tests/fakes/cuda_runtime).
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch._inductor.utils import run_and_get_code

from train.models.kernels import compiled_kernels

T = 4


def kernels(loop: Callable[..., Any], *arguments: Any) -> list[dict[str, int]]:
    """What each of the kernels that a loop is compiled into reads and writes, per neuron."""
    torch._dynamo.reset()
    _, sources = run_and_get_code(loop, *arguments)
    bodies = re.findall(r"\ndef triton_\w+\(.*?'''", "".join(sources), re.DOTALL)
    return [{"loads": b.count("tl.load("), "stores": b.count("tl.store(")} for b in bodies]


def main() -> None:
    """All loops, on tokens in bfloat16, with hard and soft reset."""
    loops = compiled_kernels()
    x, grad, u = (torch.zeros(T, 8, 16, 32, device="cuda", dtype=torch.bfloat16) for _ in range(3))
    live = torch.ones(T, 8, 16, device="cuda")
    stairs, weights = [2.0, 1.33, 1.14, 1.06], [0.25] * T
    found = {
        "rate": kernels(loops.rate_forward, x[:1], stairs, weights),
        "rate gradient": kernels(
            loops.rate_gradient, grad[:1], x[:1], stairs, weights, "sigmoid", 4.0
        ),
    }
    for reset in (0.0, None):
        hard = reset is not None
        for name, mask in (("", None), (" with a mask", live)):
            how = f", {'hard' if hard else 'soft'} reset{name}"
            found[f"forward{how}"] = kernels(loops.lif_sequence, x, T, 2.0, 1.0, reset, mask)
            found[f"gradient{how}"] = kernels(
                loops.lif_gradient, grad, u, 2.0, 1.0, hard, "sigmoid", 4.0, mask
            )
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
