"""What an op has to have outside of its code, and one sentence for each piece that is missing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from plugins.common.op import Op

FILES = {
    "op.yaml": "the contract: names, shapes, types and attributes",
    "reference.py": "the numpy reference",
    "function.py": "the ONNX function body",
    "*_onnxruntime.cpp": "the kernel for ONNX Runtime on CPUs",
}
PLUGIN_FILES = {
    "*_kernel.h": "the C declaration of the CUDA kernel",
    "*_kernel.cu": "the CUDA kernel",
    "*_plugin.h": "the declaration of the TensorRT plugin",
    "*_plugin.cpp": "the TensorRT plugin",
    "selftest.py": "PART, its part of `python -m plugins selftest`",
}


def missing(op: Op, folder: Path) -> Iterator[str]:
    """Say which pieces of an op are not there.

    Args:
        op: of the table.
        folder: where it lies, below the folder of `plugins`, which has `docs` beside it.
    """
    for pattern, meaning in (FILES | (PLUGIN_FILES if op.plugin else {})).items():
        if not list(folder.glob(pattern)):
            yield f"{op.name} lacks {folder.name}/{pattern}: {meaning}."
    pages = {
        folder.parent / "README.md": f"| `{op.name}` | … | [{folder.name}/op.yaml](…) |",
        folder.parent.parent / "docs" / "design.md": f"| `{op.name}` | {_cells(op)} |",
    }
    for page, row in pages.items():
        if not re.search(rf"^\| `{op.name}` \|", page.read_text(encoding="utf-8"), re.M):
            yield f"{op.name} has no row in {page.parent.name}/{page.name}: {row}"


def _cells(op: Op) -> str:
    """Inputs, outputs and attributes, as the design page's table has them."""
    names = (op.inputs, op.outputs, tuple(op.attributes) or ("none",))
    return " | ".join(", ".join(each) for each in names)
