"""What the files of a bundle are called (design section 5)."""

from __future__ import annotations

import re

MANIFEST_NAME = "manifest.json"
SIGNATURE_NAME = "manifest.sig"
FIRST_GRAPH = "first.onnx"
NEXT_GRAPH = "next.onnx"
WEIGHTS_FILE = "weights.bin"  # what both graphs read

_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,199}")


def is_file_name(name: str) -> bool:
    """Whether a file beside the manifest may be called so: a plain name that is not taken."""
    reserved = name in (MANIFEST_NAME, SIGNATURE_NAME)
    return _FILE_NAME.fullmatch(name) is not None and not reserved
