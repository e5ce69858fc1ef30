"""What export notes in every graph's metadata, so that a manifest of another export is noticed."""

from __future__ import annotations

from runtime.bundle.manifest import Manifest

PREFIX = "spikehalt."


def graph_properties(manifest: Manifest) -> dict[str, str]:
    """The facts about a graph that its inputs and outputs need not show, as text by name."""
    facts = {
        "timesteps": manifest.timesteps,
        "chunk": manifest.chunk,
        "layout": manifest.layout,
        "precision": manifest.precision,
        "qdq": manifest.qdq,
        "tokens": manifest.tokens,
        "tokens_per_block": ", ".join(map(str, manifest.tokens_per_block)),
        "halting": manifest.halting.mode,
        "classes": len(manifest.classes),
    }
    return {PREFIX + name: str(value) for name, value in facts.items()}
