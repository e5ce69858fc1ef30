"""Whatever lies in the place of a file that a user names: an answer, or one line that names it."""

from __future__ import annotations

import ast
import os
import re
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from random import Random

import pytest

from spikehalt.errors import SpikehaltError
from tests.patience import ends_within
from tests.readers.damage import WHOLE, damaged
from tests.readers.table import READERS, Reader

ROOT = Path(__file__).parents[2]
PATIENCE_S = 15
ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}")


def problem_with(reader: Reader, folder: Path) -> str:
    """How reading ended otherwise than it should; empty if it did not."""
    try:
        with ends_within(PATIENCE_S):
            reader.read(folder)
    except SpikehaltError as error:
        said, name = str(error), reader.named or Path(reader.file).name
        if len(said.splitlines()) != 1 or len(said) > 1200:
            return f"not one line: {said!r}"
        if ADDRESS.search(said):
            return f"an address in memory: {said!r}"
        return "" if name in said else f"does not name {name}: {said!r}"
    except Exception as error:
        return f"raises {type(error).__name__}: {error}"
    return ""


def contents(name: str, reader: Reader, valid: bytes) -> Iterator[tuple[str, bytes]]:
    random = Random(zlib.crc32(name.encode()))
    yield from WHOLE.items()
    yield from damaged(valid, random, reader.cases)
    if reader.structured is not None:
        for number in range(3 * reader.cases):
            yield f"values {number}", reader.structured(random)


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_ends_in_an_answer_or_in_one_line_that_names_it(
    name: str, tmp_path: Path
) -> None:
    reader = READERS[name]
    reader.write(tmp_path)
    if reader.valid:
        reader.read(tmp_path)
    valid, problems = (tmp_path / reader.file).read_bytes(), []
    for what, content in contents(name, reader, valid):
        (tmp_path / reader.file).write_bytes(content)
        reader.after(tmp_path)
        if problem := problem_with(reader, tmp_path):
            problems.append(f"{what}: {problem}")

    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("name", READERS)
def test_what_is_no_file_in_its_place_is_told_too(name: str, tmp_path: Path) -> None:
    reader = READERS[name]
    reader.write(tmp_path)
    path, problems = tmp_path / reader.file, []
    path.unlink()
    makers = {"nothing": lambda: None, "a FIFO": lambda: os.mkfifo(path),
              "a link to itself": lambda: path.symlink_to(path),
              "a device": lambda: path.symlink_to("/dev/zero")}  # fmt: skip
    for what, make in makers.items():
        make()
        if problem := problem_with(reader, tmp_path):
            problems.append(f"{what}: {problem}")
        path.unlink(missing_ok=True)
    path.mkdir()
    if problem := problem_with(reader, tmp_path):
        problems.append(f"a folder: {problem}")
    assert not problems, "\n".join(problems)


# What opens or parses, and reads no user's file by itself.
ELSEWHERE = {
    "benchmarks": "what they wrote themselves, or the state of a process",
    "spikehalt.files": "what it writes, locks or copies",
    "spikehalt.console": "the null device, to write to",
    "spikehalt.extras:_source": "what pip wrote",
    "spikehalt.reading:is_lfs_pointer": "a few bytes, whatever they are",
    "export.engines.build:_sha256": "a plugin library that was just built",
    "export.engines.targets.tensorrt:TensorRT._use_timings": "by read_file, for TensorRT to judge",
    "runtime.backends.plugin_library:library_mismatch": "a library's digest, its OSError told",
    "runtime.backends.tensorrt.kernel_cache:KernelCache._kept": "a cache, left out if unreadable",
    "runtime.bundle.engine_manifest:EngineSidecar.from_json": "as the manifest, by parse_json",
    "runtime.cli.outputs": "opened to be written",
    "runtime.results.trajectory:Trajectory.save": "opened to be written",
    "runtime.bulk.folders:_Stored": "a store, in tests/runtime/bulk/test_stores.py",
    "runtime.bulk.places:list_uri": "a store, in tests/runtime/bulk/test_stores.py",
    "runtime.bulk.places:opened": "a store, in tests/runtime/bulk/test_stores.py",
    "runtime.bulk.shards:Shard.from_json": "what one of our processes tells another",
    "runtime.ray": "what one of our processes tells another",
    "runtime.triton.model": "what Triton gives, answered in its own words",
    "train.cli.importing:_class_names": "by read_names",
    "train.data.huggingface:_load": "by the package datasets, whatever it raises is mapped",
    "train.loop.sweep:_value": "a word of the command line",
}
OPENERS = {
    "Decoder", "DictReader", "File", "Unpickler", "ZipFile", "_read_bounded", "fdopen", "fromfile",
    "is_zipfile", "load_dataset", "load_file", "load_from_disk", "load_model_from_string", "loads",
    "memmap", "open", "open_zip", "parse_json", "read_array", "read_bytes", "read_file",
    "read_member", "read_names", "read_text", "reader", "reading", "safe_load",
}  # fmt: skip
LOADERS = {"np", "numpy", "torch", "onnx", "json", "yaml", "pickle", "datasets"}


def opens(call: ast.Call) -> bool:
    """Whether a call opens or parses something, or goes around what does."""
    function = call.func
    if isinstance(function, ast.Name):
        return function.id in OPENERS
    if not isinstance(function, ast.Attribute):
        return False
    of = ast.unparse(function.value)
    if function.attr == "load":
        return of in LOADERS or of.startswith("_ArraysOnly")
    return function.attr in OPENERS and of not in ("Bundle", "backend", "_REGISTRY[backend]")


@lru_cache(maxsize=1)
def openers() -> frozenset[str]:
    """Every function of the project that does, as "module:function"."""
    found: set[str] = set()

    def walk(node: ast.AST, module: str, inside: tuple[str, ...]) -> None:
        for child in ast.iter_child_nodes(node):
            named = isinstance(child, ast.FunctionDef | ast.ClassDef)
            below = (*inside, child.name) if named else inside  # type: ignore[attr-defined]
            if isinstance(child, ast.Call) and opens(child):
                found.add(f"{module}:{'.'.join(below)}")
            walk(child, module, below)

    for package in ("spikehalt", "train", "export", "runtime", "plugins", "benchmarks"):
        for path in sorted((ROOT / package).rglob("*.py")):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            walk(ast.parse(path.read_text(encoding="utf-8")), module, ())
    return frozenset(found)


def test_every_function_that_opens_a_file_is_in_the_table() -> None:
    """A new one is put into READERS, or, where no user names its file, into ELSEWHERE."""
    known = {function for reader in READERS.values() for function in reader.functions}
    unknown = {
        function
        for function in openers() - known
        if not any(function.startswith(each) for each in ELSEWHERE)
    }
    assert not unknown


def test_the_table_names_no_function_that_opens_nothing() -> None:
    known = {function for reader in READERS.values() for function in reader.functions}
    assert known <= openers()
    assert all(any(each.startswith(name) for each in openers()) for name in ELSEWHERE)
