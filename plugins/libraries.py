"""Where compiled libraries lie, and what they are called."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from plugins.common.contract import VERSION
from plugins.errors import LibraryError
from spikehalt.places import PLUGIN_FOLDER_VARIABLE, plugin_folder, why_no_file

FOLDER_VARIABLE: Final = PLUGIN_FOLDER_VARIABLE
"""Environment variable that names the folder of the compiled libraries."""
KERNELS_NAME: Final = "libspikehalt_kernels.so"
ONNXRUNTIME_NAME: Final = f"libspikehalt_onnxruntime_v{VERSION}.so"
"""Kernels for CPUs, for `SessionOptions.register_custom_ops_library`.

The name carries the version of the ops, since ONNX Runtime runs a kernel whatever version a graph
asks for. A library of another version is therefore not found, and the function bodies run.
"""


def library_folder() -> Path:
    """`$SPIKEHALT_PLUGIN_DIR`, or `spikehalt/plugins` in the user's cache folder.

    Raises:
        NoPlaceError: there is no such folder.
    """
    return plugin_folder()


def plugins_name(major: int, *, static: bool = False) -> str:
    """File name of the plugin library of a TensorRT major version.

    Args:
        major: TensorRT's major version; the registry's layout differs between them.
        static: the library that registers itself when it is opened (Polygraphy, trtexec
            `--staticPlugins`), not the one TensorRT loads.
    """
    return f"libspikehalt_plugins_trt{major}{'_static' if static else ''}.so"


def find_kernels() -> Path:
    """The kernels library.

    Raises:
        LibraryError: it has not been built.
    """
    return _existing(KERNELS_NAME)


def find_onnxruntime() -> Path:
    """The library for ONNX Runtime.

    Raises:
        LibraryError: it has not been built.
    """
    return _existing(ONNXRUNTIME_NAME)


def find_plugins(major: int, *, static: bool = False) -> Path:
    """The plugin library of a TensorRT major version; arguments as in `plugins_name`.

    Raises:
        LibraryError: it has not been built; the message says which ones are there.
    """
    return _existing(plugins_name(major, static=static))


def built_libraries() -> list[Path]:
    """Every library of the project in the library folder, sorted by name."""
    return sorted(library_folder().glob("libspikehalt_*.so"))


def measured_files(folder: Path) -> list[Path]:
    """What the library for ONNX Runtime in `folder` has measured, a file a processor model.

    A file's name has a hash of that model and of the library, which reads no other one.
    """
    return sorted(folder.glob("measured-*.txt"))


def _existing(name: str) -> Path:
    path = library_folder() / name
    if not why_no_file(path):
        return path
    there = ", ".join(library.name for library in built_libraries()) or "no library of this project"
    raise LibraryError(
        f"{name} is not in {path.parent}, which holds {there}. Build it with: "
        f"python -m plugins build (or point {FOLDER_VARIABLE} to where it lies)."
    )
