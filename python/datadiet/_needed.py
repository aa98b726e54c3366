"""Packages that are asked for only where they are used."""

from __future__ import annotations

import importlib
from typing import Any


def needed(package: str, extra: str) -> Any:
    """A package that is not a dependency of this one.

    Raises
    ------
    ImportError
        It is not installed; the message says how it is.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(
            f"this needs {package}, which is not installed: pip install 'datadiet[{extra}]'"
        ) from error
