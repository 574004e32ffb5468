"""Arrays of other libraries: read through DLPack, handed back in kind."""

import numpy as np
import pytest
from recorded import METHODS, quadratic

import mdbopt

CURVATURES = np.array([1.0, 4.0, 20.0])
START = [1.0, -2.0, 3.0]
DTYPES = [np.float64, np.float32]


class Boxed:
    """An array class of nobody's: DLPack and nothing else."""

    def __init__(self, array):
        self.array = np.asarray(array)

    def __dlpack__(self, **keywords):
        return self.array.__dlpack__(**keywords)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


class OldBoxed(Boxed):
    """The same from before DLPack had versions."""

    def __dlpack__(self, *, stream=None):
        return self.array.__dlpack__(stream=stream)


def reference(method, dtype, **arguments):
    return mdbopt.minimize(
        quadratic(CURVATURES), np.array(START, dtype), jac=True, method=method, **arguments
    )


@pytest.mark.parametrize("kind", [Boxed, OldBoxed])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", METHODS)
def test_any_dlpack_array_comes_in(method, dtype, kind):
    x0 = kind(np.array(START, dtype))

    def fun(x):
        f, g = quadratic(CURVATURES)(np.from_dlpack(x))
        return f, kind(g)

    result = mdbopt.minimize(fun, x0, jac=True, method=method)
    expected = reference(method, dtype)
    assert np.from_dlpack(result.x).dtype == dtype
    np.testing.assert_array_equal(np.from_dlpack(result.x), expected.x)
    np.testing.assert_array_equal(x0.array, np.array(START, dtype))


def test_an_array_that_dlpack_cannot_describe_is_refused_by_name():
    with pytest.raises(TypeError, match="x0"):
        mdbopt.minimize(quadratic(CURVATURES), Boxed(np.array(["a", "b"])), jac=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("method", METHODS)
def test_torch(method, dtype):
    torch = pytest.importorskip("torch")
    x0 = torch.tensor(START, dtype=getattr(torch, np.dtype(dtype).name), requires_grad=True)
    h = torch.tensor(CURVATURES, dtype=x0.dtype)
    seen = []

    def fun(x):
        assert isinstance(x, torch.Tensor)
        assert not x.requires_grad
        x.requires_grad_()
        seen.append(x.dtype)
        f = 0.5 * (h * x**2).sum()
        f.backward()
        return f, x.grad

    result = mdbopt.minimize(fun, x0, jac=True, method=method, options={"gtol": 1e-3})
    assert {type(result[name]) for name in ("x", "jac", "step_sizes")} == {torch.Tensor}
    assert result.x.dtype == result.jac.dtype == x0.dtype
    assert result.step_sizes.dtype == torch.float64
    assert set(seen) == {x0.dtype}
    assert result.success
    assert type(result.fun) is float
    assert x0.tolist() == START
    result.x[:] = 0  # memory of its own


def test_torch_callbacks_get_tensors():
    torch = pytest.importorskip("torch")
    h = torch.tensor(CURVATURES)
    kinds = set()

    def callback(intermediate_result):
        kinds.update(type(intermediate_result[name]) for name in ("x", "jac", "step_sizes"))

    x0 = torch.tensor(START, dtype=torch.float64)
    result = mdbopt.minimize(
        lambda x: (0.5 * float(h @ x**2), h * x),
        x0,
        jac=True,
        callback=callback,
        options={"return_all": True},
    )
    assert kinds == {torch.Tensor}
    assert {type(x) for x in result.allvecs} == {torch.Tensor}


def test_torch_ask_and_tell():
    torch = pytest.importorskip("torch")
    h = torch.tensor(CURVATURES)
    x = torch.tensor(START, dtype=torch.float64)
    search = mdbopt.Box()
    state = search.init(x, 0.5 * float(h @ x**2), h * x)
    while not search.converged(state, gtol=1e-8):
        y = search.propose(state)
        assert isinstance(y, torch.Tensor)
        search.judge(state, 0.5 * float(h @ y**2), h * y)
    assert isinstance(state.x, torch.Tensor)
    saved = search.restore(dict(state), like=x)
    assert isinstance(saved.x, torch.Tensor)
    assert saved.x.tolist() == state.x.tolist()


def test_torch_integers_become_float64():
    torch = pytest.importorskip("torch")
    result = mdbopt.minimize(
        lambda x: (float(x @ x), 2 * x), torch.tensor([3, -4]), jac=True, method="box"
    )
    assert result.x.dtype == torch.float64


def test_a_gradient_on_another_library_is_read_too():
    torch = pytest.importorskip("torch")

    def fun(x):
        f, g = quadratic(CURVATURES)(x)
        return torch.tensor(f), torch.from_numpy(g)

    result = mdbopt.minimize(fun, np.array(START), jac=True)
    np.testing.assert_array_equal(result.x, reference("guarded", np.float64).x)


@pytest.mark.parametrize("method", METHODS)
def test_jax(method):
    jax = pytest.importorskip("jax")
    h = jax.numpy.array(CURVATURES, "float32")
    x0 = jax.numpy.array(START, "float32")
    value_and_gradient = jax.value_and_grad(lambda x: 0.5 * (h * x**2).sum())
    kinds = set()

    def fun(x):
        kinds.add(type(x))
        return value_and_gradient(x)

    result = mdbopt.minimize(fun, x0, jac=True, method=method, options={"gtol": 1e-3})
    assert kinds == {type(x0)}
    assert type(result.x) is type(result.jac) is type(x0)
    assert result.x.dtype == x0.dtype
    assert result.success
    assert x0.tolist() == START
