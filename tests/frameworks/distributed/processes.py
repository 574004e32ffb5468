"""Starting processes that meet, once for all workers of a test run."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

ALLOWED = 300  # seconds; at rest none takes 20
RANKS = Path(__file__).with_name("ranks.py")
# What Open MPI asks for in containers.
AS_ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def by_torch(ranks, script, *arguments):
    """Start what `torchrun` would, but for its own process; give their ends."""
    pytest.importorskip("torch", reason="torch is not installed")
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(ranks)}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, RANKS, folder, ranks, script, *arguments]
        process = subprocess.Popen(
            list(map(str, command)),
            env={**os.environ, **common, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        with process:
            try:
                statuses, _ = process.communicate(timeout=ALLOWED)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
        assert process.returncode == 0, f"{RANKS.name} ended with {process.returncode}"
        read = lambda k, kind: Path(folder, f"{k}.{kind}").read_text(encoding="utf-8")  # noqa: E731
        return [
            subprocess.CompletedProcess(script, int(status), read(k, "out"), read(k, "err"))
            for k, status in enumerate(statuses.split())
        ]


def mpirun():
    beside = Path(sys.executable).with_name("mpirun")
    return str(beside) if beside.is_file() else shutil.which("mpirun")


def by_mpi(ranks, script, *arguments):
    """Start processes by mpirun; give its end."""
    pytest.importorskip("mpi4py", reason="mpi4py is not installed")
    if mpirun() is None:
        pytest.skip("no mpirun here")
    command = [mpirun(), "--oversubscribe", "-n", str(ranks), sys.executable, str(script)]
    done = subprocess.run(
        [*command, *map(str, arguments)],
        env={**os.environ, **AS_ROOT, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=ALLOWED,
        check=False,
    )
    return [done]


def succeeded(ends):
    """Give what the first process printed, where all of them ended well."""
    for end in ends:
        assert end.returncode == 0, end.stderr
    return ends[0].stdout


def made_once(tmp_path_factory, name, make):
    """Give the folder that one worker of pytest-xdist fills, for which the others wait."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, done, failed = base / name, base / f"{name}-done", base / f"{name}-failed"
    try:
        folder.mkdir()
    except FileExistsError:
        limit = time.monotonic() + 4 * ALLOWED
        while not done.exists():
            assert not failed.exists(), f"another worker could not make {name}"
            assert time.monotonic() < limit, f"another worker has not made {name}"
            time.sleep(0.1)
        return folder
    try:
        make(folder)
    except BaseException:
        failed.touch()
        raise
    done.touch()
    return folder
