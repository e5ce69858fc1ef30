"""Recipes: small YAML files, read strictly into a TrainConfig.

A recipe may name a model of the registry (`model: {name: spikformer-4-384, ...}`) and change single
fields of it, and may build on another recipe (`base: cifar10-static`). The values under `short:`
make the recipe NAME-short, a schedule of about an hour instead of the papers'. Runs go to
runs/NAME.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from spikehalt.datasets.errors import raised_as
from spikehalt.datasets.texts import read_text
from spikehalt.errors import ConfigError
from spikehalt.strict import build, to_dict
from train.config import ModelConfig, TrainConfig, named_model

_FOLDER = Path(__file__).parent
_SHORT = "-short"


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
    return build(TrainConfig, _resolve_model(recipe))


def _is_short(name: str) -> bool:
    return name.endswith(_SHORT) and not (_FOLDER / f"{name}.yaml").is_file()


def _read_short(name: str) -> dict[str, Any]:
    recipe = _read(name)
    if "short" not in recipe:
        raise ConfigError(f"recipe {name!r} has no short schedule")
    return merge(recipe, recipe["short"])


def _read(name: str) -> dict[str, Any]:
    """The content of a recipe, laid over that of its base."""
    path = Path(name) if name.endswith((".yaml", ".yml")) else _FOLDER / f"{name}.yaml"
    if not path.is_file():
        near = difflib.get_close_matches(name, [p.stem for p in _FOLDER.glob("*.yaml")], n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ConfigError(f"no recipe {name!r}.{hint} `python -m train recipes` lists them")
    try:
        with raised_as(ConfigError):
            content = yaml.safe_load(read_text(path)) or {}
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path} must hold a mapping of keys to values")
    base = content.pop("base", None)
    return merge(_read(base), content) if base else content


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `changes` laid over it, key by key."""
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(old, value) if both else value  # type: ignore[arg-type]
    return merged


def _resolve_model(recipe: dict[str, Any]) -> dict[str, Any]:
    model = dict(recipe.get("model") or {})
    name = model.pop("name", None)
    start = to_dict(named_model(name) if name else ModelConfig())
    return {**recipe, "model": merge(start, model)}
