"""Which devices a run uses, in how many processes, at which precision."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning_fabric import Fabric

from spikehalt.errors import ConfigError
from train.config import TrainConfig


def launch(config: TrainConfig) -> Fabric:
    """Start the run's processes: those of `torchrun`, or `devices` of its own.

    Raises:
        ConfigError: the batch cannot be shared evenly between the processes, there are not as many
            GPUs as are wanted, or the precision is one that the device has not.
    """
    devices, nodes = processes(config)
    world = devices * nodes
    if config.batch_size % world or config.batch_size < 2 * world:
        raise ConfigError(
            f"batch_size {config.batch_size} is that of all {world} processes together; it must "
            f"be a multiple of {world} and give each at least 2 images"
        )
    accelerator = fabric_accelerator(config.accelerator)
    if config.precision == "fp16" and accelerator == "cpu":  # Fabric would take bf16
        raise ConfigError("precision 'fp16' needs a GPU; a processor trains in 'bf16' or 'fp32'")
    if accelerator == "cuda" and devices > torch.cuda.device_count():
        raise ConfigError(f"devices is {devices}, and there are {torch.cuda.device_count()} GPUs")
    fabric = Fabric(
        accelerator=accelerator,
        devices=devices,
        num_nodes=nodes,
        strategy="ddp" if world > 1 else "auto",
        precision=resolve_precision(config.precision, config.accelerator),
    )
    fabric.launch()
    return fabric


def fabric_accelerator(wanted: str) -> str:
    """Fabric's name for an accelerator.

    `auto` is `best_device()`: Fabric's own choice would be MPS on a Mac, where the float64 sums of
    training and evaluation do not exist.

    Raises:
        ConfigError: a GPU is wanted and there is none.
    """
    if wanted == "gpu" and best_device().type != "cuda":
        raise ConfigError(
            "accelerator is 'gpu', and PyTorch finds no CUDA GPU; take 'auto' or 'cpu', or install "
            "a PyTorch for CUDA"
        )
    return {"gpu": "cuda", "auto": best_device().type}.get(wanted, wanted)


def best_device() -> torch.device:
    """A CUDA GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def processes(config: TrainConfig) -> tuple[int, int]:
    """(processes on this machine, machines); `torchrun` decides where it started us."""
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "0"))
    if local:
        return local, max(1, int(os.environ.get("WORLD_SIZE", local)) // local)
    return config.devices, config.nodes


def resolve_precision(wanted: str, accelerator: str = "auto") -> Any:
    """Fabric's name for a precision; `auto` is bf16 where the device multiplies it natively."""
    names = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}
    if wanted != "auto":
        return names[wanted]
    if accelerator != "cpu" and torch.cuda.is_available():
        return names["bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"]
    return names["bf16" if torch.cpu._is_avx512_bf16_supported() else "fp32"]


@contextmanager
def exact_float32() -> Iterator[None]:
    """Keep convolutions in float32 on a GPU; also a decorator.

    By default cuDNN rounds what they multiply to TF32, and neurons near their threshold would
    decide otherwise than the exported graphs, in which float32 is float32 everywhere.
    """
    cudnn = torch.backends.cudnn
    before, cudnn.allow_tf32 = cudnn.allow_tf32, False
    try:
        yield
    finally:
        cudnn.allow_tf32 = before
