"""Packages that tests need: where one is not installed its tests are left out, but never in continuous integration."""

import importlib
import importlib.util
import os
from typing import Any

import pytest


def imported(name: str) -> Any:
    """A module."""
    installed(name)
    return importlib.import_module(name)


def installed(name: str) -> None:
    """The same for a package that a process of its own imports: some change settings of others as they are imported."""
    if importlib.util.find_spec(name) is None:
        if os.environ.get("CI"):
            raise ModuleNotFoundError(name)
        pytest.skip(f"{name} is not installed")
