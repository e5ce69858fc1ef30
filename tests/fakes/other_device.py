"""A device that is not the processor, without a GPU: every rule of one, and values from the CPU.

Its tensors say that they are on `DEVICE` and hold a tensor of the processor's. PyTorch's rules for
GPUs hold: tensors of two devices do not meet (but for single numbers and indices), numpy cannot see
them, and whatever makes the host wait for the device is counted, with the line that asked.

PyTorch knows no such device, so it goes by the name `meta`, which no code of ours uses.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = torch.device("meta")
SOURCES = Path(__file__).parent.parent.parent / "train"
# May take tensors of both devices.
COPIES = {"aten::_to_copy", "aten::copy_", "aten::lift_fresh", "aten::detach"}
# Take indices from the processor, as GPUs do.
INDEXED = {"aten::index", "aten::index_put_", "aten::index_put", "aten::_index_put_impl_"}
# The host waits for a number, or for how many there are.
WAITS = {"aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::equal"}


class OtherTensor(Tensor):
    """A tensor on the other device; `here` is the processor's that has its values."""

    here: Tensor

    @staticmethod
    def __new__(cls, here: Tensor) -> OtherTensor:
        """Wrap a tensor of the processor."""
        made: OtherTensor = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, here.size(), strides=here.stride(), storage_offset=here.storage_offset(),
            dtype=here.dtype, layout=here.layout, device=DEVICE,
        )  # fmt: skip
        made.here = here
        return made

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]
        """For messages of failed tests."""
        return f"OtherTensor({self.here})"

    def tolist(self) -> Any:
        """PyTorch's own reads memory directly."""
        return self.cpu().tolist()

    def numpy(self, **_: Any) -> Any:
        """Refused, as GPUs do."""
        raise TypeError("a tensor of another device cannot become a numpy array: use .cpu() first")

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Files hold plain tensors: those of a GPU are read onto the processor, too."""
        return self.here.__reduce_ex__(protocol)

    @classmethod
    def __torch_dispatch__(
        cls, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Only reached while no `OtherDevice` watches, as when a test reads a result."""
        return OtherDevice().compute(function, args, kwargs or {})


class OtherDevice(TorchDispatchMode):
    """While it is entered, tensors can be made on `DEVICE`.

    Attributes:
        waits: how often the host waited, by op and line of `train/`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Every operation on tensors."""
        return self.compute(function, args, kwargs or {})

    def compute(self, function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """Check the rules, compute on the processor, wrap."""
        name = function._schema.name
        there = any(isinstance(each, OtherTensor) for each in tree_leaves((args, kwargs)))
        asked = kwargs.get("device")
        arriving = asked is not None and torch.device(asked) == DEVICE
        leaving = there and asked is not None and not arriving
        if there:
            _check_devices(name, args, kwargs)
            if name in WAITS or leaving or _masks(name, args) or _copies_out(name, args):
                self.waits[f"{name} {_line()}"] += 1
        unwrapped, options = tree_map(_here, (args, dict(kwargs)))
        if arriving:
            options["device"] = torch.device("cpu")
        found = function(*unwrapped, **options)
        if leaving or not (there or arriving):
            return found
        wrapped = tree_map(_there, found)
        if arriving or name == "aten::_to_copy":
            return wrapped
        return return_and_correct_aliasing(function, args, kwargs, wrapped)


def _here(value: Any) -> Any:
    return value.here if isinstance(value, OtherTensor) else value


def _there(value: Any) -> Any:
    plain = isinstance(value, Tensor) and not isinstance(value, OtherTensor)
    return OtherTensor(value) if plain else value


def _check_devices(name: str, args: Any, kwargs: dict[str, Any]) -> None:
    if name in COPIES:
        return
    looked_at = (args[0], args[2:]) if name in INDEXED else (args, kwargs)
    for each in tree_leaves(looked_at):
        if isinstance(each, Tensor) and not isinstance(each, OtherTensor) and each.ndim > 0:
            raise RuntimeError(f"{name} got tensors of two devices: {_line()}")


def _masks(name: str, args: Any) -> bool:
    """Whether it indexes by a mask, whose number of ones the host must know."""
    indices = tree_leaves(args[1]) if name in INDEXED else []
    return any(isinstance(each, Tensor) and each.dtype == torch.bool for each in indices)


def _copies_out(name: str, args: Any) -> bool:
    return name == "aten::copy_" and not isinstance(args[0], OtherTensor)


def _line() -> str:
    """The innermost line of our own sources on the stack."""
    frames = [f for f in traceback.extract_stack() if Path(f.filename).is_relative_to(SOURCES)]
    return f"{Path(frames[-1].filename).name}: {frames[-1].line}" if frames else "not in train/"


class _Autocast(torch.autocast):
    """PyTorch has none for `meta`."""

    def __init__(self, device_type: str, *args: Any, **kwargs: Any) -> None:
        super().__init__("cpu" if device_type == DEVICE.type else device_type, *args, **kwargs)


_CPU_GENERATOR = torch.Generator


class _Generator(torch.Generator):
    """Likewise."""

    def __new__(cls, device: Any = "cpu") -> Any:
        """The processor's, whatever the device."""
        return _CPU_GENERATOR.__new__(_CPU_GENERATOR)


@contextmanager
def other_device() -> Iterator[OtherDevice]:
    """Tensors can be made on, and moved to, `DEVICE` inside."""
    with pytest.MonkeyPatch.context() as patch, OtherDevice() as watching:
        patch.setattr(torch, "autocast", _Autocast)
        patch.setattr(torch, "Generator", _Generator)
        yield watching
