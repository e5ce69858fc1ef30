"""jAER's and iniVation's AEDAT files: 2.0 and 3.1 read here, 4.0 by the library `aedat` (MIT)."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from spikehalt.extras import require_extra
from train.data.recordings.events import Events, make_events, unwrapped
from train.errors import DataError

_DVS128 = 128
_WRAP_US = 1 << 32  # timestamps have 32 bits
_POLARITY_EVENTS = 1


def read_aedat(path: Path) -> Events:
    """Any AEDAT file, by the version in its first line.

    Raises:
        DataError: of another version, truncated, or of a camera that is not known.
    """
    with path.open("rb") as file:
        first = file.read(14)
    for version, read in ((b"#!AER-DAT2.0", read_aedat2), (b"#!AER-DAT3.1", read_aedat3)):
        if first.startswith(version):
            return read(path)
    raise DataError(f"{path} begins with {first!r}; AEDAT 2.0 and 3.1 are read, 4.0 as .aedat4")


def header_and_body(content: bytes) -> tuple[list[bytes], bytes]:
    """Lines that begin with `#`, up to jAER's or libcaer's end of header, and what follows."""
    lines, at = [], 0
    while content[at : at + 1] == b"#":
        end = content.find(b"\n", at) + 1 or len(content)
        lines.append(content[at:end].strip())
        at = end
        if lines[-1].startswith((b"#!END-HEADER", b"# End Of ASCII Header")):
            break
    return lines, content[at:]


def read_aedat2(path: Path) -> Events:
    """AEDAT 2.0 of a DVS128: big-endian pairs (address, timestamp in µs), 8 bytes an event.

    x = bits 1-7, y = bits 8-14, polarity = bit 0; bit 15 marks events that are no pixel's.

    Raises:
        DataError: it is of another chip, or cut off within an event.
    """
    lines, body = header_and_body(path.read_bytes())
    chips = [line for line in lines if line.startswith(b"# AEChip")]
    if chips and not chips[0].endswith(b"DVS128"):
        raise DataError(
            f"{path} comes from {chips[0][10:].decode(errors='replace')}; of AEDAT 2.0 only "
            "DVS128's addresses are known here: convert it to AEDAT 4"
        )
    if len(body) % 8:
        raise DataError(f"{path} is cut off: {len(body)} bytes of events, not a multiple of 8")
    address, time = np.frombuffer(body, ">u4").reshape(-1, 2).astype(np.int64).T
    pixel = (address >> 15) & 1 == 0
    address, time = address[pixel], unwrapped(time, _WRAP_US)[pixel]
    columns = (time, (address >> 1) & 127, (address >> 8) & 127, address & 1)
    return make_events(path.name, columns, (_DVS128, _DVS128))


def read_aedat3(path: Path) -> Events:
    """AEDAT 3.1, as of DVS128 Gesture: packets with a header of 28 bytes, polarity events alone.

    Raises:
        DataError: a packet is cut off.
    """
    _, body = header_and_body(path.read_bytes())
    at, parts = 0, []
    while at < len(body):
        if at + 28 > len(body):
            raise DataError(f"{path} is cut off within a packet's header")
        kind, _, size, _, overflow, _, count, _ = struct.unpack_from("<hhiiiiii", body, at)
        end = at + 28 + size * count
        if size < 0 or count < 0 or end > len(body):
            raise DataError(f"{path} is cut off: a packet of {count} events ends behind the file")
        if kind == _POLARITY_EVENTS:
            words = np.frombuffer(body[at + 28 : end], "<u4").reshape(-1, 2).astype(np.int64)
            parts.append((words, overflow))
        at = end
    if not parts:
        raise DataError(f"{path} holds no events")
    data = np.concatenate([words[:, 0] for words, _ in parts])
    time = np.concatenate([words[:, 1] + (turns << 31) for words, turns in parts])
    valid = data & 1 == 1
    data, time = data[valid], time[valid]
    return make_events(path.name, (time, data >> 17, (data >> 2) & 0x7FFF, (data >> 1) & 1))


def read_aedat4(path: Path) -> Events:
    """AEDAT 4.0 by `aedat`; the first stream of events.

    Raises:
        DataError: the library cannot read the file.
        MissingExtraError: it is not installed.
    """
    aedat = require_extra("aedat", "events", f"reading {path.name}")
    decoder = aedat.Decoder(path)
    streams = {k: v for k, v in decoder.id_to_stream().items() if v["type"] == "events"}
    if not streams:
        raise DataError(f"{path} has no stream of events")
    chosen, stream = next(iter(streams.items()))
    parts = [packet["events"] for packet in decoder if packet["stream_id"] == chosen]
    if not parts:
        raise DataError(f"{path} holds no events")
    found = np.concatenate(parts)
    columns = (found["t"], found["x"], found["y"], found["on"])
    return make_events(path.name, columns, (stream["height"], stream["width"]))
