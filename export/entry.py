"""What the commands do before anything else; imports nothing that may not be installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from spikehalt import commands, console, extras
from spikehalt.errors import MissingExtraError

_OURS = ("export", "plugins", "runtime", "spikehalt", "train")
_EXTRAS = {"onnxruntime": "onnxruntime", "polygraphy": "compare", "onnx_graphsurgeon": "compare"}
_FOR_ENGINES = ("onnx",)


@contextmanager
def explained_imports(module: str) -> Iterator[None]:
    """Around a command's imports: a package that is not installed ends it with one sentence.

    Args:
        module: the command's `__name__`; where it is not run but imported, whoever imports it gets
            the ImportError.

    Raises:
        SystemExit: with status 2, after saying which extra to install; with 130 after Ctrl-C.
    """
    try:
        with commands.importing(module):
            yield
    except ImportError as error:
        if module != "__main__":
            raise
        console.error(missing_package(error))
        raise SystemExit(commands.FAILED) from error


@contextmanager
def needing_packages() -> Iterator[None]:
    """Around a command's work.

    Raises:
        MissingExtraError: in place of an ImportError, with the extra to install.
    """
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(missing_package(error)) from error


def missing_package(error: ImportError) -> str:
    """What is not installed, and the extra that brings it.

    Raises:
        ImportError: it is a module of this project: a defect, which no package remedies.
    """
    package = (error.name or "").partition(".")[0]
    if package in _OURS:
        raise error
    text = extras.missing(error, _EXTRAS.get(package, "export"), "this command")
    if package in _FOR_ENGINES:  # as on a Jetson, where nobody wants PyTorch
        remedy = extras.install_command("cli")
        text += f", or to build engines from a bundle alone: {remedy} onnx"
    return text
