from plugins.doctor import findings
from plugins.libraries import FOLDER_VARIABLE, ONNXRUNTIME_NAME

NAME = "break-even of spikes"


def test_the_doctor_says_where_the_break_even_is_kept(monkeypatch, tmp_path):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    assert NAME not in details()
    (tmp_path / ONNXRUNTIME_NAME).touch()
    assert details()[NAME] == (
        f"measured by the first layer of every width, then kept in {tmp_path}"
    )
    (tmp_path / "measured-0123.txt").touch()
    assert details()[NAME] == f"kept in {tmp_path}: measured-0123.txt"


def details():
    return {each.name: each.detail for each in findings()}
