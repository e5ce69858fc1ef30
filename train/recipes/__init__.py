"""Recipes: small YAML files, read strictly into a TrainConfig.

A recipe may name a model of the registry (`model: {name: spikformer-4-384, ...}`) and change single
fields of it, and may build on another recipe (`base: cifar10-static`). The values under `short:`
make the recipe NAME-short, a schedule of about an hour instead of the papers'. Runs go to
runs/NAME.
"""

from __future__ import annotations

import contextlib
import copy
import difflib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from spikehalt.datasets.errors import raised_as
from spikehalt.datasets.texts import read_text
from spikehalt.errors import ConfigError
from spikehalt.reading import reading
from spikehalt.strict import build, describe, to_dict
from train.config import ModelConfig, TrainConfig, named_model

_FOLDER = Path(__file__).parent
_SHORT = "-short"
# Far more than any recipe has.
_MAX_BYTES, _MAX_BRACKETS, _MAX_DEPTH, _MAX_VALUES = 2**16, 1000, 16, 10_000
_TOO_MUCH = "{} has more, or deeper nested, values than any recipe"


def recipe_names() -> list[str]:
    """Names of the recipes that ship with the package."""
    names = []
    for path in _FOLDER.glob("*.yaml"):
        names.append(path.stem)
        if "short" in _read(path.stem):
            names.append(path.stem + _SHORT)
    return sorted(names)


def load_recipe(name: str) -> TrainConfig:
    """The configuration of a shipped recipe, or of a .yaml file.

    Raises:
        ConfigError: no such recipe (the nearest is named), not YAML, or a key or value is refused.
    """
    recipe = _read_short(name.removesuffix(_SHORT)) if _is_short(name) else _read(name)
    recipe.pop("short", None)
    recipe.setdefault("out", f"runs/{Path(name).stem}")
    with _naming(name):
        return build(TrainConfig, _resolve_model(recipe))


@contextlib.contextmanager
def _naming(name: str) -> Iterator[None]:
    """Say which file is meant, where it is the user's own."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}" if _is_file(name) else str(error)) from None


def _is_file(name: str) -> bool:
    return name.endswith((".yaml", ".yml"))


def _is_short(name: str) -> bool:
    return name.endswith(_SHORT) and not (_FOLDER / f"{name}.yaml").is_file()


def _read_short(name: str) -> dict[str, Any]:
    recipe = _read(name)
    if "short" not in recipe:
        raise ConfigError(f"recipe {name!r} has no short schedule")
    return merge(recipe, _mapping(recipe, "short", name))


def _read(name: str, above: tuple[str, ...] = ()) -> dict[str, Any]:
    """The content of a recipe, laid over that of its base."""
    if name in above:
        raise ConfigError(f"recipe {name} builds on itself: {' on '.join((*above, name))}")
    path = Path(name) if _is_file(name) else _FOLDER / f"{name}.yaml"
    if not _exists(path):
        near = difflib.get_close_matches(name, [p.stem for p in _FOLDER.glob("*.yaml")], n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ConfigError(f"no recipe {name!r}.{hint} `python -m train recipes` lists them")
    with raised_as(ConfigError):
        text = read_text(path, _MAX_BYTES)
    if text.count("[") + text.count("{") > _MAX_BRACKETS:  # a second for each 10,000 and more
        raise ConfigError(_TOO_MUCH.format(path))
    with reading(path, ConfigError, "is not valid YAML"):
        content = _parsed(text)
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must hold a mapping of keys to values")
    if _values(content) > _MAX_VALUES:
        raise ConfigError(_TOO_MUCH.format(path))
    content = copy.deepcopy(content)
    base = content.pop("base", None)
    if base is None:
        return content
    if not isinstance(base, str):
        raise ConfigError(f"{path}: base must be the name of a recipe, not {describe(base)}")
    return merge(_read(base, (*above, name)), content)


@lru_cache(maxsize=256)
def _parsed(text: str) -> Any:
    """What YAML says, not to be changed: many recipes build on the same few."""
    return yaml.safe_load(text) or {}


def _exists(path: Path) -> bool:
    """A device or folder in the file's place exists, and is refused by name when it is read."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _values(value: Any, depth: int = 0) -> int:
    """How many values there are, aliases counted wherever they stand; too many where they nest."""
    if depth > _MAX_DEPTH:
        return _MAX_VALUES + 1
    inside = value.values() if isinstance(value, dict) else value
    count = 1
    for each in inside if isinstance(value, dict | list) else ():
        count += _values(each, depth + 1)
        if count > _MAX_VALUES:
            break
    return count


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `changes` laid over it, key by key."""
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(old, value) if both else value  # type: ignore[arg-type]
    return merged


def _mapping(recipe: Mapping[str, Any], key: str, where: str) -> dict[str, Any]:
    value = recipe.get(key) or {}
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: {key} must be an object, not {describe(value)}")
    return dict(value)


def _resolve_model(recipe: dict[str, Any]) -> dict[str, Any]:
    model = _mapping(recipe, "model", "recipe")
    name = model.pop("name", None)
    if not isinstance(name, str | None):
        raise ConfigError(f"model.name must be a string, not {describe(name)}")
    start = to_dict(named_model(name) if name else ModelConfig())
    return {**recipe, "model": merge(start, model)}
