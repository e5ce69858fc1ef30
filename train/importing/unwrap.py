"""Names of tensors without what wrappers put into them: DDP, torch.compile, Lightning, FSDP."""

from __future__ import annotations

from torch import Tensor

from train.errors import CheckpointError
from train.importing.formats import FORMATS

# Wrappers of modules, which may stand anywhere in a name.
_INSIDE = {"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
_COUNTERS = {"n_averaged"}  # of torch.optim.swa_utils.AveragedModel


def unwrapped(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors by the names that the repository's own network gives them.

    Args:
        tensors: by name, each behind the same prefix, or behind none.

    Raises:
        CheckpointError: several networks are in the file, or tensors beside the network.
    """
    named = {
        ".".join(part for part in key.split(".") if part not in _INSIDE): value
        for key, value in tensors.items()
        if key.rpartition(".")[2] not in _COUNTERS
    }
    prefixes = {prefix for key in named for prefix in _prefixes(key)}
    if not prefixes:
        return named
    if len(prefixes) > 1:
        listed = ", ".join(repr(prefix) for prefix in sorted(prefixes))
        raise CheckpointError(
            f"the file holds several networks, whose names begin with {listed}: save one alone"
        )
    (prefix,) = prefixes
    others = [key for key in named if not key.startswith(prefix)]
    if others:
        raise CheckpointError(
            f"beside the network {prefix!r} the file holds {', '.join(sorted(others)[:5])}: save "
            "the network's state_dict alone"
        )
    return {key.removeprefix(prefix): value for key, value in named.items()}


def _prefixes(key: str) -> list[str]:
    """The prefixes before names by which a repository is known."""
    signs = [form.sign for form in FORMATS]
    return [key.removesuffix(sign) for sign in signs if key == sign or key.endswith(f".{sign}")]
