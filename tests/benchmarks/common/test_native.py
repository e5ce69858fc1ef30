from __future__ import annotations

import argparse
from types import SimpleNamespace

import pytest

from benchmarks.common import native


@pytest.mark.parametrize(
    ("words", "wanted"), [([], None), (["--native-ops"], True), (["--no-native-ops"], False)]
)
def test_the_option_reaches_a_started_process_unchanged(
    words: list[str], wanted: bool | None
) -> None:
    parser = argparse.ArgumentParser()
    native.add_option(parser)
    assert parser.parse_args(words).native_ops is wanted
    assert native.as_arguments(wanted) == words


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("lib.so", "native ops"),
        (None, "function bodies, no native ops (they have not been built)"),
    ],
)
def test_the_conditions_say_what_runs_and_why(
    monkeypatch: pytest.MonkeyPatch, path: str | None, said: str
) -> None:
    chosen = SimpleNamespace(path=path, why="they have not been built")
    monkeypatch.setattr(native, "choose_native_ops", lambda *_, **__: chosen)
    assert native.in_words(None) == said


def test_ops_are_chosen_as_the_engine_would_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, object]] = []
    monkeypatch.setattr(native, "choose_native_ops", lambda *_, **how: asked.append(how))
    native.native_ops(True)
    assert asked == [{"wanted": True, "device": "cpu", "precision": "fp32"}]


def test_function_bodies_can_be_asked_for() -> None:
    assert native.native_ops(False).path is None
