"""Files that are replaced in one step, and what was there before them."""

import os
import pathlib
import shutil
import stat
import subprocess
import sys
import threading

import numpy as np
import pytest

from mdbopt import _files, plot
from mdbopt._minimize import checkpoint
from mdbopt.cli import main


def put(content):
    return lambda file: file.write(content)


def half(file):
    file.write(b"half")
    raise RuntimeError("stopped")


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.fixture
def umask():
    old = os.umask(0o022)
    yield os.umask
    os.umask(old)


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_new_files_follow_the_umask(tmp_path, umask, mask):
    umask(mask)
    _files.replace(tmp_path / "new", put(b"1"))
    assert mode(tmp_path / "new") == 0o666 & ~mask


@pytest.mark.parametrize("kept", [0o600, 0o640, 0o664, 0o444, 0o755, 0o2644])
def test_the_mode_stays(tmp_path, kept):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(kept)
    _files.replace(path, put(b"new"))
    assert (mode(path), path.read_bytes()) == (kept, b"new")
    assert os.listdir(tmp_path) == ["file"]


def test_what_is_private_is_never_readable_by_others(tmp_path, umask):
    umask(0)
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o600)
    seen = []

    def look(file):
        seen.extend(mode(other) for other in tmp_path.iterdir())

    _files.replace(path, look)
    assert seen == [0o600, 0o600]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_owner_stays(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    os.chown(path, 12345, 54321)
    _files.replace(path, put(b"new"))
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 54321)


@pytest.mark.parametrize("relative", [False, True])
def test_symbolic_links_stay(tmp_path, relative):
    (tmp_path / "elsewhere").mkdir()
    target, link, outer = tmp_path / "elsewhere" / "file", tmp_path / "link", tmp_path / "outer"
    link.symlink_to("elsewhere/file" if relative else target)
    outer.symlink_to(link)
    for content in (b"first", b"second"):  # a link to nothing leads to a new file
        _files.replace(outer, put(content))
        assert outer.is_symlink()
        assert link.is_symlink()
        assert not target.is_symlink()
        assert target.read_bytes() == content
    assert os.listdir(target.parent) == ["file"]


def test_hard_links_stay(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(b"a longer content")
    os.link(first, second)
    _files.replace(first, put(b"new"))
    assert second.read_bytes() == b"new"
    assert first.samefile(second)
    with pytest.raises(RuntimeError, match="stopped"):
        _files.replace(first, half)
    assert second.read_bytes() == b"new"
    assert sorted(os.listdir(tmp_path)) == ["first", "second"]


def test_what_is_no_regular_file_stays_what_it_is(tmp_path):
    pipe, received = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    _files.replace(pipe, put(b"through"))
    reader.join()
    assert received == [b"through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    _files.check_writable("checkpoint", os.devnull)
    _files.replace(os.devnull, put(b"away"))
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


def test_standard_output_is_a_place(tmp_path):
    code = "from mdbopt import _files; _files.replace('/dev/stdout', lambda f: f.write(b'text'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == b"text"


@pytest.mark.parametrize("old", [None, b"old"])
def test_what_stops_half_way_leaves_all_as_it_was(tmp_path, old):
    path = tmp_path / "file"
    if old is not None:
        path.write_bytes(old)
    with pytest.raises(RuntimeError, match="stopped"):
        _files.replace(path, half)
    assert [p.read_bytes() for p in tmp_path.iterdir()] == ([] if old is None else [old])


def test_long_names(tmp_path):
    path = tmp_path / ("é" * 127)  # 254 of 255 bytes
    _files.replace(path, put(b"1"))
    assert path.read_bytes() == b"1"


@pytest.mark.parametrize("function", [
    lambda path: _files.check_writable("checkpoint", path),
    lambda path: _files.replace(path, put(b"1")),
    lambda path: checkpoint.write(path, {"x": np.ones(3)}),
])  # fmt: skip
@pytest.mark.parametrize("given", ["missing/run.npz", "./missing/../missing/run", "file/run.npz"])
def test_errors_name_the_path_as_it_was_given(tmp_path, monkeypatch, function, given):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    for path in (given, pathlib.Path(given)):
        with pytest.raises(OSError, match=r"\[Errno") as caught:
            function(path)
        assert caught.value.filename == os.fspath(path)
        assert ".tmp" not in str(caught.value)


def test_a_full_disk_is_named_by_the_path(tmp_path):
    def full(file):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match=r"No space left on device: .*run\.npz") as caught:
        _files.replace(tmp_path / "run.npz", full)
    assert caught.value.errno == 28


def test_a_folder_is_refused_by_the_argument(tmp_path):
    with pytest.raises(IsADirectoryError, match=f"checkpoint: {tmp_path} is a folder"):
        _files.check_writable("checkpoint", tmp_path)


# fontTools, for PDF: it has not said yet that it does without the lock.
@pytest.mark.filterwarnings("ignore:The global interpreter lock:RuntimeWarning")
def test_every_kind_of_picture(tmp_path):
    figures = pytest.importorskip("matplotlib.figure")
    figure = figures.Figure()
    figure.subplots().plot([1.0, 2.0])
    kinds = set(figure.canvas.get_supported_filetypes())
    if shutil.which("xelatex") is None:
        kinds.discard("pgf")
    for kind in kinds:
        path = tmp_path / f"picture.{kind}"
        plot.save_picture(path, figure)
        assert path.stat().st_size > 100


@pytest.mark.parametrize("option", ["--save", "--plot"])
def test_the_command_keeps_mode_and_links(tmp_path, option, capsys):
    pytest.importorskip("matplotlib")
    table = tmp_path / "table.npz"
    rows = np.random.default_rng(0).standard_normal((30, 3))
    np.savez(table, X=rows[:, :2], y=rows[:, 2])
    ending = ".npz" if option == "--save" else ".png"
    target, link = tmp_path / f"target{ending}", tmp_path / f"link{ending}"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to(target.name)
    assert main(["fit", str(table), "--maxfun", "5", option, str(link)]) in (0, None)
    capsys.readouterr()
    assert link.is_symlink()
    assert mode(target) == 0o640
    assert target.read_bytes() != b"old"
