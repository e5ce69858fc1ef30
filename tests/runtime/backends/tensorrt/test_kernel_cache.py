from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runtime import Engine
from runtime.backends.tensorrt.kernel_cache import KernelCache
from spikehalt.places import cache_folder
from tests.export.dyadic import pictures
from tests.fakes.tensorrt import IRuntimeConfig
from tests.runtime.backends.tensorrt.test_session import prepared


class FakeEngine:
    def create_runtime_config(self) -> IRuntimeConfig:
        return IRuntimeConfig()


def compiled(cache: KernelCache, contexts: int) -> Any:
    """What the library's cache holds after so many contexts were made."""
    for _ in range(contexts):
        config = cache.configure(FakeEngine())
        config.cache.kernels += 1
    return config.cache


def test_kernels_are_kept_for_the_next_process(tmp_path: Path) -> None:
    first = KernelCache(b"plan", tmp_path)
    assert compiled(first, 2).kernels == 2
    first.save()
    second = KernelCache(b"plan", tmp_path)
    assert second.configure(FakeEngine()).cache.kernels == 2
    assert KernelCache(b"other plan", tmp_path).path != second.path


def test_all_contexts_of_an_engine_share_a_cache(tmp_path: Path) -> None:
    cache = KernelCache(b"plan", tmp_path)
    configs = [cache.configure(FakeEngine()) for _ in range(2)]
    assert configs[0] is not configs[1] and configs[0].cache is configs[1].cache


def test_what_has_not_grown_is_not_written_again(tmp_path: Path) -> None:
    cache = KernelCache(b"plan", tmp_path)
    compiled(cache, 1)
    cache.save()
    again = KernelCache(b"plan", tmp_path)
    again.configure(FakeEngine())
    again.path.unlink()
    again.save()
    assert not again.path.exists()


def test_a_cache_that_does_not_fit_is_replaced(tmp_path: Path) -> None:
    cache = KernelCache(b"plan", tmp_path)
    cache.path.write_bytes(b"of another version, and long")
    assert compiled(cache, 1).kernels == 1
    cache.save()
    assert cache.path.read_bytes() == b"kernels "


def test_a_folder_that_cannot_be_written_to_is_no_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = KernelCache(b"plan", tmp_path / "file")
    assert compiled(cache, 1).kernels == 1
    with caplog.at_level(logging.INFO, "runtime"):
        cache.save()
    assert "compiled kernels are not kept" in caplog.text
    assert (tmp_path / "file").read_text() == "in the way"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_cache_that_was_never_used_writes_nothing(tmp_path: Path) -> None:
    KernelCache(b"plan", tmp_path).save()
    assert not list(tmp_path.iterdir())


def test_closing_a_tensorrt_rtx_engine_keeps_its_kernels(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _, bundle = prepared(monkeypatch, tmp_path, flavour="tensorrt-rtx")
    answers = []
    for _ in range(2):
        with Engine(bundle, backend="tensorrt-rtx") as engine:
            answers.append(engine(pictures(3)).logits)
    np.testing.assert_array_equal(*answers)
    assert cache_folder("kernels") == tmp_path / "cache" / "spikehalt" / "kernels"
    assert len(list(cache_folder("kernels").glob("*.kernels"))) == 2, "one per graph"


def test_tensorrt_has_nothing_to_keep(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _, bundle = prepared(monkeypatch, tmp_path)
    with Engine(bundle, backend="tensorrt") as engine:
        engine(pictures(3))
    assert not cache_folder("kernels").exists()
