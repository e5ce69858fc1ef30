"""The documentation site builds strictly, without a network, and its pages need none."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("material", reason="the site needs pip install 'spikehalt[docs]'")
pytest.importorskip("mkdocstrings_handlers", reason="the site needs pip install 'spikehalt[docs]'")

ROOT = Path(__file__).parent.parent
PAGES = ("index", "training", "tensorrt", "jetson", "runtime", "live", "serving", "models")
PAGES += ("performance", "design", "notebooks/digits", "notebooks/board", "api/runtime")
LOADED = r"<(?:script|link|img|iframe|source|video|audio|object|embed)\b[^>]*?(?:src|href|data)="
ELSEWHERE = re.compile(LOADED + r"[\"']?(?:https?:)?//[^>]*>|url\([\"']?(?:https?:)?//|@import")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    # Whatever would be fetched is asked of a proxy that is not there.
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, **nowhere, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_part_has_a_page_with_something_on_it(site: Path) -> None:
    for name in PAGES:
        text = (site / f"{name}.html").read_text(encoding="utf-8")
        assert len(re.sub(r"<[^>]+>", "", text[text.index("<article") :])) > 500, name
    reference = (site / "api" / "runtime.html").read_text(encoding="utf-8")
    assert 'id="runtime.engine.Engine.stream"' in reference
    assert "Larger batches are split" in reference or "larger batches are split" in reference


def test_no_page_asks_the_network_for_anything(site: Path) -> None:
    styles = [path for path in site.rglob("*.css") if path.is_file()]
    pages = list(site.rglob("*.html"))
    assert len(pages) > len(PAGES) and styles
    for path in (*pages, *styles):
        found = ELSEWHERE.search(path.read_text(encoding="utf-8"))
        assert found is None, (path.name, found)


def test_lists_and_tables_and_blocks_became_such(site: Path) -> None:
    """Python-Markdown is stricter than GitHub about blank lines."""
    for path in site.glob("*.html"):
        text = path.read_text(encoding="utf-8")
        article = re.sub(r"<pre.*?</pre>", "", text[text.index("<article") :], flags=re.DOTALL)
        for paragraph in re.findall(r"<p>(.*?)</p>", article, re.DOTALL):
            assert not re.search(r"^\s*(?:[-*] |```)|\|---", paragraph, re.MULTILINE), path.name


def test_a_request_elsewhere_would_be_found() -> None:
    for text in (
        '<script src="https://cdn.example.org/x.js"></script>',
        "<link rel=stylesheet href=//fonts.example.org/css>",
        "a { background: url(https://example.org/x.png) }",
    ):
        assert ELSEWHERE.search(text)
    assert not ELSEWHERE.search('<a href="https://example.org">there</a><img src="x.png">')
