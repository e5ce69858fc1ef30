"""What a bundle says about itself: `manifest.json` as frozen dataclasses.

The file is read strictly (unknown or mistyped keys are refused, the nearest valid name is given)
and then checked for contradictions, so that everything behind it can rely on what it says.
Design section 5 is the contract.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from runtime.errors import BundleFormatError, BundleVersionError
from spikehalt.strict import build, parse_json

FORMAT = "spikehalt-bundle"
FORMAT_VERSION = 1
MANIFEST_NAME = "manifest.json"
SIGNATURE_NAME = "manifest.sig"
FIRST_GRAPH = "first.onnx"
NEXT_GRAPH = "next.onnx"
WEIGHTS_FILE = "weights.bin"  # what both graphs read

# Declared sizes are bounded before anything is allocated by them.
MAX_MANIFEST_BYTES = 8 * 2**20
MAX_FILE_BYTES = 8 * 2**30
MAX_SIDE = 16384
MAX_TIMESTEPS = 4096
MAX_TOKENS = 2**20
MAX_BLOCKS = 1024
MAX_INPUT_VALUES = 2**28
MAX_HALT_SCORE = 1e9  # far above L·T, far below what float32 holds

_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,199}")
_SHA256 = re.compile(r"[0-9a-f]{64}")

PolicyName = Literal["halting", "entropy", "confidence", "never"]
HaltingMode = Literal["none", "block", "block_time"]
Layout = Literal["packed", "dense", "lagged"]
Precision = Literal["fp32", "fp16", "int8"]


@dataclass(frozen=True, kw_only=True)
class InputSpec:
    """What one input is.

    Attributes:
        kind: "image": uint8 [B, height, width, channels], raw camera bytes;
            "frames": float32 [B, timesteps, channels, height, width], event frames.
        height: pixels.
        width: pixels.
        channels: 3 for RGB, 1 for grey, 2 for event polarities.
        timesteps: number of frames (equal to the manifest's timesteps); None for images.
    """

    kind: Literal["image", "frames"]
    height: int
    width: int
    channels: int
    timesteps: int | None = None


@dataclass(frozen=True, kw_only=True)
class HaltingSpec:
    """How tokens halt.

    Attributes:
        mode: "none", "block" (1-D) or "block_time" (2-D), design section 2.
        epsilon: default of the graph input `epsilon`, in [0, 1): larger, fewer tokens.
    """

    mode: HaltingMode
    epsilon: float = 0.01


@dataclass(frozen=True, kw_only=True)
class ExitSpec:
    """When images leave: calibrated thresholds, None where a policy is not calibrated.

    Attributes:
        default: the policy used when the user names none.
        halting: exit when halt_score ≥ this.
        entropy: exit when the normalised entropy of softmax(logits) ≤ this, in [0, 1].
        confidence: exit when the largest probability ≥ this, in [0, 1].
        calibration: free-form record of how the thresholds were found.
    """

    default: PolicyName = "never"
    halting: float | None = None
    entropy: float | None = None
    confidence: float | None = None
    calibration: dict[str, Any] = field(default_factory=dict)

    def threshold(self, policy: str) -> float | None:
        """The calibrated threshold of `policy`, None if there is none (always for "never")."""
        thresholds = {
            "halting": self.halting,
            "entropy": self.entropy,
            "confidence": self.confidence,
        }
        return thresholds.get(policy)


@dataclass(frozen=True, kw_only=True)
class EnergySpec:
    """Constants of the energy estimate (STAS appendix A), per image.

    E = once_mj + Σ_t per_timestep_mj + Σ_t Σ_l live_tokens[t, l] · per_token_mj[l].

    Attributes:
        mac_pj: energy of one multiply-accumulate, in pJ (4.6 in the papers).
        ac_pj: energy of one accumulate, in pJ (0.9 in the papers).
        once_mj: work done once per image (first convolution, all of I-SPS), in mJ.
        per_timestep_mj: work of every executed timestep that no token accounts for, in mJ.
        per_token_mj: per block, the cost of one live token for one timestep, in mJ.
        source: where the firing rates come from.
    """

    mac_pj: float = 4.6
    ac_pj: float = 0.9
    once_mj: float
    per_timestep_mj: float
    per_token_mj: tuple[float, ...]
    source: str


@dataclass(frozen=True, kw_only=True)
class FileEntry:
    """Identity of one file.

    Attributes:
        sha256: 64 lower-case hexadecimal digits.
        bytes: size of the file.
    """

    sha256: str
    bytes: int


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
        qdq: int8 as Q/DQ pairs, the form engines take; else products of bytes, the form that
            ONNX Runtime on a CPU runs fast.
        tokens: K_0, tokens per image before the first block.
        tokens_per_block: static slots of each block, after merging.
        halting: how tokens halt.
        exit: when images leave.
        energy: constants of the energy estimate, None if unknown.
        live_masks: whether the graphs have outputs `live.blockN` int32 [B, chunk, K_N].
        instrumented: whether they have outputs `mac_ops` and `ac_ops` float32 [B, chunk]: the
            multiply-accumulates and accumulates each image really took, counted from its spikes
            (the first chunk's counts include the once-per-image work).
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
    files: dict[str, FileEntry] = field(default_factory=dict)

    @property
    def blocks(self) -> int:
        """L, the number of blocks."""
        return len(self.tokens_per_block)

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
        check(manifest, where)
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


def check(manifest: Manifest, where: str = MANIFEST_NAME) -> None:
    """Refuse a manifest that contradicts itself or declares absurd sizes.

    Raises:
        BundleFormatError: naming the field, its value and what it may be.
    """

    def require(good: bool, name: str, rule: str) -> None:
        if not good:
            raise BundleFormatError(f"{where}: {name} {rule}")

    _check_input(manifest, require)
    _check_time(manifest, require)
    _check_tokens(manifest, require)
    _check_exit(manifest, require)
    _check_energy(manifest, require)
    _check_files(manifest, require)


Require = Callable[[bool, str, str], None]


def _check_input(manifest: Manifest, require: Require) -> None:
    spec = manifest.input
    for name, value in (("height", spec.height), ("width", spec.width)):
        require(1 <= value <= MAX_SIDE, f"input.{name} {value}", f"is not in 1..{MAX_SIDE}")
    require(1 <= spec.channels <= 1024, f"input.channels {spec.channels}", "is not in 1..1024")
    expected = manifest.timesteps if spec.kind == "frames" else None
    require(
        spec.timesteps == expected,
        f"input.timesteps {spec.timesteps}",
        f"must be {expected} for input kind {spec.kind!r}",
    )
    values = spec.height * spec.width * spec.channels * (spec.timesteps or 1)
    require(values <= MAX_INPUT_VALUES, "input", f"has {values} values, the limit is 2^28")


def _check_time(manifest: Manifest, require: Require) -> None:
    T, chunk = manifest.timesteps, manifest.chunk
    require(1 <= T <= MAX_TIMESTEPS, f"timesteps {T}", f"is not in 1..{MAX_TIMESTEPS}")
    int8 = manifest.precision == "int8"
    require(int8 or not manifest.qdq, "qdq", f"does not go with precision {manifest.precision}")
    require(chunk >= 1 and T % chunk == 0, f"chunk {chunk}", f"does not divide timesteps {T}")


def _check_tokens(manifest: Manifest, require: Require) -> None:
    slots = (manifest.tokens, *manifest.tokens_per_block)
    require(1 <= manifest.blocks <= MAX_BLOCKS, "tokens_per_block", f"needs 1..{MAX_BLOCKS} blocks")
    require(manifest.tokens <= MAX_TOKENS, "tokens", f"is above {MAX_TOKENS}")
    falling = all(a >= b >= 1 for a, b in itertools.pairwise(slots))
    require(falling, f"tokens {slots[:8]}", "must be positive and never grow from block to block")
    require(len(manifest.classes) >= 1, "classes", "needs at least one name")


def _check_exit(manifest: Manifest, require: Require) -> None:
    spec, mode = manifest.exit, manifest.halting.mode
    epsilon = manifest.halting.epsilon
    require(0.0 <= epsilon < 1.0, f"halting.epsilon {epsilon}", "is not in [0, 1)")
    for name in ("entropy", "confidence"):
        value = spec.threshold(name)
        require(value is None or 0.0 <= value <= 1.0, f"exit.{name} {value}", "is not in [0, 1]")
    bounded = spec.halting is None or abs(spec.halting) <= MAX_HALT_SCORE
    require(bounded, f"exit.halting {spec.halting}", f"is beyond ±{MAX_HALT_SCORE:g}")
    require(
        spec.default == "never" or spec.threshold(spec.default) is not None,
        f"exit.default {spec.default!r}",
        "has no calibrated threshold; use 'never'",
    )
    halting_exit = spec.default == "halting" or spec.halting is not None
    require(
        not (halting_exit and mode == "none"),
        "exit.halting",
        "is set although halting.mode is none",
    )


def _check_energy(manifest: Manifest, require: Require) -> None:
    spec = manifest.energy
    if spec is None:
        require(not manifest.instrumented, "energy", "is needed by an instrumented bundle")
        return
    numbers = (spec.mac_pj, spec.ac_pj, spec.once_mj, spec.per_timestep_mj, *spec.per_token_mj)
    require(min(numbers) >= 0.0, "energy", "has a negative number")
    count = len(spec.per_token_mj)
    require(count == manifest.blocks, "energy.per_token_mj", f"has {count} entries, one per block")


def _check_files(manifest: Manifest, require: Require) -> None:
    for name, entry in manifest.files.items():
        good = is_file_name(name)
        require(good, f"files: name {name[:80]!r}", "is not a plain file name inside the bundle")
        digest = _SHA256.fullmatch(entry.sha256) is not None
        require(digest, f"files.{name}.sha256", "is not 64 lower-case hexadecimal digits")
        sized = 0 <= entry.bytes <= MAX_FILE_BYTES
        require(sized, f"files.{name}.bytes {entry.bytes}", f"is not in 0..{MAX_FILE_BYTES}")
    if manifest.files:
        _check_graphs(manifest, require)


def is_file_name(name: str) -> bool:
    """Whether a file of a bundle may be called so."""
    reserved = name in (MANIFEST_NAME, SIGNATURE_NAME)
    return _FILE_NAME.fullmatch(name) is not None and not reserved


def _check_graphs(manifest: Manifest, require: Require) -> None:
    require(FIRST_GRAPH in manifest.files, "files", f"lacks {FIRST_GRAPH}")
    has_next, needs_next = NEXT_GRAPH in manifest.files, manifest.chunk < manifest.timesteps
    rule = f"{'lacks' if needs_next else 'has a superfluous'} {NEXT_GRAPH}"
    require(has_next == needs_next, "files", f"{rule} (chunk {manifest.chunk})")
