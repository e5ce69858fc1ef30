"""Every reader of files that users name, with a valid file for each."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from export.bundle.weights import load_graph
from plugins.building.toolchain import read_headers
from runtime.bulk.reading import read_shard
from runtime.bulk.results import Results
from runtime.bulk.shards import Shard
from runtime.bundle import Bundle, FileEntry, InputSpec, Manifest, write_bundle
from runtime.bundle.sign import sign
from runtime.cli.serve import _token
from runtime.errors import InputError
from runtime.inputs.files import load_sample, search
from runtime.inputs.video import Video
from runtime.results.trajectory import Trajectory
from runtime.sensors.ina3221 import Ina3221Sensor
from runtime.sensors.rapl import RaplSensor
from spikehalt.datasets.reading import read_file
from spikehalt.datasets.texts import read_names
from spikehalt.strict import to_dict
from tests.fakes.videos import write_video
from tests.readers.damage import changed
from tests.runtime.fuzz.seeds import FRAMES, IMAGE, encoded
from tests.runtime.sensors.test_ina3221 import ORIN_NANO, monitor
from tests.runtime.sensors.test_rapl import domain
from tests.runtime.toy import toy_files, toy_manifest
from tests.train.data import test_cifar, test_webdataset
from tests.train.data.recordings import samples
from tests.train.samples import lively_network, tiny_model
from train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from train.config import DataConfig
from train.config.frames import FrameOptions
from train.data import load_data
from train.data.recordings import frames_of_windows, read_events
from train.data.webdataset import _label
from train.importing.reader import read_tensors
from train.loop.reports.log import COLUMNS, CsvLog, read_log
from train.recipes import load_recipe

RECIPE = {
    "model": {"name": "spikformer-4-384", "image_size": [32, 32], "halting": {"epsilon": 0.01}},
    "data": {"name": "folder", "path": "somewhere"},
    "static": {"epochs": 1},
    "short": {"static": {"epochs": 1}},
}


@dataclass(frozen=True)
class Reader:
    """One way of reading a file that a user names.

    Attributes:
        file: what is damaged, below the folder that is written; its ending may decide the reader.
        write: puts valid files into a folder.
        read: reads, given that folder.
        functions: what opens or parses for it, as "module:function".
        named: what an error must name, if not the file: the folder or archive that it lies in.
        structured: a damaged file, drawn from the valid one's plain data, where it has such.
        cases: how many damaged versions are tried.
        valid: whether what is written is a valid file, and not just like one.
        after: what makes a damaged file pass a check of its digest, as an attacker would.
    """

    file: str
    write: Callable[[Path], object]
    read: Callable[[Path], object]
    functions: tuple[str, ...]
    named: str = ""
    structured: Callable[[Random], bytes] | None = None
    cases: int = 24
    after: Callable[[Path], object] = lambda folder: None
    valid: bool = True


def _bytes(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


def _npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _load(spec: InputSpec, path: Path) -> list[object]:
    return [load_sample(sample, spec) for sample in search([path], spec).samples]


def _zip_of_pictures(folder: Path) -> None:
    for split in ("train", "val", "test"):
        for label in "ab":
            place = folder / "data" / split / label
            place.mkdir(parents=True)
            (place / "0.png").write_bytes(encoded("png"))
    shutil.make_archive(str(folder / "data"), "zip", folder / "data")
    shutil.rmtree(folder / "data")


def _data(name: Any, path: Path, **model: Any) -> object:
    config = tiny_model(**{"image_size": (8, 8), "channels": 3, "classes": 2, **model})
    return load_data(DataConfig(name, str(path), 0.5), config, seed=0)


def _tiny_imagenet(folder: Path) -> None:
    root = folder / "tiny"
    for label in ("n01", "n02"):
        for split in (f"train/{label}/images", "val/images"):
            (root / split).mkdir(parents=True, exist_ok=True)
            for number in range(4):
                (root / split / f"{label}{number}.png").write_bytes(encoded("png"))
    lines = [f"{label}0.png\t{label}\t0\t0\t7\t7\n" for label in ("n01", "n02")]
    (root / "val" / "val_annotations.txt").write_text("".join(lines))


def _tars(folder: Path) -> None:
    for name in ("train/000", "train/001", "val/000", "test/000"):
        path = folder / "set" / f"{name}.tar"
        path.parent.mkdir(parents=True, exist_ok=True)
        files = {}
        for n in range(4):
            files |= {f"{n}.png": encoded("png"), f"{n}.cls": str(n % 2).encode()}
        test_webdataset.write(path, files)
    (folder / "set" / "classes.txt").write_text("cat\ndog\n")


def _parquet(folder: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"bytes": [encoded("png")] * 3}), folder / "rows.parquet")


def _shard(path: Path) -> object:
    """The images of a shard; what is told in a row's place is raised."""
    rows = list(read_shard(Shard(0, str(path), ()), frozenset({".png"})))
    for _, content in rows:
        if isinstance(content, InputError):
            raise content
    return rows


def _event_set(folder: Path) -> None:
    content = _npz(frames=np.ones((3, 2, 8, 8), np.float32))
    for split in ("train", "test"):
        for label in "ab":
            place = folder / "set" / split / label
            place.mkdir(parents=True)
            (place / "0.npz").write_bytes(content)
            (place / "1.npz").write_bytes(content)


def _bundle(folder: Path) -> None:
    manifest = toy_manifest()
    bundle = write_bundle(folder / "toy.bundle", manifest, toy_files(manifest))
    (bundle.root / "manifest.sig").write_bytes(sign(b"other", bytes(range(32))))


def _open_bundle(folder: Path) -> object:
    bundle = Bundle.open(folder / "toy.bundle")
    return [load_graph(bundle, name) for name in ("first.onnx", "next.onnx")]


def _reseal(name: str) -> Callable[[Path], object]:
    """The manifest says of the file what it is now."""

    def reseal(folder: Path) -> None:
        root = folder / "toy.bundle"
        content = (root / name).read_bytes()
        entry = FileEntry(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
        manifest = Manifest.from_json((root / "manifest.json").read_text())
        files = {**manifest.files, name: entry}
        text = dataclasses.replace(manifest, files=files).to_json()
        (root / "manifest.json").write_text(text)

    return reseal


def _key(kind: str) -> bytes:
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    pem = serialization.Encoding.PEM
    if kind == "private":
        plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        return key.private_bytes(pem, *plain)
    return key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)


def _open_signed(folder: Path) -> object:
    return Bundle.open(folder / "toy.bundle", public_key=folder / "public.pem")


def _signed(folder: Path) -> None:
    _bundle(folder)
    (folder / "public.pem").write_bytes(_key("public"))
    manifest = (folder / "toy.bundle" / "manifest.json").read_bytes()
    (folder / "toy.bundle" / "manifest.sig").write_bytes(sign(manifest, bytes(range(32))))


def _checkpoint(folder: Path) -> None:
    config = tiny_model(depth=1)
    weights = dict(lively_network(config).state_dict())
    labels = tuple("abcdefghij")
    checkpoint = Checkpoint(
        model=config,
        weights=weights,
        classes=labels,
        phase="static",
        metrics={"x": [1.0]},
        run={"seed": 3},
        training=None,
    )
    save_checkpoint(folder / "c.pt", checkpoint)


def _saved(random: Random, plain: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torch.save(changed(plain, random), buffer)
    return buffer.getvalue()


def _odd_checkpoint(random: Random) -> bytes:
    config = tiny_model(depth=1)
    content = {
        "format": "spikehalt", "format_version": 1, "model": to_dict(config),
        "weights": {"head.weight": torch.zeros(2, 2)}, "classes": list("abcdefghij"),
        "phase": "static", "metrics": {"x": [1.0]}, "run": {"data": {"fit": "resize"}},
        "training": {"phase": "static"}, "preprocessing": {"fit": "crop"},
        "origin": {"variant": "a", "repository": "b", "reason": "c"},
    }  # fmt: skip
    return _saved(random, content)


def _tensors(folder: Path) -> None:
    torch.save({"state_dict": {"head.weight": torch.zeros(2, 2)}}, folder / "c.pth")


def _safetensors(folder: Path) -> None:
    from safetensors.torch import save_file

    save_file({"head.weight": torch.zeros(2, 2)}, folder / "c.safetensors")


def _hdf5(folder: Path) -> None:
    import h5py

    with h5py.File(folder / "a.h5", "w") as file:
        for name, column in zip("txyp", zip(*samples.EVENTS, strict=True), strict=True):
            file[name] = column


def _recording(path: Path) -> object:
    return list(frames_of_windows(read_events(path), FrameOptions(min_events=1, window_ms=1000)))


def _recording_reader(
    name: str, write: Callable[[Path], object], *functions: str, cases: int = 40
) -> Reader:
    ours = tuple(f"train.data.recordings.{each}" for each in functions)
    read = ("train.data.recordings.readers:read_events", *ours)

    def reader(folder: Path) -> object:
        return _recording(folder / name)

    return Reader(name, write, reader, read, cases=cases, valid=name != "a.aedat4")


def _to(name: str, write: Callable[[Path], object]) -> Callable[[Path], object]:
    return lambda folder: write(folder / name)


def _watch(video: Path) -> object:
    with Video(str(video)) as opened:
        return list(opened.frames())


def _headers(folder: Path) -> None:
    (folder / "NvInferRuntime.h").touch()
    text = "#define NV_TENSORRT_MAJOR 10\n#define NV_TENSORRT_MINOR 3\n"
    (folder / "NvInferVersion.h").write_text(text)


_TEXT = ("spikehalt.datasets.texts:read_text", "spikehalt.datasets.reading:read_file")
_GRAPH = ("export.bundle.weights:load_graph", "runtime.backends.onnxruntime.files:external_files")
_INA_FILE = "ina3221/1-0040/hwmon/hwmon3/in1_input"
_ARRAY = (
    "spikehalt.datasets.arrays:read_array",
    "runtime.inputs.npz:read_array",
    "runtime.inputs.files:decode_frames",
)
_LOG = (",".join(COLUMNS) + "\nstatic,1,0.5,0.001,0.9,0.8,1.0\n").encode()
_PIXELS = (
    *(f"spikehalt.datasets.pixels:{each}" for each in ("decode_image", "image_to_pixels")),
    "spikehalt.datasets.pixels:_opened",
    "runtime.inputs.files:Sample.read",
)
_ZIP = (
    *(f"spikehalt.datasets.reading:{each}" for each in ("open_zip", "read_member", "_opened")),
    "spikehalt.datasets.listing:_in_zip",
    "spikehalt.datasets.listing:Listing.read",
)
_PROPHESEE = "train.data.recordings.prophesee"
_T, _X, _Y, _P = (np.array(column) for column in zip(*samples.EVENTS, strict=True))

READERS: dict[str, Reader] = {
    "recipe": Reader(
        "r.yaml", _bytes("r.yaml", yaml.safe_dump(RECIPE).encode()),
        lambda folder: load_recipe(str(folder / "r.yaml")),
        ("train.recipes.__init__:_read", "train.recipes.__init__:_parsed", *_TEXT),
        structured=lambda random: yaml.safe_dump(changed(RECIPE, random)).encode(),
        cases=16,
    ),
    "log of a run": Reader(
        "log.csv", _bytes("log.csv", _LOG),
        lambda folder: read_log(folder / "log.csv", ["loss", "average_tokens"]),
        ("train.loop.reports.log:_text", "train.loop.reports.log:_rows"),
    ),
    "log that goes on": Reader(
        "log.csv", _bytes("log.csv", _LOG),
        lambda folder: CsvLog(folder / "log.csv", keep=True).drop_after("static", 0),
        ("train.loop.reports.log:CsvLog._check",),
    ),
    "class names": Reader(
        "names.txt", _bytes("names.txt", b"cat\ndog\n"),
        lambda folder: read_names(folder / "names.txt"),
        ("spikehalt.datasets.texts:read_names",),
    ),
    "checkpoint": Reader(
        "c.pt", _checkpoint, lambda folder: load_checkpoint(folder / "c.pt"),
        ("train.checkpoint:_read", "train.checkpoint:load_checkpoint",
         "train.integrity:check_digest", "train.integrity:_has_its_digest"),
        structured=_odd_checkpoint,
    ),
    "published checkpoint": Reader(
        "c.pth", _tensors, lambda folder: read_tensors(folder / "c.pth"),
        ("train.importing.reader:_load", "train.importing.reader:_loaded"),
        structured=lambda random: _saved(random, {"state_dict": {"a": torch.zeros(2)}}),
    ),
    "safetensors": Reader(
        "c.safetensors", _safetensors, lambda folder: read_tensors(folder / "c.safetensors"),
        ("train.importing.reader:_load",),
    ),
    "AEDAT 2": _recording_reader(
        "a.aedat", _to("a.aedat", samples.write_aedat2), "aedat:read_aedat", "aedat:read_aedat2"
    ),
    "AEDAT 3": _recording_reader(
        "a.aedat", _to("a.aedat", samples.write_aedat3), "aedat:read_aedat3"
    ),
    "AEDAT 4": _recording_reader(
        "a.aedat4", _bytes("a.aedat4", b"#!AER-DAT4.0\r\n" + bytes(64)), "aedat:read_aedat4"
    ),
    "DAT": _recording_reader("a.dat", _to("a.dat", samples.write_dat), "prophesee:read_dat"),
    "EVT 2": _recording_reader("a.raw", _to("a.raw", samples.write_evt2), "prophesee:read_raw"),
    "EVT 3": _recording_reader("a.raw", _to("a.raw", samples.write_evt3), "prophesee:read_raw"),
    "ATIS": _recording_reader("a.bin", _to("a.bin", samples.write_atis), "readers:read_atis"),
    "HDF5": _recording_reader("a.h5", _hdf5, "readers:read_hdf5", cases=24),
    "events in npz": _recording_reader(
        "a.npz", _bytes("a.npz", _npz(t=_T, x=_X, y=_Y, p=_P)), "readers:read_npz"
    ),
    "CIFAR archive": Reader(
        "c.tar.gz", lambda folder: test_cifar.archive(folder / "c.tar.gz", test_cifar.cifar10()),
        lambda folder: test_cifar.read(folder / "c.tar.gz"),
        ("train.data.cifar:_files", "train.data.cifar:load_cifar"), cases=8,
    ),
    "CIFAR batch": Reader(
        "c/data_batch_1", lambda folder: test_cifar.folder(folder / "c", test_cifar.cifar10()),
        lambda folder: test_cifar.read(folder / "c"),
        ("train.data.cifar:_unpickle",),
    ),
    "CIFAR classes": Reader(
        "c/batches.meta", lambda folder: test_cifar.folder(folder / "c", test_cifar.cifar10()),
        lambda folder: test_cifar.read(folder / "c"),
        ("train.data.cifar:_unpickle",), named="c",
    ),
    "Tiny-ImageNet's annotations": Reader(
        "tiny/val/val_annotations.txt", _tiny_imagenet,
        lambda folder: _data("tiny-imagenet", folder / "tiny"),
        (), named="tiny", cases=12,
    ),
    "training images in a zip": Reader(
        "data.zip", _zip_of_pictures, lambda folder: _data("folder", folder / "data.zip"),
        (*_ZIP, "train.data.files:Reader.read"), named="data.zip",
    ),
    "training images in tar files": Reader(
        "set/train/000.tar", _tars, lambda folder: _data("webdataset", folder / "set"),
        ("train.data.webdataset:_samples", "train.data.files:_read_part"), named="set",
    ),
    "labels in tar files": Reader(
        "label.json", _bytes("label.json", b'{"label": "cat"}'),
        lambda folder: _label(read_file(folder / "label.json"), str(folder / "label.json")),
        ("train.data.webdataset:_label",),
    ),
    "classes of tar files": Reader(
        "set/classes.txt", _tars, lambda folder: _data("webdataset", folder / "set"),
        ("train.data.webdataset:_classes",), named="set",
    ),
    "images in a tar": Reader(
        "set/train/000.tar", _tars, lambda folder: _shard(folder / "set/train/000.tar"),
        ("runtime.bulk.reading:_of_tar", "runtime.bulk.places:open_place"),
    ),
    "images in a Parquet file": Reader(
        "rows.parquet", _parquet, lambda folder: _shard(folder / "rows.parquet"),
        ("runtime.bulk.places:open_place",),
    ),
    "plan of results": Reader(
        "plan.json", lambda folder: Results(folder, "jsonl", {"bundle": "a"}),
        lambda folder: Results(folder, "jsonl", {"bundle": "a"}),
        ("runtime.bulk.results:Results._claim", "runtime.bulk.folders:_Here.read"),
        structured=lambda random: json.dumps(
            changed({"bundle": "a", "format": "jsonl"}, random), default=str
        ).encode(),
    ),
    "training frames": Reader(
        "set/train/a/0.npz", _event_set,
        lambda folder: _data("events", folder / "set", channels=2, input="events", stem="sps"),
        ("train.data.events:decode_events",), named="0.npz", cases=16,
    ),
    "images in a zip": Reader(
        "data.zip", _zip_of_pictures, lambda folder: _load(IMAGE, folder / "data.zip"),
        (*_ZIP, "runtime.inputs.files:Sample.read"), named="data.zip",
    ),
    **{
        f"{format} image": Reader(
            f"x.{format}", _bytes(f"x.{format}", encoded(format)),
            lambda folder, name=f"x.{format}": _load(IMAGE, folder / name), _PIXELS,  # type: ignore[misc]
        )
        for format in ("png", "jpeg", "gif", "bmp", "webp", "tiff", "ppm")
    },
    "frames": Reader(
        "f.npz", _bytes("f.npz", _npz(frames=np.ones((3, 2, 4, 6), np.float32))),
        lambda folder: _load(FRAMES, folder / "f.npz"), _ARRAY,
    ),
    "recorded outputs": Reader(
        "r.npz",
        _bytes("r.npz", _npz(
            logits=np.zeros((2, 4, 3), np.float32), halt_score=np.zeros((2, 4), np.float32),
            live_tokens=np.zeros((2, 4, 2), np.int32),
        )),
        lambda folder: Trajectory.load(folder / "r.npz").exits("halting", 0.5),
        ("runtime.results.trajectory:Trajectory.load",),
    ),
    "video": Reader(
        "v.mp4", lambda folder: write_video(folder / "v.mp4", (0, 100, 200)),
        lambda folder: _watch(folder / "v.mp4"), ("runtime.inputs.video:Video._open",), cases=16,
    ),
    "manifest": Reader(
        "toy.bundle/manifest.json", _bundle, _open_bundle,
        ("runtime.bundle.read:read_manifest", "runtime.bundle.read:_read_bounded",
         "runtime.bundle.read:_open_inside", "runtime.bundle.manifest:Manifest.from_json",
         "spikehalt.strict:parse_json"),
        named="toy.bundle", cases=40,
        structured=lambda random: json.dumps(
            changed(json.loads(toy_manifest().to_json()), random), default=str
        ).encode(),
    ),
    "graph": Reader("toy.bundle/first.onnx", _bundle, _open_bundle, _GRAPH),
    "graph with its digest": Reader(
        "toy.bundle/next.onnx", _bundle, _open_bundle, _GRAPH, after=_reseal("next.onnx"), cases=40
    ),
    "signature": Reader(
        "toy.bundle/manifest.sig", _signed, _open_signed,
        ("runtime.bundle.read:_read_signature",), named="toy.bundle",
    ),
    "public key": Reader(
        "public.pem", _signed, _open_signed,
        ("runtime.bundle.sign:_read", "runtime.bundle.sign:_load"),
    ),
    "private key": Reader(
        "private.pem", _bytes("private.pem", _key("private")),
        lambda folder: sign(b"x", folder / "private.pem"), ("runtime.bundle.sign:_load",),
    ),
    "token of a server": Reader(
        "token", _bytes("token", b"secret\n"), lambda folder: _token(str(folder / "token")),
        ("runtime.cli.serve:_token",),
    ),
    "power monitor": Reader(
        _INA_FILE, lambda folder: monitor(folder, ORIN_NANO),
        lambda folder: Ina3221Sensor(folder, start=False).energy_mj(),
        (
            *(f"runtime.sensors.ina3221:{each}" for each in ("_label", "find_rails")),
            *(f"runtime.sensors.base:{each}" for each in ("sensor_text", "sensor_number")),
        ),
    ),
    "energy counter": Reader(
        "intel-rapl:0/energy_uj", lambda folder: domain(folder / "intel-rapl:0", "package-0", 5),
        lambda folder: RaplSensor(folder).energy_mj(), ("runtime.sensors.rapl:_number",),
    ),
    "TensorRT's headers": Reader(
        "NvInferVersion.h", _headers, read_headers,
        ("plugins.building.toolchain:read_headers",),
    ),
}  # fmt: skip
