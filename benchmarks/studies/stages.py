"""What halting in the last stage can save of a network with stages before it.

    python -m benchmarks.studies.stages

Multiply-accumulates of one timestep by the shapes of the layers, all tokens alive: of the stages
that keep all tokens, and of the last stage's blocks. At 0.5 x tokens half of the latter is left,
attention counted in proportion.
"""

from __future__ import annotations

from benchmarks.common.table import Row, Table, number, words
from benchmarks.cpu.macs import attention_macs, token_macs
from train.config import NAMED_MODELS, ModelConfig


def stage_macs(config: ModelConfig) -> int:
    """Of the convolutions before the last stage's blocks."""
    total = 0
    for index, conv in enumerate(config.stages):
        height, width = config.resolution(index)
        entering = config.channels if conv.takes < 0 else config.stages[conv.takes].width
        taken = 1 if conv.depthwise else entering
        total += conv.kernel**2 * taken * conv.width * height * width
    return total


def block_macs(config: ModelConfig) -> int:
    """Of the last stage's blocks."""
    return config.depth * (config.tokens * token_macs(config) + attention_macs(config))


def row(name: str, config: ModelConfig) -> Row:
    """One network."""
    stages, blocks = stage_macs(config), block_macs(config)
    share = blocks / (stages + blocks)
    figures = {"stages": stages / 1e6, "blocks": blocks / 1e6, "share": share}
    return Row(name, {**figures, "halved": 1 - share / 2})


def main() -> None:
    """Print the table."""
    columns = [
        words("network"),
        number("stages before, million", "stages", ".1f"),
        number("last stage, million", "blocks", ".1f"),
        number("share of the last", "share"),
        number("whole at 0.5 x tokens", "halved"),
    ]
    rows = [row(name, config) for name, config in NAMED_MODELS.items() if config.stages]
    Table("multiply-accumulates of a timestep", columns).print(rows)


if __name__ == "__main__":
    main()
