"""What operations cost, for 45 nm CMOS (Horowitz 2014)."""

from __future__ import annotations

from dataclasses import dataclass

from train.config.checks import require

MAC_PJ = 4.6
AC_PJ = 0.9


@dataclass(frozen=True)
class Constants:
    """What an operation costs.

    Attributes:
        mac_pj: a multiply-accumulate.
        ac_pj: an accumulate.
        memory_pj_per_byte: a byte moved; 0 leaves memory out, as the papers do. Horowitz gives
            1.25 for an 8 KB SRAM and 160 or more for DRAM.
        weight_bytes: of a weight, fetched for every operation.
        state_bytes: of a membrane, read and written for every neuron and timestep.
    """

    mac_pj: float = MAC_PJ
    ac_pj: float = AC_PJ
    memory_pj_per_byte: float = 0.0
    weight_bytes: int = 4
    state_bytes: int = 4

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            require(value >= 0, f"{name} is {value}, must be >= 0")


@dataclass(frozen=True)
class MemoryConstants:
    """Energy of a byte moved.

    Attributes:
        sram_pj_per_byte: 1.25 is 8 KB of SRAM, 2.5 32 KB, 12.5 1 MB (Horowitz 2014).
        dram_pj_per_byte: 162.5 to 325 is DRAM (Horowitz 2014); 0 where weights stay on the chip.
    """

    sram_pj_per_byte: float = 2.5
    dram_pj_per_byte: float = 162.5

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            require(value >= 0, f"{name} is {value}, must be >= 0")
