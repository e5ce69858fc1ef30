"""Whether what a manifest says can be true: no contradiction, no absurd size.

Declared sizes are bounded here, before anything is allocated by them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence

from runtime.bundle.names import FIRST_GRAPH, NEXT_GRAPH, is_file_name
from runtime.bundle.specs import EnergySpec, ExitSpec, FileEntry, HaltingSpec, InputSpec
from runtime.errors import BundleFormatError
from spikehalt.datasets.errors import raised_as
from spikehalt.datasets.texts import check_names
from spikehalt.exits import CALIBRATED, POLICIES
from spikehalt.vocabulary import Precision

MAX_FILE_BYTES = 8 * 2**30
MAX_SIDE = 16384
MAX_TIMESTEPS = 4096
MAX_TOKENS = 2**20
MAX_BLOCKS = 1024
MAX_INPUT_VALUES = 2**28

_SHA256 = re.compile(r"[0-9a-f]{64}")


class Check:
    """Refuses what is wrong; every method raises BundleFormatError, naming the field and its value.

    Args:
        where: what to call the manifest in messages.
    """

    def __init__(self, where: str) -> None:
        self._where = where

    def input(self, spec: InputSpec, timesteps: int) -> None:
        """Sides, channels, and as many frames as timesteps."""
        for name, value in (("height", spec.height), ("width", spec.width)):
            self._require(
                1 <= value <= MAX_SIDE, f"input.{name} {value}", f"is not in 1..{MAX_SIDE}"
            )
        self._require(
            1 <= spec.channels <= 1024, f"input.channels {spec.channels}", "is not in 1..1024"
        )
        expected = timesteps if spec.kind == "frames" else None
        self._require(
            spec.timesteps == expected,
            f"input.timesteps {spec.timesteps}",
            f"must be {expected} for input kind {spec.kind!r}",
        )
        share = spec.preprocessing.crop_share
        self._require(0 < share <= 1, f"input.preprocessing.crop_share {share}", "is not in (0, 1]")
        values = spec.height * spec.width * spec.channels * (spec.timesteps or 1)
        self._require(
            values <= MAX_INPUT_VALUES, "input", f"has {values} values, the limit is 2^28"
        )

    def time(self, timesteps: int, chunk: int) -> None:
        """The chunk divides the timesteps."""
        T = timesteps
        self._require(1 <= T <= MAX_TIMESTEPS, f"timesteps {T}", f"is not in 1..{MAX_TIMESTEPS}")
        divides = chunk >= 1 and T % chunk == 0
        self._require(divides, f"chunk {chunk}", f"does not divide timesteps {T}")

    def precision(self, precision: Precision, qdq: bool) -> None:
        """Only int8 comes as Q/DQ pairs."""
        good = precision == "int8" or not qdq
        self._require(good, "qdq", f"does not go with precision {precision}")

    def tokens(self, tokens: int, tokens_per_block: Sequence[int]) -> None:
        """Slots are positive and never grow from block to block."""
        slots = (tokens, *tokens_per_block)
        blocks = len(tokens_per_block)
        self._require(
            1 <= blocks <= MAX_BLOCKS, "tokens_per_block", f"needs 1..{MAX_BLOCKS} blocks"
        )
        self._require(tokens <= MAX_TOKENS, "tokens", f"is above {MAX_TOKENS}")
        falling = all(a >= b >= 1 for a, b in itertools.pairwise(slots))
        rule = "must be positive and never grow from block to block"
        self._require(falling, f"tokens {slots[:8]}", rule)

    def classes(self, classes: Sequence[str]) -> None:
        """There is at least one, and their names tell them apart."""
        self._require(len(classes) >= 1, "classes", "needs at least one name")
        with raised_as(BundleFormatError):
            check_names(classes, self._where)

    def release(self, release: int) -> None:
        """It counts."""
        self._require(release >= 0, f"release {release}", "is negative")

    def exits(self, spec: ExitSpec, halting: HaltingSpec) -> None:
        """Thresholds lie in their policy's range, and the network can follow the policies."""
        epsilon = halting.epsilon
        self._require(0.0 <= epsilon < 1.0, f"halting.epsilon {epsilon}", "is not in [0, 1)")
        for policy in CALIBRATED:
            value = spec.threshold(policy.name)
            good = value is None or policy.allows(value)
            rule = f"is not in [{policy.low:g}, {policy.high:g}]"
            self._require(good, f"exit.{policy.name} {value}", rule)
            asked = value is not None or spec.default == policy.name
            rule = f"is set although halting.mode is {halting.mode}"
            self._require(policy.fits(halting.mode) or not asked, f"exit.{policy.name}", rule)
        default = POLICIES[spec.default]
        good = not default.has_threshold or spec.threshold(default.name) is not None
        rule = "has no calibrated threshold; use 'never'"
        self._require(good, f"exit.default {spec.default!r}", rule)

    def energy(self, spec: EnergySpec | None, blocks: int, instrumented: bool) -> None:
        """Constants are not negative, one per block; an instrumented bundle needs them."""
        if spec is None:
            self._require(not instrumented, "energy", "is needed by an instrumented bundle")
            return
        numbers = (spec.mac_pj, spec.ac_pj, spec.once_mj, spec.per_timestep_mj, *spec.per_token_mj)
        self._require(min(numbers) >= 0.0, "energy", "has a negative number")
        count = len(spec.per_token_mj)
        self._require(count == blocks, "energy.per_token_mj", f"has {count} entries, one per block")

    def files(self, files: Mapping[str, FileEntry], timesteps: int, chunk: int) -> None:
        """Names, sizes and hashes of files, and the graphs among them; there may be no files."""
        for name, entry in files.items():
            self._file(name, entry)
        if files:
            self._graphs(files, timesteps, chunk)

    def _file(self, name: str, entry: FileEntry) -> None:
        rule = "is not a plain file name inside the bundle"
        self._require(is_file_name(name), f"files: name {name[:80]!r}", rule)
        digest = _SHA256.fullmatch(entry.sha256) is not None
        self._require(digest, f"files.{name}.sha256", "is not 64 lower-case hexadecimal digits")
        sized = 0 <= entry.bytes <= MAX_FILE_BYTES
        rule = f"is not in 0..{MAX_FILE_BYTES}"
        self._require(sized, f"files.{name}.bytes {entry.bytes}", rule)

    def _graphs(self, files: Mapping[str, FileEntry], timesteps: int, chunk: int) -> None:
        self._require(FIRST_GRAPH in files, "files", f"lacks {FIRST_GRAPH}")
        has_next, needs_next = NEXT_GRAPH in files, chunk < timesteps
        rule = f"{'lacks' if needs_next else 'has a superfluous'} {NEXT_GRAPH} (chunk {chunk})"
        self._require(has_next == needs_next, "files", rule)

    def _require(self, good: bool, name: str, rule: str) -> None:
        if not good:
            raise BundleFormatError(f"{self._where}: {name} {rule}")
