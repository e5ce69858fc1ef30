"""What the documentation site does with pages that were written to be read in a checkout."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_OUTSIDE = re.compile(r"\[([^\]]+)\]\(\.\./([^)#]+)(?:#[^)]*)?\)")
_LIST_ITEM = re.compile(r"([-*]|\d+\.) ")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add a page for every notebook."""
    for path in sorted((Path(config.docs_dir) / "notebooks").glob("*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        page = "\n\n".join(_cell(each) for each in notebook["cells"])
        note = f"[This notebook as a file]({path.name})"
        title, _, rest = page.partition("\n")
        files.append(
            File.generated(
                config, f"notebooks/{path.stem}.md", content=f"{title}\n\n{note}\n{rest}"
            )
        )
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Name files of the checkout where pages link to them; part lists from what is before them."""
    at_the_top = "/" not in page.file.src_uri
    return _parted(_OUTSIDE.sub(_named, markdown) if at_the_top else markdown)


def _named(link: re.Match[str]) -> str:
    text, place = link[1], link[2]
    return (
        f"`{place}`" if text.strip("`").rstrip("/") == place.rstrip("/") else f"{text} (`{place}`)"
    )


def _parted(markdown: str) -> str:
    """Python-Markdown, unlike GitHub, wants a blank line before a list."""
    lines: list[str] = []
    fenced = False
    for line in markdown.split("\n"):
        before = lines[-1] if lines else ""
        fenced ^= line.lstrip().startswith("```")
        begins = _LIST_ITEM.match(line) and before.strip() and not before.startswith((" ", "#"))
        if begins and not fenced and not _LIST_ITEM.match(before):
            lines.append("")
        lines.append(line)
    return "\n".join(lines)


def _cell(cell: dict[str, Any]) -> str:
    text = "".join(cell["source"])
    return text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```"
