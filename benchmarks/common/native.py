"""Whether our graphs are timed with the native ops for ONNX Runtime, as the engine would choose."""

from __future__ import annotations

import argparse

import onnxruntime

from runtime.backends.onnxruntime.native_ops import NativeOps, choose_native_ops


def add_option(parser: argparse.ArgumentParser) -> None:
    """`--native-ops` and `--no-native-ops`; neither: where they have been built."""
    parser.add_argument(
        "--native-ops", action=argparse.BooleanOptionalAction, default=None,
        help="our graphs with native ops (default: where `python -m plugins build` made them)",
    )  # fmt: skip


def as_arguments(wanted: bool | None) -> list[str]:
    """Return the option as arguments of a process."""
    return {None: [], True: ["--native-ops"], False: ["--no-native-ops"]}[wanted]


def native_ops(wanted: bool | None) -> NativeOps:
    """Return the native ops that the engine would choose for a bundle on a CPU."""
    return choose_native_ops(onnxruntime, wanted=wanted, device="cpu", precision="fp32")


def in_words(wanted: bool | None) -> str:
    """Say which ops run and why, for the conditions of a table."""
    chosen = native_ops(wanted)
    return "native ops" if chosen.path else f"function bodies, no native ops ({chosen.why})"
