"""Checkpoints of other repositories, brought into ours.

formats     how each repository names its layers
layers      our layers in their names; chains of theirs that are one of ours: reparameterised
variants    the published networks, and what their tensors do not tell
place       tensors into our state dict, every one checked
unwrap      names without the prefixes of wrappers
reader      the file, read without running code
convert     all of it
recalibrate BatchNorm statistics of the user's images
"""

from typing import TYPE_CHECKING

from spikehalt.packages.lazy import lazily

if TYPE_CHECKING:
    from train.importing.convert import import_checkpoint
    from train.importing.formats import FORMATS, Format, find_format

__all__ = ["FORMATS", "Format", "find_format", "import_checkpoint"]

__getattr__ = lazily(
    __name__,
    {
        "import_checkpoint": "train.importing.convert",
        **dict.fromkeys(["FORMATS", "Format", "find_format"], "train.importing.formats"),
    },
)
