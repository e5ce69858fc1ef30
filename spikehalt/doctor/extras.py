"""Which extras of the project are installed, by the modules they bring; nothing is imported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec

from spikehalt.doctor.finding import Finding
from spikehalt.extras import install_command

# What each extra is for, and the modules it brings. `gpu` is `onnxruntime` built for CUDA: whether
# it works is said among the backends.
EXTRAS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "onnxruntime": ("bundles in ONNX Runtime", ("onnxruntime",)),
    "cli": ("image files, tables and progress", ("rich", "PIL")),
    "serve": (
        "answers over HTTP",
        ("uvicorn", "httptools", "starlette", "pydantic", "prometheus_client", "PIL"),
    ),
    "live": ("the live page", ("uvicorn", "httptools", "websockets", "starlette", "pydantic")),
    "ray": ("many machines", ("ray", "pyarrow")),
    "video": ("video files, cameras and streams", ("av", "PIL")),
    "figures": ("pictures and plots", ("matplotlib",)),
    "train": (
        "training",
        ("torch", "spikingjelly", "lightning_fabric", "kornia", "sklearn", "yaml"),
    ),
    "events": ("recordings of event cameras", ("aedat", "h5py")),
    "export": ("checkpoints to bundles", ("torch", "onnx")),
    "compare": ("comparing ways to run", ("polygraphy", "onnx_graphsurgeon")),
    "openvino": ("comparing with OpenVINO", ("openvino", "onnxslim")),
    "tensorrt": ("TensorRT engines", ("tensorrt",)),
    "tensorrt-rtx": ("TensorRT-RTX engines", ("tensorrt_rtx",)),
    "energy": ("energy by zeus", ("zeus",)),
    "nvml": ("energy of NVIDIA GPUs", ("pynvml",)),
    "sign": ("signatures", ("cryptography",)),
    "completion": ("shell completion", ("argcomplete",)),
    "docs": ("the documentation site", ("mkdocs", "material", "mkdocstrings")),
    "notebooks": ("running the notebooks", ("nbclient", "nbformat", "ipykernel")),
    "huggingface": ("data sets of the Hugging Face hub", ("datasets",)),
}


def findings() -> Iterator[Finding]:
    """One finding per extra."""
    distributions = packages_distributions()
    for extra, (purpose, modules) in EXTRAS.items():
        missing = [module for module in modules if find_spec(module) is None]
        if missing:
            text = f"{purpose}; missing: {', '.join(missing)}"
            yield Finding("extra", extra, False, text, install_command(extra))
        else:
            versions = ", ".join(_versioned(module, distributions) for module in modules)
            yield Finding("extra", extra, True, f"{purpose}: {versions}")


def _versioned(module: str, distributions: Mapping[str, list[str]]) -> str:
    names = distributions.get(module)
    return f"{names[0]} {version(names[0])}" if names else module
