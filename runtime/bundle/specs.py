"""The parts of a manifest, as frozen dataclasses (design section 5)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from spikehalt.datasets.preprocessing import Preprocessing
from spikehalt.exits import POLICIES, PolicyName
from spikehalt.vocabulary import HaltingMode, InputKind


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
        preprocessing: how image files become such pixels, as in training.
    """

    kind: InputKind
    height: int
    width: int
    channels: int
    timesteps: int | None = None
    preprocessing: Preprocessing = field(default_factory=Preprocessing)


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
        """The calibrated threshold of `policy`; None if it is not calibrated, or has none."""
        value: float | None = getattr(self, policy) if POLICIES[policy].has_threshold else None
        return value


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
