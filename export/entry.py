"""What the commands do before anything else; imports nothing that may not be installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_OURS = ("export", "plugins", "runtime", "train")
_EXTRAS = {"onnxruntime": "onnxruntime", "polygraphy": "compare", "onnx_graphsurgeon": "compare"}
_FOR_ENGINES = ("onnx", "rich")


@contextmanager
def explained_imports(module: str) -> Iterator[None]:
    """Around a command's imports: a package that is not installed ends it with one sentence.

    Args:
        module: the command's `__name__`; where it is not run but imported, whoever imports it gets
            the ImportError.

    Raises:
        SystemExit: with status 2, after saying which extra to install.
    """
    try:
        yield
    except ImportError as error:
        if module != "__main__":
            raise
        sys.stderr.write(f"error: {missing_package(error)}\n")
        raise SystemExit(2) from error


def missing_package(error: ImportError) -> str:
    """What is not installed, and the extra that brings it.

    Raises:
        ImportError: it is a module of this project: a defect, which no package remedies.
    """
    package = (error.name or "").split(".")[0]
    if package in _OURS:
        raise error
    extra = _EXTRAS.get(package, "export")
    text = f"this command needs {package or 'a package'}, which cannot be imported here ({error})"
    remedy = f"pip install 'spikehalt[{extra}]'"
    if package in _FOR_ENGINES:  # as on a Jetson, where nobody wants PyTorch
        remedy += ", or to build engines from a bundle alone: pip install 'spikehalt[cli]' onnx"
    return f"{text}: {remedy}"


def print_whatever_the_encoding() -> None:
    """Let characters that stdout's encoding lacks, such as ε in cp1252, become question marks."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)  # a replaced stdout may have none
    if reconfigure is not None:
        reconfigure(errors="replace")
