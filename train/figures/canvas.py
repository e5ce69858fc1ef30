"""An empty figure, and how it is written; matplotlib is imported here and nowhere else."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

from spikehalt.errors import ConfigError
from spikehalt.extras import require_extra
from spikehalt.files import put_file

SUFFIXES = (".png", ".svg", ".pdf")


def canvas(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Any, Any]:
    """A figure and its axes [rows][columns], without any window or global state.

    Args:
        width: in inches.
        height: in inches.
        rows: of axes.
        columns: of axes.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    module = require_extra("matplotlib.figure", "figures", "drawing figures")
    figure = module.Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def outside_legend(figure: Any, axis: Any) -> None:
    """The legend of `axis`, beside all panels."""
    handles, names = axis.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right upper")


def check_suffix(path: Path) -> None:
    """Refuse a file that is no PNG, SVG or PDF by its ending.

    Raises:
        ConfigError: the endings are named.
    """
    if path.suffix not in SUFFIXES:
        raise ConfigError(f"{path} must end in one of {', '.join(SUFFIXES)}")


def write(figure: Any, path: Path) -> None:
    """Save as PNG, SVG or PDF, by the file's ending.

    Raises:
        ConfigError: another ending.
        OutputError: the disk refused.
    """
    check_suffix(path)
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of letters that the font lacks, which are boxes
        figure.savefig(content, dpi=150, format=path.suffix[1:])
    put_file(path, content.getvalue(), "figure")
