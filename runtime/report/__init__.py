"""One self-contained HTML page about how a bundle does on some images."""

from runtime.report.collect import Collected, Other, collect
from runtime.report.page import render

__all__ = ["Collected", "Other", "collect", "render"]
