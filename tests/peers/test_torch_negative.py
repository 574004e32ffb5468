"""PyTorch's negative bit: the memory of such a tensor holds the opposite of what it means."""

import os
import subprocess
import sys

import numpy as np
import pytest
from arrays import call, expected, streams

import mdbopt
from mdbopt import kernels

torch = pytest.importorskip("torch", reason="torch is not installed")

VALUES = np.array([3.0, -2.0, 1.0, 5.0, -7.0, 4.0])


def inferred(t):
    with torch.inference_mode():
        return torch._neg_view(torch.neg(t))


def as_gradient(t):
    """Let autograd make it: the imaginary part of a conjugate."""
    w = torch.ones(t.shape, dtype=t.dtype, requires_grad=True)
    slope = torch.conj(torch.complex(torch.ones_like(t), -t))
    (g,) = torch.autograd.grad(torch.complex(torch.ones_like(t), w), w, slope)
    return g


# Dense ones come from views of views; the imaginary part of a conjugate has gaps.
NEGATIVE = {
    "view": lambda t: torch._neg_view(-t),
    "parameter": lambda t: torch.nn.Parameter(torch._neg_view(-t)),
    "detached": lambda t: torch._neg_view(-t).detach(),
    "without a base": lambda t: torch._neg_view(-t).data,
    "in inference": inferred,
    "part of one": lambda t: torch._neg_view(-torch.cat([t, t]))[: t.numel()],
    "conjugate": lambda t: torch.complex(t, -t).conj().imag,
    "strided again": lambda t: (
        torch.view_as_complex(-t.reshape(-1, 2)).conj().imag.as_strided((t.numel(),), (1,), 0)
    ),
    "autograd's": as_gradient,
}
negative = pytest.mark.parametrize("kind", NEGATIVE)
DTYPES = pytest.mark.parametrize("dtype", [torch.float64, torch.float32])


def made(kind, values=VALUES, dtype=torch.float64):
    tensor = NEGATIVE[kind](torch.tensor(values, dtype=dtype))
    assert tensor.is_neg()
    assert tensor.tolist() == list(values)
    return tensor


@negative
@DTYPES
def test_a_stream_that_is_read(kind, dtype):
    x, _, b, x_trial = streams()
    call(x, made(kind, dtype=dtype), b, x_trial)
    assert np.array_equal(x_trial, expected(x, VALUES, b))


@negative
def test_a_sum(kind):
    assert kernels.dot(made(kind), VALUES).dot == VALUES @ VALUES


@negative
def test_step_sizes(kind):
    x = torch.zeros(6, dtype=torch.float64)
    kernels.sgd(x, torch.ones(6, dtype=torch.float64), lr=made(kind, VALUES**2))
    assert x.tolist() == list(-(VALUES**2))


@negative
@DTYPES
def test_a_search(kind, dtype):
    search = mdbopt.Box()
    state = search.init(made(kind), 1.0, made(kind, -VALUES, dtype))
    same = search.init(VALUES, 1.0, -VALUES)
    assert state.x.tolist() == list(VALUES)
    for given in (state, same):
        search.propose(given)
    search.judge(state, 0.5, made(kind, dtype=dtype))
    search.judge(same, 0.5, VALUES)
    for name in same:
        assert np.array_equal(state[name], same[name], equal_nan=True)


@negative
@DTYPES
def test_minimize(kind, dtype):
    def fun(x):
        return -float(VALUES @ np.asarray(x)), made(kind, -VALUES, dtype)

    options = {"maxfun": 3}
    same = mdbopt.minimize(
        lambda x: (-float(VALUES @ x), -VALUES), VALUES, jac=True, options=options
    )
    for x0 in (VALUES, made(kind)):
        result = mdbopt.minimize(fun, x0, jac=True, options=options)
        assert result.x.tolist() == same.x.tolist()
        assert result.jac.tolist() == list(-VALUES)


@pytest.mark.parametrize("kind", ["view", "conjugate", "without a base"])
def test_f_and_labels(kind):
    value = made(kind, [2.0, 4.0])[:1]
    assert value.is_neg()
    result = mdbopt.minimize(lambda x: (value, np.zeros(2)), np.ones(2), jac=True)
    assert result.fun == 2.0


@pytest.mark.parametrize(
    "kind", [kind for kind in NEGATIVE if kind not in ("conjugate", "autograd's")]
)
def test_what_is_written_is_refused_with_advice_that_works(kind):
    x, g, b, _ = streams()
    trial = made(kind)
    with pytest.raises(ValueError, match=r"box_trial: stream 'x_trial' .*resolve_neg\(\)"):
        call(x, g, b, trial)
    assert trial.tolist() == list(VALUES)
    resolved = trial.resolve_neg()
    call(x, g, b, resolved)
    assert np.array_equal(resolved.detach().numpy(), expected(x, g, b))


@pytest.mark.parametrize("kind", ["view", "parameter", "without a base", "in inference"])
def test_parameters_are_refused_with_advice_that_works(kind):
    optimizer = mdbopt.Signum(0.5)
    x, g = made(kind), torch.tensor(VALUES)
    state = optimizer.init(torch.tensor(VALUES))
    with pytest.raises(ValueError, match=r"^Signum: params .*negative bit set.*resolve_neg\(\)"):
        optimizer.step(x, g, state)
    assert state.t == 0
    assert x.tolist() == list(VALUES)
    x = x.resolve_neg()
    assert optimizer.step(x, g, state)
    assert x.tolist() == list(VALUES - 0.5 * np.sign(VALUES))


@negative
def test_gradients_of_optimizers_are_never_read_with_the_wrong_sign(kind):
    optimizer = mdbopt.SGD(0.5)
    x, g = torch.tensor(VALUES), made(kind)
    state = optimizer.init(x)
    refusal = ""
    try:
        optimizer.step(x, g, state)
    except (TypeError, ValueError) as error:
        refusal = str(error)
    if refusal:
        assert refusal.startswith("SGD: grads")
        assert state.t == 0
        optimizer.step(x, g.resolve_neg(), state)
    assert x.tolist() == list(0.5 * VALUES)


@pytest.mark.parametrize("kind", ["view", "conjugate", "without a base"])
def test_a_saved_state_means_what_it_says(kind):
    optimizer = mdbopt.Signum(0.5)
    x = torch.tensor(VALUES)
    saved = {**optimizer.init(x), "m": made(kind)}
    assert optimizer.restore(x, saved).m.tolist() == list(VALUES)


# In processes of their own, since the bit is looked for once; PyTorch is imported once for all.
ASKED = """
import os, sys, torch
from mdbopt import kernels

def asked():
    plain, negative = torch.ones(3), torch._neg_view(torch.ones(3))
    return kernels.dot(plain, plain).dot == 3.0 and kernels.dot(negative, plain).dot == -3.0

for change in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        exec(change)
        os._exit(0 if asked() else 1)
    if os.waitpid(child, 0)[1] != 0:
        raise SystemExit(change)
"""
CHANGES = [
    "del torch._C._dispatch_keys",
    "torch._C._dispatch_keys = lambda tensor: 3",
    "torch._C._dispatch_keys = lambda tensor: type('', (), {'raw_repr': lambda self: 7})()",
]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_where_the_bit_is_not_found_every_tensor_is_asked():
    run = subprocess.run(
        [sys.executable, "-c", ASKED, *CHANGES], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


def test_complex_numbers_are_refused_by_name():
    for z in (torch.ones(3, dtype=torch.complex64), torch.ones(3, dtype=torch.complex64).conj()):
        for entry in (
            lambda z=z: mdbopt.Box().init(np.ones(3), 1.0, z),
            lambda z=z: mdbopt.minimize(lambda x: (1.0, z), np.ones(3), jac=True),
            lambda z=z: kernels.norm(z),
        ):
            with pytest.raises(TypeError, match=r"^(g|jac|norm: stream 'a').*complex"):
                entry()
