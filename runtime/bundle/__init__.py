"""Bundles on disk: a folder with `manifest.json`, graphs and engines (design section 5).

    bundle = Bundle.open("ckpt.bundle")
    graph = bundle.read("first.onnx")

names            what the files are called
specs            the parts of a manifest
manifest         the manifest: read strictly, checked, written
consistency      what is refused as contradictory or absurd
properties       what export notes in the graphs
read             opening a bundle and reading its files
write            writing, changing and signing a bundle
sign             Ed25519 signatures
engine_manifest  what a TensorRT engine in a bundle says about itself
"""

from runtime.bundle.manifest import FORMAT, FORMAT_VERSION, Manifest
from runtime.bundle.names import (
    FIRST_GRAPH,
    MANIFEST_NAME,
    NEXT_GRAPH,
    SIGNATURE_NAME,
    WEIGHTS_FILE,
)
from runtime.bundle.properties import graph_properties
from runtime.bundle.read import Bundle, PathLike, signature_state
from runtime.bundle.sign import Key
from runtime.bundle.specs import EnergySpec, ExitSpec, FileEntry, HaltingSpec, InputSpec
from runtime.bundle.write import (
    add_files,
    besides,
    sign_bundle,
    signature_notice,
    update_manifest,
    write_bundle,
)

__all__ = [
    "FIRST_GRAPH",
    "FORMAT",
    "FORMAT_VERSION",
    "MANIFEST_NAME",
    "NEXT_GRAPH",
    "SIGNATURE_NAME",
    "WEIGHTS_FILE",
    "Bundle",
    "EnergySpec",
    "ExitSpec",
    "FileEntry",
    "HaltingSpec",
    "InputSpec",
    "Key",
    "Manifest",
    "PathLike",
    "add_files",
    "besides",
    "graph_properties",
    "sign_bundle",
    "signature_notice",
    "signature_state",
    "update_manifest",
    "write_bundle",
]
