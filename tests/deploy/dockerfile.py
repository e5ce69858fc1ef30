"""What a Dockerfile says, as far as the project's use it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy"


@dataclass(frozen=True)
class Instruction:
    """One of its lines, continued ones joined."""

    word: str
    text: str

    def listed(self) -> list[str]:
        """The JSON list that it holds, behind options and `CMD`."""
        values: list[str] = json.loads(self.text[self.text.index("[") :])
        return values


class Dockerfile:
    """The instructions of a file in `deploy/`.

    Args:
        name: without `.Dockerfile`.
    """

    def __init__(self, name: str) -> None:
        text = (FOLDER / f"{name}.Dockerfile").read_text()
        joined = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", text, flags=re.M))
        lines = [line.split(None, 1) for line in joined.splitlines() if line]
        self.instructions = [Instruction(word, rest) for word, rest in lines]

    def all(self, word: str) -> list[Instruction]:
        """Every instruction of that word."""
        return [each for each in self.instructions if each.word == word]

    def one(self, word: str) -> Instruction:
        """The only instruction of that word."""
        (found,) = self.all(word)
        return found

    def commands(self) -> list[str]:
        """What RUN runs, one shell command each."""
        return [part for run in self.all("RUN") for part in re.split(r"\s*&&\s*", run.text)]

    def environment(self) -> dict[str, str]:
        """What ENV sets in the last stage."""
        last = max(at for at, each in enumerate(self.instructions) if each.word == "FROM")
        texts = [each.text for each in self.instructions[last:] if each.word == "ENV"]
        return dict(re.findall(r"(\w+)=(\S+)", " ".join(texts)))


def context() -> list[str]:
    """The paths that `.dockerignore` lets into an image's build."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in lines  # everything else stays out
    return [line[1:] for line in lines if line.startswith("!")]
