"""Whether this machine can train: PyTorch, and the devices that it can use."""

from __future__ import annotations

from collections.abc import Iterator

from spikehalt.doctor.finding import Finding, broken, not_installed


def findings() -> Iterator[Finding]:
    """One finding for PyTorch, one for its accelerator."""
    missing = not_installed("training", "PyTorch", "torch", "train")
    if missing is not None:
        yield missing
        return
    try:
        import torch
    except (ImportError, OSError) as error:
        yield broken("training", "PyTorch", error)
        return
    yield Finding("training", "PyTorch", True, f"{torch.__version__} on processors")
    if torch.cuda.is_available():
        yield Finding("training", "GPU", True, torch.cuda.get_device_name())
    else:
        built = "for CUDA" if torch.version.cuda or torch.version.hip else "for processors alone"
        yield Finding("training", "GPU", False, f"PyTorch, built {built}, finds none")
