"""What a bundle says about itself: `manifest.json` as a frozen dataclass.

The file is read strictly (unknown or mistyped keys are refused, the nearest valid name is given)
and then checked for contradictions, so that everything behind it can rely on what it says.
Design section 5 is the contract.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

from runtime.bundle.consistency import Check
from runtime.bundle.names import MANIFEST_NAME
from runtime.bundle.specs import EnergySpec, ExitSpec, FileEntry, HaltingSpec, InputSpec
from runtime.errors import BundleFormatError, BundleVersionError
from spikehalt.published.origin import Origin
from spikehalt.strict import build, parse_json
from spikehalt.vocabulary import Layout, Precision

FORMAT = "spikehalt-bundle"
FORMAT_VERSION = 1
MAX_MANIFEST_BYTES = 8 * 2**20


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Everything the runtime needs to know about a bundle.

    Attributes:
        format: always "spikehalt-bundle".
        format_version: version of this layout, 1.
        producer: program and version that wrote the bundle.
        name: model name, such as "spikformer-4-384".
        model: the trainer's model configuration, opaque here.
        classes: class names, in the order of the logits.
        input: what one input is.
        timesteps: T, at most how many timesteps run.
        chunk: timesteps unrolled per graph; divides T; exit decisions fall between chunks.
        layout: token layout of the graphs, design section 5.
        precision: precision of weights and activations.
        qdq: int8 comes as Q/DQ pairs, which TensorRT engines take; False: as products of bytes,
            which are fast in ONNX Runtime on a CPU.
        tokens: K_0, tokens per image before the first block.
        tokens_per_block: static slots of each block, after merging.
        halting: how tokens halt.
        exit: when images leave.
        energy: constants of the energy estimate, None if unknown.
        live_masks: whether the graphs have outputs `live.blockN` int32 [B, chunk, K_N].
        instrumented: whether they have outputs `mac_ops` and `ac_ops` float32 [B, chunk]: the
            multiply-accumulates and accumulates each image really took, counted from its spikes
            (the first chunk's counts include the once-per-image work).
        spike_layers: layers, by the names of their nodes, that pay for spikes alone where the
            native ops are there (plugins/spike_linear).
        release: grows with every bundle that replaces another on devices; a signature covers it,
            and a device may refuse what is older than it knows (`min_release`).
        origin: of imported weights, what was chosen and why; None for weights of the trainer.
        files: every other file of the bundle; `write_bundle` fills it in.
    """

    format: str = FORMAT
    format_version: int = FORMAT_VERSION
    producer: str
    name: str
    model: dict[str, Any]
    classes: tuple[str, ...]
    input: InputSpec
    timesteps: int
    chunk: int
    layout: Layout
    precision: Precision
    tokens: int
    tokens_per_block: tuple[int, ...]
    halting: HaltingSpec
    exit: ExitSpec = field(default_factory=ExitSpec)
    energy: EnergySpec | None = None
    live_masks: bool = False
    instrumented: bool = False
    qdq: bool = False
    spike_layers: tuple[str, ...] = ()
    release: int = 0
    origin: Origin | None = None
    files: dict[str, FileEntry] = field(default_factory=dict)

    @property
    def blocks(self) -> int:
        """L, the number of blocks."""
        return len(self.tokens_per_block)

    @property
    def merges_similar(self) -> bool:
        """Whether tokens merge from a similarity on, which leaves dead slots."""
        threshold = self.model.get("merge_threshold")
        return isinstance(threshold, int | float) and threshold > 0 and self.tokens > 1

    @property
    def merges(self) -> bool:
        """Whether tokens merge at all, so that one may stand for several patches."""
        return self.merges_similar or any(slots != self.tokens for slots in self.tokens_per_block)

    @classmethod
    def from_json(cls, text: str, where: str = MANIFEST_NAME) -> Manifest:
        """Read a manifest.

        Args:
            text: contents of `manifest.json`.
            where: what to call the file in messages.

        Raises:
            BundleVersionError: the format is newer than this runtime.
            BundleFormatError: anything else that is not exactly as expected.
        """
        data = parse_json(text, where, BundleFormatError)
        _check_version(data, where)
        manifest = build(cls, data, where, BundleFormatError)
        manifest._check(where)
        return manifest

    def to_json(self) -> str:
        """Write the manifest as JSON text, checked by reading it back.

        Raises:
            BundleFormatError: the manifest contradicts itself or holds what JSON cannot.
        """
        try:
            text = json.dumps(dataclasses.asdict(self), indent=2, allow_nan=False) + "\n"
        except (TypeError, ValueError) as error:
            raise BundleFormatError(f"the manifest cannot be written as JSON: {error}") from error
        Manifest.from_json(text)
        return text

    def _check(self, where: str) -> None:
        """Refuse a manifest that contradicts itself or declares absurd sizes.

        Raises:
            BundleFormatError: naming the field, its value and what it may be.
        """
        check = Check(where)
        check.input(self.input, self.timesteps)
        check.precision(self.precision, self.qdq)
        check.time(self.timesteps, self.chunk)
        check.tokens(self.tokens, self.tokens_per_block)
        check.classes(self.classes)
        check.release(self.release)
        check.exits(self.exit, self.halting)
        check.energy(self.energy, self.blocks, self.instrumented)
        check.files(self.files, self.timesteps, self.chunk)


def _check_version(data: dict[str, Any], where: str) -> None:
    if data.get("format") != FORMAT:
        raise BundleFormatError(f"{where} does not say format {FORMAT!r}, so it is not one of ours")
    version = data.get("format_version")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise BundleFormatError(f"{where}.format_version must be a positive integer")
    if version > FORMAT_VERSION:
        raise BundleVersionError(
            f"{where} has bundle format {str(version)[:20]}, this runtime reads up to "
            f"{FORMAT_VERSION}: update spikehalt, or export the checkpoint again with this version"
        )
