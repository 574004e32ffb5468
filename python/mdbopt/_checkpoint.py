"""Saving a run so that it continues to the same bits, whatever instant it was stopped at.

A checkpoint is an .npz file with the state of the search, the trace, the identity of the run, and a
digest over all of it. It is written beside its final name, forced to disk, and renamed over it: a
reader sees the old file or the new one, whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import tempfile
from collections.abc import Mapping
from typing import Any

import numpy as np

FORMAT = 1


def _digest(entries: Mapping[str, Any]) -> str:
    digest = hashlib.sha256()
    for name in sorted(entries):
        array = np.asarray(entries[name])
        digest.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise the OSError that writing there would raise, before a long run begins."""
    target = pathlib.Path(path)
    if target.is_dir():
        raise IsADirectoryError(f"checkpoint: {target} is a folder, expected a file")
    with tempfile.NamedTemporaryFile(prefix=target.name + ".", suffix=".tmp", dir=target.parent):
        pass


def write(path: str | os.PathLike[str], entries: Mapping[str, Any]) -> None:
    """Replace the file by these entries in one step."""
    target = pathlib.Path(path)
    handle, name = tempfile.mkstemp(prefix=target.name + ".", suffix=".tmp", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            content = {**entries, "format": FORMAT}
            np.savez(file, digest=np.array(_digest(content)), **content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    _sync_directory(target.parent)


def _sync_directory(folder: pathlib.Path) -> None:
    # The rename itself survives a power cut only once the directory is on disk.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
    if int(entries.pop("format")) != FORMAT:
        raise ValueError(f"resume: {os.fspath(path)} has another format than {FORMAT}")
    return {name: value.item() if value.ndim == 0 else value for name, value in entries.items()}
