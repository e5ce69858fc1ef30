from types import SimpleNamespace

import pytest

import plugins
from plugins.errors import LibraryError, RegistryError
from plugins.libraries import FOLDER_VARIABLE, plugins_name
from plugins.loader import load_plugins, missing_ops


class FakeRegistry:
    """Finds what it holds; loading a library adds what that library `brings`."""

    def __init__(self, holds=(), brings=()):
        self.holds, self.brings, self.loaded = set(holds), set(brings), []

    def get_creator(self, name, version, namespace):
        return object() if (name, version, namespace) in self.holds else None

    def load_library(self, path):
        self.loaded.append(path)
        self.holds |= self.brings


OURS = {(op, "1", "spikehalt") for op in plugins.PLUGIN_OPS}


def tensorrt(registry, version="11.1.0", name="tensorrt"):
    return SimpleNamespace(__name__=name, __version__=version, get_plugin_registry=lambda: registry)


@pytest.fixture
def library(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    path = tmp_path / plugins_name(11)
    path.touch()
    return path


def test_the_library_of_the_running_major_version_is_loaded_once(library):
    registry = FakeRegistry(brings=OURS)
    assert load_plugins(tensorrt(registry)) == library
    assert load_plugins(tensorrt(registry)) is None
    assert registry.loaded == [str(library)]


def test_a_library_can_be_named(tmp_path):
    other = tmp_path / "libother.so"
    other.touch()
    registry = FakeRegistry(brings=OURS)
    assert load_plugins(tensorrt(registry), library=other) == other


def test_creators_registered_elsewhere_are_used(library):
    registry = FakeRegistry(holds=OURS)
    assert load_plugins(tensorrt(registry)) is None
    assert registry.loaded == []


def test_ops_that_are_not_found_after_loading_are_an_error(library):
    """As with creators registered under the empty namespace."""
    registry = FakeRegistry(brings={(op, "1", "") for op in plugins.PLUGIN_OPS})
    with pytest.raises(RegistryError, match=r"does not find LIF, .* python -m plugins build"):
        load_plugins(tensorrt(registry))
    assert missing_ops(registry) == list(plugins.PLUGIN_OPS)


def test_an_older_library_in_the_process_is_an_error(library):
    registry = FakeRegistry(holds=OURS - {("TokenMerge", "1", "spikehalt")}, brings=OURS)
    with pytest.raises(RegistryError, match="not TokenMerge: an older plugin library"):
        load_plugins(tensorrt(registry))


def test_a_library_that_was_not_built_is_named_with_those_that_were(library):
    with pytest.raises(LibraryError, match=r"trt10.so is not in .* holds .*trt11.so"):
        load_plugins(tensorrt(FakeRegistry(), version="10.3.0"))


def test_a_named_library_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(LibraryError, match="python -m plugins build"):
        load_plugins(tensorrt(FakeRegistry()), library=tmp_path / "libnone.so")


def test_tensorrt_rtx_is_refused_before_anything_is_loaded(library):
    registry = FakeRegistry(brings=OURS)
    with pytest.raises(RegistryError, match="--target tensorrt-rtx"):
        load_plugins(tensorrt(registry, "1.7.1", name="tensorrt_rtx"))
    assert registry.loaded == []


def test_a_machine_without_tensorrt_is_told_how_to_get_it(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(RegistryError, match=r"needs tensorrt, which is not installed: pip install"):
        load_plugins()
