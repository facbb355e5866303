"""Weights by their content, so that a changed folder is another model."""

from __future__ import annotations

import hashlib
from pathlib import Path

from simsa.records import content_hash

_EDGE = 64 * 1024


def weights_hash(model: str) -> str:
    """Names a model by its folder's content; by its name where it is not a folder here.

    Small files count whole. Of large ones the size and both ends do: a safetensors
    file begins with its table of tensors and ends in the last of them.
    """
    folder = Path(model)
    if not folder.is_dir():
        return content_hash("hub", model)
    digest = hashlib.blake2b(digest_size=16)
    for file in sorted(folder.iterdir()):
        if not file.is_file() or file.suffix not in (".json", ".safetensors", ".jinja", ".model", ".txt"):
            continue
        size = file.stat().st_size
        digest.update(f"{file.name}\0{size}\0".encode())
        with file.open("rb") as stream:
            digest.update(stream.read(_EDGE if size > 16 * _EDGE else size))
            if size > 16 * _EDGE:
                stream.seek(-_EDGE, 2)
                digest.update(stream.read(_EDGE))
    return digest.hexdigest()
