"""Files that are replaced in one step: a reader sees the old one or the new one, whole."""

from __future__ import annotations

import contextlib
import os
import pathlib
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from typing import BinaryIO

Path = str | os.PathLike[str]


def check_writable(name: str, path: Path) -> None:
    """Raise the OSError that `replace` would raise there, before the work whose result it takes."""
    with _names(path):
        target, old = _target(path)
        if old is not None and stat.S_ISDIR(old.st_mode):
            raise IsADirectoryError(f"{name}: {os.fspath(path)} is a folder, expected a file")
        if _in_place(old):
            os.close(os.open(target, os.O_WRONLY))
        if not _special(old):
            descriptor, part = _beside(target, old)
            os.close(descriptor)
            part.unlink()


def replace(path: Path, fill: Callable[[BinaryIO], object]) -> None:
    """Replace a file by what ``fill`` writes, in one step once that is on the disk.

    Parameters
    ----------
    path : path
        A symbolic link stays one: the file it leads to is replaced. The new file has the mode of
        the old one and, where that is allowed, its owner; without an old one, those that ``open``
        gives. A file with further hard links keeps them, and what is no regular file stays it:
        these two are written in place, not in one step.
    fill : callable
        Writes the content to the file that it gets, open for bytes.

    Raises
    ------
    OSError
        Names ``path`` as it was given. The old file is still there, and nothing else.
    """
    with _names(path):
        target, old = _target(path)
        if _special(old):
            with open(target, "wb") as file:
                fill(file)
            return
        descriptor, part = _beside(target, old)
        try:
            with os.fdopen(descriptor, "wb") as file:
                fill(file)
                _to_disk(file)
            if _in_place(old):
                with open(part, "rb") as source, open(target, "wb") as file:
                    shutil.copyfileobj(source, file)
                    _to_disk(file)
                part.unlink()
            else:
                os.replace(part, target)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink()
            raise
        _sync_directory(target.parent)


@contextlib.contextmanager
def _names(path: Path) -> Iterator[None]:
    """Let an OSError that names a file of ours, or none, name the caller's path."""
    try:
        yield
    except OSError as error:
        folder = str(_target(path)[0].parent)
        ours = error.filename is None or os.fsdecode(error.filename).startswith(folder)
        if error.errno is None or not ours:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None


def _target(path: Path) -> tuple[pathlib.Path, os.stat_result | None]:
    """Follow links, and look at what is there."""
    try:
        old = os.stat(path)
    except OSError:
        old = None
    # The links of /proc lead to what has no name.
    return pathlib.Path(path if _special(old) else os.path.realpath(path)), old


def _special(old: os.stat_result | None) -> bool:
    return old is not None and not stat.S_ISREG(old.st_mode)


def _in_place(old: os.stat_result | None) -> bool:
    return old is not None and stat.S_ISREG(old.st_mode) and old.st_nlink > 1


def _beside(target: pathlib.Path, old: os.stat_result | None) -> tuple[int, pathlib.Path]:
    """Open a new file in the same folder, which has its final mode before it holds anything."""
    part = target.with_name(f"{target.name[:50]}.{secrets.token_hex(8)}.tmp")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    if old is not None:
        with contextlib.suppress(OSError):
            os.fchown(descriptor, old.st_uid, old.st_gid)
        with contextlib.suppress(OSError):
            os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
    return descriptor, part


def _to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_directory(folder: pathlib.Path) -> None:
    # The rename itself survives a power cut only once the directory is on disk.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
