"""Saving a run so that it continues to the same bits, whatever instant it was stopped at.

A checkpoint is an .npz file with the state of the search, the trace, the identity of the run, and a
digest over all of it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from mdbopt import _files

FORMAT = 2


def _digest(entries: Mapping[str, Any]) -> str:
    digest = hashlib.sha256()
    for name in sorted(entries):
        array = np.asarray(entries[name])
        digest.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def write(path: str | os.PathLike[str], entries: Mapping[str, Any]) -> None:
    """Replace the file by these entries in one step."""
    content = {**entries, "format": FORMAT}
    _files.replace(path, lambda file: np.savez(file, digest=np.array(_digest(content)), **content))


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the entries of a checkpoint.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When the file is damaged, or is no checkpoint of this format.
    """
    try:
        with open(path, "rb") as handle, np.load(handle, allow_pickle=False) as file:
            entries = {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise
    # A flipped bit can make zipfile, zlib or NumPy raise nearly anything, MemoryError and
    # NotImplementedError included.
    except Exception as error:
        raise ValueError(f"resume: {os.fspath(path)} is not a whole checkpoint: {error}") from error
    digest = str(entries.pop("digest", ""))
    if digest != _digest(entries):
        raise ValueError(f"resume: {os.fspath(path)} is damaged: its digest does not match")
    if str(entries.pop("format", "")) != str(FORMAT):
        raise ValueError(f"resume: {os.fspath(path)} has another format than {FORMAT}")
    return {name: value.item() if value.ndim == 0 else value for name, value in entries.items()}
