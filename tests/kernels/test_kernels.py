"""The rules as Python functions: scalars, results, refusals, choices of backend and threads."""

import doctest
import inspect
import keyword
import os
import subprocess
import sys

import numpy as np
import pytest
from reference import store
from reference_half import as_given
from rows import ROWS

import mdbopt
from mdbopt import _core
from mdbopt.kernels import _internal as kernels

RULES = kernels.RULES
SUPPORTED = [backend.name for backend in mdbopt.backends() if backend.supported]
BYTES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}


@pytest.fixture(params=RULES, ids=lambda rule: rule.name)
def rule(request):
    return request.param


@pytest.fixture
def kernel(rule):
    return getattr(kernels, rule.name)


@pytest.fixture
def arrays(rule):
    return arrays_of(rule, "float64", 50)


def arrays_of(rule, dtype, n):
    names = [stream.dtype(dtype) for stream in rule.streams]
    return [as_given(store(np.full(n, 2.0), name), name) for name in names]


def scalars_of(rule):
    """Return scalars that apply, and the step size of an update."""
    return ROWS[rule.name].scalars[0] | step_size_of(rule)


def step_size_of(rule):
    return {"lr": 0.1} if rule.takes_lr else {}


def run_python(code, **environment):
    """Run code in a fresh interpreter, where nothing is chosen yet; return what it printed."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MDBOPT_")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=kept | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")


# --- the descriptions ----------------------------------------------------------------------------
def test_rules_are_described(rule):
    assert rule.name.isidentifier()
    assert rule.summary.strip() == rule.summary != ""
    assert not rule.summary.endswith(".")  # the docstring adds it
    for names in (
        [s.name for s in rule.streams],
        [name for name, _ in rule.scalars],
        [name for name, _ in rule.sums] + ["applied"],
    ):
        assert len(set(names)) == len(names)
        assert all(name.isidentifier() for name in names)
    assert {s.role for s in rule.streams} <= {"in", "out", "inout"}
    assert {kind for _, kind in rule.sums} <= {"add", "max"}
    assert list(rule.bytes) == list(BYTES)[: len(rule.bytes)]
    for stream in rule.streams:
        assert list(stream.dtypes) == list(rule.bytes)
        assert stream.fixed in {"", *stream.dtypes.values()}
        assert stream.wide == (set(stream.dtypes.values()) == {"float64"})


def test_updates_are_described():
    updates = [rule for rule in RULES if rule.update]
    assert {"sgd", "adam", "osgm"} <= {rule.name for rule in updates}
    for rule in updates:
        x, g, *states = rule.streams
        assert (x.name, x.role, g.name, g.role) == ("x", "inout", "g", "in")
        assert x.dtypes == g.dtypes == {name: name for name in BYTES}
        for state in states:
            # The first parameters are all that no step changes.
            assert state.role == ("in" if state.name == "x0" else "inout")
            assert state.dtypes == dict.fromkeys(BYTES, "float32") | {"float64": "float64"}
        assert {"weight_decay": 0.0, "l2": 0.0, "grad_scale": 1.0}.items() <= dict(
            rule.scalars
        ).items()


def test_every_scalar_can_be_written_as_a_keyword(rule):
    assert [name for name, _ in rule.scalars if keyword.iskeyword(name)] == []


def test_bytes_are_those_of_the_streams(rule):
    applies = any(stream.role != "in" for stream in rule.streams)
    gathers = rule.walks - applies
    assert gathers in (0, 1)
    for dtype in rule.bytes:
        moved = 0
        for stream in rule.streams:
            width = BYTES[stream.dtype(dtype)]
            assert not (stream.gathered and stream.role == "out")
            moved += gathers * width * stream.gathered
            moved += applies * width * (2 if stream.role == "inout" else 1)
        assert rule.bytes[dtype] == moved


def test_traffic_is_as_described(rule, kernel):
    n = 1000
    for dtype in rule.bytes:
        arrays = arrays_of(rule, dtype, n)
        as_called = "float64" if all(s.fixed for s in rule.streams) else dtype
        _core.take_traffic()
        assert kernel(*arrays, **scalars_of(rule)).applied
        assert _core.take_traffic() == (rule.walks, n * rule.bytes[as_called])
        assert _core.take_traffic() == (0, 0)


def test_names_and_docstrings(rule, kernel):
    assert rule.name in dir(kernels)
    assert kernel.__name__ == rule.name
    assert kernel.rule is rule
    assert repr(kernel) == f"<kernel {rule.name}({', '.join(s.name for s in rule.streams)})>"
    documented = inspect.getdoc(kernel)
    assert documented.startswith(rule.summary)
    lines = documented.splitlines()
    for stream in rule.streams:
        *most, last = dict.fromkeys(stream.dtypes.values())
        dtype = f"{', '.join(most)} or {last}" if most else last
        assert f"{stream.name} : array of {dtype}" in lines
    for name, _ in (*rule.scalars, *rule.sums):
        assert any(line.startswith(f"{name} : float") for line in lines)
    assert ("lr : float or array" in lines) == rule.takes_lr


def test_unknown_rule():
    with pytest.raises(AttributeError, match=r"has no rule 'newton'; see mdbopt\.rules\(\)"):
        mdbopt.kernels.newton  # noqa: B018


def test_doctests():
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    for module in (mdbopt.kernels, mdbopt.kernels._rules, mdbopt.kernels._backends):
        tried = doctest.testmod(module, optionflags=flags)
        assert tried.attempted > 0
        assert tried.failed == 0


# --- scalars and results -------------------------------------------------------------------------
def test_results_have_names(rule, kernel, arrays):
    result = kernel(*arrays, **scalars_of(rule))
    assert isinstance(result, tuple)
    assert result._fields == (*(name for name, _ in rule.sums), "applied")
    assert type(result).__name__ == rule.name
    assert all(type(value) is float for value in result[:-1])
    assert result.applied is True


def test_defaults_are_those_described(rule, kernel):
    given = {k: v for k, v in rule.scalars if not np.isnan(v)}
    required = {k: v for k, v in scalars_of(rule).items() if k not in given}
    left, right = arrays_of(rule, "float64", 50), arrays_of(rule, "float64", 50)
    assert kernel(*left, **required) == kernel(*right, **required, **given)
    np.testing.assert_equal(left, right)


def test_a_scalar_without_a_default_must_come(rule, kernel, arrays):
    scalars = scalars_of(rule)
    for name, default in rule.scalars:
        rest = {k: v for k, v in scalars.items() if k != name}
        if np.isnan(default):
            with pytest.raises(TypeError, match=f"^{rule.name}: {name}: .*got nothing$"):
                kernel(*arrays, **rest)
        for bad in (float("nan"), float("inf"), -float("inf")):
            with pytest.raises(ValueError, match=f"^{rule.name}: {name}: .*finite.*got {bad}$"):
                kernel(*arrays, **rest, **{name: bad})
        with pytest.raises(TypeError, match=f"^{rule.name}: {name}: expected a number, got str$"):
            kernel(*arrays, **rest, **{name: "1"})
    assert all(np.all(array == 2) for array in arrays)


def test_unknown_scalar(rule, kernel, arrays):
    unknown = "learning_rate" if rule.takes_lr else "lr"
    with pytest.raises(TypeError, match=f"^{rule.name}: unknown scalar '{unknown}'; expected \\w"):
        kernel(*arrays, **scalars_of(rule), **{unknown: 0.1})
    assert all(np.all(array == 2) for array in arrays)


def test_scalars_of_other_types():
    x = np.arange(4.0)
    wanted = kernels.norm(x, scale=2.0)
    for scale in (2, np.float32(2), np.int64(2), np.array(2.0)):
        assert kernels.norm(x, scale=scale) == wanted


# --- refusals ------------------------------------------------------------------------------------
def test_a_cut_too_far_out_is_refused():
    axes, u = np.full(4, 0.5), np.ones(4)
    _core.take_traffic()
    assert kernels.ellipsoid_cut(u, axes) == (1.0, False)  # ℓ = 1, no less
    assert _core.take_traffic() == (1, 4 * 16)
    assert np.all(axes == 0.5)
    assert kernels.ellipsoid_cut(u, axes, cut=2.0) == (1.0, False)  # λ = 1
    assert np.all(axes == 0.5)
    assert kernels.ellipsoid_cut(u, axes, cut=2.01) == (1.0, True)
    assert np.all(axes < 0.5)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_cut_by_no_number_is_refused(bad):
    axes, u = np.full(4, 0.5), np.array([1.0, bad, 3.0, 1.0])
    assert not kernels.ellipsoid_cut(u, axes).applied
    assert np.all(axes == 0.5)


@pytest.mark.parametrize("w", [0.0, np.nan])
def test_a_candidate_without_a_norm_is_refused(w):
    p = np.full(3, 7.0)
    result = kernels.ellipsoid_candidate(np.full(3, w), np.ones(3), p, gamma=0.5)
    assert result.applied is False
    assert np.all(p == 7)
    assert kernels.ellipsoid_candidate(np.ones(3), np.ones(3), p, gamma=0.5).applied is True
    assert np.all(p == 0.5 / np.sqrt(3.0))


# --- backend and threads -------------------------------------------------------------------------
def test_backends():
    all_names = [backend.name for backend in mdbopt.backends()]
    assert all_names[-1] == "baseline"
    assert SUPPORTED
    x = np.ones(3)
    with pytest.raises(ValueError, match=r"backend: 'sse9' cannot run here; expected one of ") as e:
        kernels.dot(x, x, backend="sse9")
    assert all(name in str(e.value) for name in all_names)
    with pytest.raises(TypeError, match=r"backend: .*got int"):
        kernels.dot(x, x, backend=3)


@pytest.mark.parametrize("threads", [0, -1])
def test_too_few_threads(threads):
    with pytest.raises(ValueError, match=rf"^dot: threads: .* >= 1, got {threads}$"):
        kernels.dot(np.ones(3), np.ones(3), threads=threads)


@pytest.mark.parametrize("threads", [2.5, "2"])
def test_threads_are_whole(threads):
    with pytest.raises(TypeError, match=r"^dot: threads: expected a whole number, got"):
        kernels.dot(np.ones(3), np.ones(3), threads=threads)


@pytest.mark.parametrize("threads", [1, np.int64(3), 4096])
def test_threads(threads):
    assert kernels.dot(np.ones(3), np.ones(3), threads=threads).dot == 3.0


@pytest.mark.parametrize("name", SUPPORTED)
def test_backend_of_the_environment(name):
    code = "import mdbopt; print([b.name for b in mdbopt.backends() if b.active])"
    assert run_python(code, MDBOPT_BACKEND=name)[0] == str([name])


TRIES = """
import os
import numpy as np
from mdbopt import _core, kernels
x = np.ones(3)
for value in {values!r}:
    os.environ[{name!r}] = value
    try:
        print(kernels.dot(x, x).dot, _core.threads())
    except ValueError as error:
        print(error)
"""


def test_bad_backend_of_the_environment():
    values = ["nope", "AVX2", ""]
    *bad, good = run_python(TRIES.format(name="MDBOPT_BACKEND", values=values))[:3]
    assert good.startswith("3.0 ")
    for line, value in zip(bad, values, strict=False):
        assert f"'{value}' cannot run here; expected one of" in line
        assert "MDBOPT_BACKEND" in line


def test_threads_of_the_environment():
    values = ["0", "-1", "two", "1.5", " ", "5000", "9" * 40, "3"]
    *bad, good = run_python(TRIES.format(name="MDBOPT_NUM_THREADS", values=values))[:8]
    assert good == "3.0 3"
    for line, value in zip(bad, values, strict=False):
        assert line == (
            f"MDBOPT_NUM_THREADS: expected a whole number from 1 to 4096, got '{value}'"
        )
