"""BLAS on one thread for as long as a context lasts, and none where threadpoolctl is missing."""

import sys

import numpy as np
import pytest

from mdbopt import _blas


def threads(library):
    threadpoolctl = pytest.importorskip("threadpoolctl")
    pools = threadpoolctl.ThreadpoolController().info()
    return {pool["filepath"]: pool["num_threads"] for pool in pools if library in pool["filepath"]}


def test_one_thread_within_and_as_many_as_before_after_it():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    np.ones((2, 2)) @ np.ones((2, 2))
    with threadpoolctl.ThreadpoolController().limit(limits=2):
        before = threads("")
        with _blas.one_thread():
            assert set(threads("").values()) == {1}
        assert threads("") == before


def test_other_libraries_keep_theirs():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    with threadpoolctl.ThreadpoolController().limit(limits=2):
        before = threads("")
        with _blas.one_thread("no library of this name"):
            assert threads("") == before


def test_without_threadpoolctl_nothing_changes(monkeypatch):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    with _blas.one_thread() as found:
        assert found is None
