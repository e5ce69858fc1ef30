"""One self-contained HTML page about how a bundle does on some images."""

from runtime.report.collect import Collected, collect
from runtime.report.page import render

__all__ = ["Collected", "collect", "render"]
