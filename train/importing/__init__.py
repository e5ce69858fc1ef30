"""Checkpoints of other repositories, brought into ours.

formats     how each repository names its layers
place       tensors into our state dict, every one checked
unwrap      names without the prefixes of wrappers
reader      the file, read without running code
"""

from train.importing.convert import import_checkpoint
from train.importing.formats import FORMATS, Format, find_format

__all__ = ["FORMATS", "Format", "find_format", "import_checkpoint"]
