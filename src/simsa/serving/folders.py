"""The JSON files of adapter and model folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from simsa.errors import AdapterError


def read_object(file: Path) -> dict[str, Any]:
    """The JSON object in `file`. Raises AdapterError for anything else, FileNotFoundError where there is none."""
    try:
        found = orjson.loads(file.read_bytes())
    except FileNotFoundError:
        raise
    except OSError as error:
        raise AdapterError(f"cannot be read: {error.strerror}", where=str(file)) from None
    except orjson.JSONDecodeError as error:
        raise AdapterError(
            f"is not valid JSON: {error}", where=str(file), hint="save or copy the folder again"
        ) from None
    if not isinstance(found, dict):
        raise AdapterError("is not a JSON object", where=str(file), found=found)
    return found
