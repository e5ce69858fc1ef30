"""Optional packages: imported where they are needed; where they are missing, how to get them."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

from spikehalt.errors import MissingExtraError, SpikehaltError
from spikehalt.reading import reason

NAME = "spikehalt"
_OTHERWISE = {
    "tensorrt": "; on a Jetson: apt install python3-libnvinfer",
    "tensorrt_rtx": "; it exists for Linux on x86-64 and for Windows",
}

# ONNX Runtime's wheels write a device id and a database of events below the home folder, and look
# up a host of Microsoft's; the client of the Hugging Face hub counts what uses it, as Ray does.
TELEMETRY_VARIABLES = {
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}


def switch_off_telemetry() -> None:
    """Keep libraries, before they are imported, from reporting; also in processes started later.

    Whoever wants it sets the variable to the contrary.
    """
    for name, off in TELEMETRY_VARIABLES.items():
        os.environ.setdefault(name, off)


def require_extra(
    module: str, extra: str, purpose: str, error: type[SpikehaltError] = MissingExtraError
) -> Any:
    """Import an optional package; returns the module.

    Args:
        module: what to import, such as "PIL.Image".
        extra: the extra of this project that brings it.
        purpose: what needs it, as the subject of the message: "reading images".
        error: what to raise.

    Raises:
        SpikehaltError: of kind `error`: it is not installed, with the command that installs it; or
            it is, and cannot be loaded, with the library's own reason.
    """
    try:
        return importlib.import_module(module)
    except Exception as problem:  # a library that cannot be loaded raises what it likes
        raise error(missing(problem, extra, purpose, module.partition(".")[0])) from problem


def missing(error: Exception, extra: str, purpose: str, package: str = "") -> str:
    """Why an import failed, and what to do, in one sentence.

    Args:
        error: what it raised.
        extra: the extra of this project that brings the package.
        purpose: what needs it, as the subject of the sentence.
        package: what was imported, where the error does not say.
    """
    found = str(getattr(error, "name", None) or package).partition(".")[0]
    if isinstance(error, ModuleNotFoundError) and found:
        otherwise = _OTHERWISE.get(found, "")
        return (
            f"{purpose} needs {found}, which is not installed: {install_command(extra)}{otherwise}"
        )
    return (
        f"{purpose} needs {found or 'a package'}, which is installed and cannot be loaded: "
        f"{reason(error)}"
    )


def install_command(extra: str) -> str:
    """The pip command that brings an extra, from where this copy of the project came."""
    import shlex

    source = _source()
    if source is None:
        return f"pip install 'PLACE[{extra}]', PLACE being the wheel or checkout that you have"
    editable, place = source
    name = f"{NAME}[{extra}] @ {place}" if "://" in place else f"{place}[{extra}]"
    return f"pip install {'-e ' if editable else ''}{shlex.quote(name)}"


def _source() -> tuple[bool, str] | None:
    """Whether this copy is an editable checkout, and the file, folder or URL that it came from."""
    import json
    from importlib.metadata import PackageNotFoundError, distribution
    from urllib.parse import unquote, urlparse

    try:
        text = distribution(NAME).read_text("direct_url.json")
    except PackageNotFoundError:  # a bare source tree on the path
        return False, str(Path(__file__).resolve().parents[1])
    if text is None:
        return None
    try:
        direct = json.loads(text)
    except ValueError:
        return None
    url = str(direct.get("url", ""))
    editable = bool(direct.get("dir_info", {}).get("editable"))
    return editable, unquote(urlparse(url).path) if url.startswith("file:") else url


def version() -> str:
    """Version of the installed distribution, or "unknown" in a bare source tree."""
    from importlib.metadata import Distribution, PackageNotFoundError

    try:
        return Distribution.from_name(NAME).version
    except PackageNotFoundError:
        return "unknown"
