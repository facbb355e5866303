from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from simsa.demo import demo_files

RECIPES = Path(__file__).parents[2] / "recipes"


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def recipe(name: str) -> ModuleType:
    """A script of `recipes/`, which is a folder of scripts and not a package."""
    sys.path.insert(0, str(RECIPES))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(RECIPES))


@pytest.fixture(scope="session")
def test_rows() -> list[dict[str, Any]]:
    return rows_of(demo_files().test)


@pytest.fixture(scope="session")
def make_data() -> ModuleType:
    return recipe("make_data")


@pytest.fixture(scope="session")
def train_lora() -> ModuleType:
    return recipe("train_lora")
