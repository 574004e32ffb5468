"""Progress of a run never ends it: whatever standard error is, and whatever is installed."""

import errno
import io
import subprocess
import sys

import numpy as np
import pytest

import mdbopt
from mdbopt._minimize.progress import Progress


def run(**arguments):
    def fun(x):
        return float(np.sum(x**4)), 4.0 * x**3

    return mdbopt.minimize(fun, np.ones(3), jac=True, progress=True, **arguments)


class Broken(io.StringIO):
    """Fails from the write of this number on."""

    def __init__(self, error, writes=0, terminal=False):
        super().__init__()
        self.error, self.writes, self.terminal = error, writes, terminal

    def isatty(self):
        return self.terminal

    def write(self, text):
        self.writes -= 1
        if self.writes < 0:
            raise self.error
        return super().write(text)


class Foreign:
    """What notebooks and services put in its place."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text


class Refusing:
    def __getattr__(self, name):
        raise RuntimeError(name)


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


STREAMS = {
    "none": lambda: None,
    "closed": closed,
    "closed pipe": lambda: Broken(BrokenPipeError(errno.EPIPE, "Broken pipe")),
    "pipe closed later": lambda: Broken(BrokenPipeError(errno.EPIPE, "Broken pipe"), 1),
    "terminal hung up": lambda: Broken(OSError(errno.EIO, "gone"), 2, terminal=True),
    "terminal closed": lambda: Broken(ValueError("I/O operation on closed file"), 1, terminal=True),
    "narrow encoding": lambda: Broken(UnicodeEncodeError("ascii", "é", 0, 1, "no"), terminal=True),
    "foreign": Foreign,
    "no stream": object,
    "refusing": Refusing,
}


@pytest.mark.parametrize("name", STREAMS)
def test_any_standard_error(monkeypatch, name):
    plain = run()
    monkeypatch.setattr(Progress, "interval", 0.0)
    monkeypatch.setattr(sys, "stderr", STREAMS[name]())
    result = run()
    monkeypatch.undo()
    np.testing.assert_array_equal(result.x, plain.x)
    assert result.nfev == plain.nfev


def test_a_stream_that_cannot_flush_is_written_to(monkeypatch):
    stream = Foreign()
    monkeypatch.setattr(sys, "stderr", stream)
    run()
    assert "guarded: " in stream.text
    assert "evaluations" in stream.text


def test_without_tqdm_a_terminal_gets_lines(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    stream = Broken(None, 10**9, terminal=True)
    bar = Progress(10, "guarded", stream=stream)
    bar.update(1.0, 2.0)
    bar.close(1.0, 2.0)
    assert stream.getvalue().startswith("guarded: 1 evaluations, f=1, max|g|=2.00e+00")


def test_a_bar_on_a_terminal(monkeypatch):
    pytest.importorskip("tqdm")
    stream = Broken(None, 10**9, terminal=True)
    bar = Progress(10, "guarded", stream=stream)
    bar.update(1.0, 2.0)
    bar.close(1.0, 2.0)
    assert "guarded" in stream.getvalue()
    assert "100%" in stream.getvalue()


def test_errors_of_the_callback_pass(monkeypatch):
    def callback(x):
        raise BrokenPipeError("the callback's own")

    monkeypatch.setattr(sys, "stderr", None)
    with pytest.raises(BrokenPipeError, match="own"):
        run(callback=callback)


def test_a_closed_descriptor():
    code = """
import os, numpy as np, mdbopt
os.close(2)
print(mdbopt.minimize(lambda x: (float(x @ x), 2 * x), np.ones(2), jac=True, progress=True).nfev)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip().isdigit()
