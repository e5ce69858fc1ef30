from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.train.data.recordings.samples import (
    EVENTS,
    write_aedat2,
    write_aedat3,
    write_atis,
    write_dat,
    write_evt2,
    write_evt3,
)
from train.data.recordings import Events, read_events
from train.errors import DataError


def rows(events: Events) -> list[tuple[int, ...]]:
    """(t, x, y, p) of each event."""
    return list(zip(*(column.tolist() for column in events[:4]), strict=True))


@pytest.mark.parametrize(
    ("name", "write", "size"),
    [
        ("a.aedat", write_aedat2, (128, 128)),
        ("a.aedat", write_aedat3, (128, 128)),
        ("a.dat", write_dat, (240, 304)),
        ("a.raw", write_evt2, (480, 640)),
    ],
)
def test_every_format_gives_the_events_that_were_written(
    tmp_path: Path, name: str, write: Callable[[Path], Path], size: tuple[int, int]
) -> None:
    events = read_events(write(tmp_path / name))
    assert rows(events) == EVENTS
    assert (events.height, events.width) == size


def test_evt3_expands_vectors_from_their_base(tmp_path: Path) -> None:
    events = read_events(write_evt3(tmp_path / "a.raw"))
    last = EVENTS[-1][0]
    assert rows(events)[:4] == EVENTS
    assert rows(events)[4:] == [(last, 100, 9, 1), (last, 111, 9, 1), (last, 113, 9, 1)]


def test_evt3_times_go_on_where_the_counter_starts_anew(tmp_path: Path) -> None:
    turn = np.array([0x8FFF, 0x6FFF, 7, 0x2001, 0x8000, 0x6005, 0x2002], "<u2")
    (tmp_path / "a.raw").write_bytes(b"% evt 3.0\n" + turn.tobytes())
    assert read_events(tmp_path / "a.raw").t.tolist() == [(1 << 24) - 1, (1 << 24) + 5]


def test_atis_overflows_lengthen_the_time(tmp_path: Path) -> None:
    events = read_events(write_atis(tmp_path / "a.bin"))
    assert rows(events) == [(100, 5, 6, 1), (300 + 8192, 33, 33, 0)]


def test_npz_of_events_is_read_and_one_of_frames_refused(tmp_path: Path) -> None:
    t, x, y, p = (np.array(column) for column in zip(*EVENTS, strict=True))
    np.savez(tmp_path / "a.npz", t=t, x=x, y=y, p=p.astype(bool))
    assert rows(read_events(tmp_path / "a.npz")) == EVENTS
    np.savez(tmp_path / "b.npz", frames=np.zeros(3))
    with pytest.raises(DataError, match="needs arrays t, x, y and p"):
        read_events(tmp_path / "b.npz")


@pytest.mark.parametrize("group", ["", "events/", "CD/"])
def test_hdf5_is_read_in_its_usual_layouts(tmp_path: Path, group: str) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, column in zip("txyp", zip(*EVENTS, strict=True), strict=True):
            file[group + name] = column
    assert rows(read_events(tmp_path / "a.h5")) == EVENTS


@pytest.mark.parametrize(
    ("write", "cut", "message"),
    [
        (write_aedat2, 3, "cut off"),
        (write_aedat3, 3, "ends behind the file"),
        (write_aedat3, 40, "cut off within a packet's header"),
    ],
)
def test_a_file_that_is_cut_off_is_refused(
    tmp_path: Path, write: Callable[..., Path], cut: int, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read_events(write(tmp_path / "a.aedat", cut=cut))


def test_other_chips_of_aedat2_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="DAVIS240C"):
        read_events(write_aedat2(tmp_path / "a.aedat", chip="DAVIS240C"))


def test_unknown_files_are_refused_with_what_is_known(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        read_events(tmp_path / "a.aedat")
    (tmp_path / "a.txt").touch()
    with pytest.raises(DataError, match=r"recordings end with .*\.aedat"):
        read_events(tmp_path / "a.txt")
    (tmp_path / "a.raw").write_bytes(b"% evt 4.0\n")
    with pytest.raises(DataError, match=r"neither EVT 2\.0 nor EVT 3\.0"):
        read_events(tmp_path / "a.raw")
    (tmp_path / "a.aedat").write_bytes(b"#!AER-DAT1.0\n")
    with pytest.raises(DataError, match=r"AEDAT 2\.0 and 3\.1 are read"):
        read_events(tmp_path / "a.aedat")


class Decoder:
    """What the library `aedat` shows of a file with frames and one stream of events."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def id_to_stream(self) -> dict[int, dict[str, object]]:
        """Streams by number."""
        return {0: {"type": "frame"}, 1: {"type": "events", "width": 346, "height": 260}}

    def __iter__(self) -> Iterator[dict[str, object]]:
        kind = [("t", "<u8"), ("x", "<u2"), ("y", "<u2"), ("on", "?")]
        yield {"stream_id": 0, "frame": None}
        for event in EVENTS:
            yield {"stream_id": 1, "events": np.array([event], kind)}


def test_aedat4_takes_the_stream_of_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aedat", SimpleNamespace(Decoder=Decoder))
    (tmp_path / "a.aedat4").touch()
    events = read_events(tmp_path / "a.aedat4")
    assert rows(events) == EVENTS and (events.height, events.width) == (260, 346)


def test_aedat4_is_refused_where_the_library_cannot_read_it(tmp_path: Path) -> None:
    pytest.importorskip("aedat")
    (tmp_path / "a.aedat4").write_bytes(b"no events")
    with pytest.raises(DataError, match="not a readable recording"):
        read_events(tmp_path / "a.aedat4")
