"""Rules for the C++ sources that a compiler does not check."""

import re

import pytest

from tests.plugins import compilers
from tests.plugins.tensorrt.conftest import PLUGIN_SOURCES

SOURCES = PLUGIN_SOURCES
METHOD = re.compile(r"^[\w:<>*& ]+\([^{};]*\)(?: const)? noexcept\n\{\n(.*?)^\}", re.M | re.S)
THROWS = re.compile(
    r"\b(require|throw|new|std::string|std::to_string|push_back|emplace_back|copy)\b"
)


def noexcept_bodies():
    return [
        (path.name, body) for path in SOURCES for body in METHOD.findall(path.read_text())
    ]  # fmt: skip


def test_the_pattern_finds_the_methods():
    """Every definition that says noexcept has a body the next test looks at."""
    said = sum(len(re.findall(r"noexcept\n\{", path.read_text())) for path in SOURCES)
    assert len(noexcept_bodies()) == said > 20


@pytest.mark.parametrize(("name", "body"), noexcept_bodies())
def test_nothing_throws_out_of_a_noexcept_method(name, body):
    assert "guarded<" in body or not THROWS.search(body), f"{name}:\n{body}"


def test_only_the_plugins_include_tensorrt():
    for path in compilers.SOURCES.rglob("*"):
        if path.suffix in {".cu", ".cuh"} or path.name.endswith(("_kernel.h", "_math.h")):
            assert "NvInfer" not in path.read_text(), path
