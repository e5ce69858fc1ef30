import ctypes
import json
import subprocess

import pytest

from plugins.errors import LibraryError
from plugins.selftest.cases import all_parts, open_kernels
from tests.plugins import compilers

STRUCTURES = dict(each for part in all_parts() for each in part.structures.items())
HEADERS = sorted(compilers.SOURCES.glob("*/*_kernel.h"))


def test_structures_lie_in_memory_as_the_headers_say(build_folder):
    """Also compiles the headers as plain C, which is what they promise to be."""
    if compilers.cxx() is None:
        pytest.skip("no C++ compiler: set CXX or install g++")
    source = build_folder / "layout.c"
    source.write_text(_layout_program())
    program = build_folder / "layout"
    compilers.build_once(["cc", "-std=c11", *compilers.WARNINGS, str(source)], program)
    layout = json.loads(subprocess.run([program], capture_output=True, check=True).stdout)
    for name, structure in STRUCTURES.items():
        offsets = {field[0]: getattr(structure, field[0]).offset for field in structure._fields_}
        assert layout[name] == offsets | {"": ctypes.sizeof(structure)}


def test_a_file_that_is_no_library_of_ours_is_refused(tmp_path):
    other = tmp_path / "libother.so"
    other.write_bytes(b"no ELF")
    with pytest.raises(LibraryError, match="python -m plugins build"):
        open_kernels(other)


def test_error_codes_have_sentences(emulated_kernels):
    assert emulated_kernels.error_string(0) == "no error"
    assert emulated_kernels.error_string(100) == "no CUDA-capable device is detected"
    assert emulated_kernels.error_string(-99) == "an unknown error code"


def _layout_program():
    """A C program that prints the size and the offsets of every structure as JSON."""
    includes = "".join(f'#include "{header}"\n' for header in HEADERS)
    lines = []
    for name, structure in STRUCTURES.items():
        fields = "".join(
            f'printf("\\"{field[0]}\\": %zu, ", offsetof({name}, {field[0]}));'
            for field in structure._fields_
        )
        lines.append(f'printf("\\"{name}\\": {{");{fields}printf("\\"\\": %zu}}", sizeof({name}));')
    body = 'printf(", ");'.join(lines)
    return (
        f"#include <stddef.h>\n#include <stdio.h>\n{includes}"
        f'int main(void) {{ printf("{{"); {body} printf("}}"); return 0; }}\n'
    )
