import pytest

from plugins.building.toolchain import (
    INCLUDE_VARIABLE,
    find_cxx,
    find_nvcc,
    find_tensorrt,
    read_headers,
)
from plugins.errors import WrongSettingError

PLAIN = (
    "#define NV_TENSORRT_MAJOR {major} //!< TensorRT major version.\n#define NV_TENSORRT_MINOR 3\n"
)
INDIRECT = (
    "#define TRT_MAJOR_ENTERPRISE {major}\n#define TRT_MINOR_ENTERPRISE 16\n"
    "#define NV_TENSORRT_MAJOR TRT_MAJOR_ENTERPRISE //!< TensorRT major version.\n"
)


def headers(folder, text):
    folder.mkdir()
    (folder / "NvInferVersion.h").write_text(text)
    (folder / "NvInferRuntime.h").touch()
    return folder


def test_versions_are_read_as_both_generations_of_headers_write_them(tmp_path):
    old = read_headers(headers(tmp_path / "old", PLAIN.format(major=10)))
    new = read_headers(headers(tmp_path / "new", INDIRECT.format(major=11)))
    assert (old.major, old.minor, new.major, new.minor) == (10, 3, 11, 16)


def test_headers_without_the_plugin_interface_count_as_none(tmp_path):
    assert read_headers(headers(tmp_path / "trt8", PLAIN.format(major=8))) is None
    assert read_headers(tmp_path) is None


def test_the_first_folder_of_each_major_version_counts(tmp_path, monkeypatch):
    folders = [
        headers(tmp_path / name, PLAIN.format(major=major))
        for name, major in (("a", 11), ("b", 10), ("c", 10))
    ]
    monkeypatch.setenv(INCLUDE_VARIABLE, ":".join(map(str, folders)))
    found = find_tensorrt()
    assert [(entry.major, entry.include) for entry in found] == [(10, folders[1]), (11, folders[0])]


def test_cudacxx_names_the_compiler(tmp_path, monkeypatch):
    own = tmp_path / "nvcc"
    own.touch(mode=0o755)
    monkeypatch.setenv("CUDACXX", str(own))
    assert find_nvcc() == own


@pytest.mark.parametrize(("variable", "find"), [("CXX", find_cxx), ("CUDACXX", find_nvcc)])
def test_a_compiler_that_a_variable_names_must_be_there(tmp_path, monkeypatch, variable, find):
    for name in ("c++", "nvcc"):
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    for named in ("/nope", "c++ -O1"):
        monkeypatch.setenv(variable, named)
        with pytest.raises(WrongSettingError) as caught:
            find()
        assert str(caught.value).startswith(f"${variable} is '{named}', which is no program here.")
    monkeypatch.setenv(variable, "")
    assert find() == tmp_path / ("c++" if variable == "CXX" else "nvcc")


def test_cxx_comes_before_what_the_path_has(tmp_path, monkeypatch):
    for name in ("g++", "own"):
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    assert find_cxx() == tmp_path / "g++"
    monkeypatch.setenv("CXX", str(tmp_path / "own"))
    assert find_cxx() == tmp_path / "own"
    monkeypatch.delenv("CXX")
    (tmp_path / "g++").unlink()
    assert find_cxx() is None


@pytest.mark.parametrize("variable", ["", "/nowhere"])
def test_no_headers_are_an_empty_list(monkeypatch, variable):
    monkeypatch.setenv(INCLUDE_VARIABLE, variable)
    assert all(entry.include.as_posix().startswith("/usr") for entry in find_tensorrt())
