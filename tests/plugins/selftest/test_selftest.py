from dataclasses import replace

import numpy as np
import pytest

from plugins.errors import NoDeviceError
from plugins.ops import PLUGIN_OPS
from plugins.selftest import run as module
from plugins.selftest.cases import all_cases
from plugins.selftest.part import Sizes
from plugins.selftest.run import check_case, check_cases, run_sanitizer, selftest
from plugins.selftest.timing import Timing, measure, report


@pytest.fixture
def some_cases():
    """One case of each op."""
    return list({case.op: case for case in all_cases(quick=True)}.values())


def test_the_whole_quick_test_passes_on_the_emulated_device(emulated_library):
    lines = []
    assert selftest(emulated_library, quick=True, megabytes=1, sanitize=False, say=lines.append)
    assert lines[0] == "CPU emulation, compute capability 9.0"
    assert [line.split()[0] for line in lines[1:]] == [
        "LIF", "TokenHalt", "TokenHaltSum", "TokenMerge", "TokenMergeSimilar",
    ]  # fmt: skip


@pytest.mark.parametrize("order", ["backward", "1", "2"])
def test_no_result_depends_on_which_thread_comes_first(device, monkeypatch, order):
    monkeypatch.setenv("SPIKEHALT_EMULATED_ORDER", order)
    failures = []
    assert check_cases(device, list(all_cases(quick=True)), failures.append) == [], failures


def test_a_wrong_result_is_reported_with_its_sizes(device, some_cases):
    lines = []
    case = some_cases[0]
    wrong = replace(case, reference=lambda: tuple(array + 1 for array in case.reference()))
    failures = check_cases(device, [wrong], lines.append)
    assert failures == [f"LIF {case.label}: output 0 is off by 1 (allowed: 0)"]
    assert lines[0] == f"FAILED {failures[0]}"


def test_a_result_of_another_type_is_wrong(device, some_cases):
    case = some_cases[0]
    wider = replace(case, reference=lambda: tuple(a.astype(np.float64) for a in case.reference()))
    assert check_case(device, wider) == "output 0 is off by inf (allowed: 0)"


def test_a_result_that_changes_from_run_to_run_is_wrong(device, some_cases, monkeypatch):
    noise = iter(range(9))
    real = module.calls.run
    monkeypatch.setattr(
        module.calls, "run", lambda *a: tuple(array + next(noise) for array in real(*a))
    )
    assert check_case(device, some_cases[1]) == "output 0 differs from run to run"


def test_halting_cases_have_halting_and_living_tokens():
    """Else they would not show that the decision is right."""
    for case in all_cases(quick=False):
        if case.op == "TokenHalt" and "last=False" in case.label and "K=64 " in case.label:
            live, cum = case.reference.keywords["live"], case.reference()[2]
            halted = cum >= 1 - case.reference.keywords["epsilon"]
            assert halted.any() and not halted.all() and live.any() and not live.all()


def test_every_op_is_timed_against_the_copy(device):
    timings = measure(device, Sizes(megabytes=0, images=(1,), tokens=(64,), runs=2))
    names = [timing.name for timing in timings]
    assert names[0] == "device copy"
    for op in PLUGIN_OPS:
        assert sum(name.split()[0] == op for name in names) >= 2
    assert all(timing.gigabytes_per_s >= 0 for timing in timings)


def test_the_report_gives_shares_of_the_copy():
    lines = []
    report([Timing("device copy", 1.0, 4000.0), Timing("LIF float32", 0.5, 3600.0)], lines.append)
    assert lines[1].split() == [
        "LIF", "float32", "500.0", "us", "3600.0", "GB/s", "90.0%", "of", "the", "copy",
    ]  # fmt: skip


def test_without_the_sanitizer_the_report_says_so(emulated_library, monkeypatch):
    lines = []
    monkeypatch.setenv("PATH", "")
    assert run_sanitizer(emulated_library, lines.append)
    assert lines == ["compute-sanitizer: not on PATH, so memory accesses were not checked"]


@pytest.mark.parametrize("code", [0, 1])
def test_what_the_sanitizer_says_counts(emulated_library, monkeypatch, tmp_path, code):
    tool = tmp_path / "compute-sanitizer"
    tool.write_text(f'#!/bin/sh\necho "Invalid __global__ read $5"\nexit {code}\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    lines = []
    assert run_sanitizer(emulated_library, lines.append) == (code == 0)
    assert ("Invalid __global__ read" in lines[0]) == (code == 1)


def test_no_gpu_stops_the_test(emulated_library, emulated_kernels):
    emulated_kernels._library.emulationFail(100)
    try:
        with pytest.raises(NoDeviceError):
            selftest(emulated_library, quick=True, megabytes=1, sanitize=False, say=str)
    finally:
        emulated_kernels._library.emulationFail(0)
