"""What a search that is told of noise keeps: every valid step size, its state, equal bits."""

import numpy as np
import pytest
from noisy import Noisy, quadratic

import mdbopt


def coupled(size, seed):
    """Return ½xᵀHx, its valid p, and where to start."""
    draw = np.random.default_rng(seed)
    unit = 10.0 ** draw.uniform(-2, 2, size)
    half = draw.normal(size=(size, size)) * 0.3 + np.eye(size)
    hessian = (half @ half.T) / np.outer(unit, unit)

    def fun(x):
        return 0.5 * float(x @ hessian @ x), hessian @ x

    # diag(1/p) − H is diagonally dominant in these units.
    scaled = np.abs(hessian * np.outer(unit, unit)).sum(axis=1)
    return fun, unit**2 / scaled, unit * (1 + draw.uniform(size=size))


class Adversary(Noisy):
    """Noise that makes every change of the gradient look larger, and every change of f worse."""

    def __call__(self, x):
        f, g = self.fun(x)
        self.calls += 1
        sign = 1 if self.calls % 2 == 0 else -1
        largest = np.zeros(g.size)
        largest[self.calls % g.size] = 1.0
        return f + sign * self.f_error, g + sign * self.g_error * largest


def boxes(search, noisy, x0):
    """Yield the largest step sizes of the box after each judgement."""
    state = search.init(x0, *noisy(x0))
    while not search.converged(state) and state.nfev < 300:
        search.judge(state, *noisy(search.propose(state)))
        yield 2 * x0.size * state.step_sizes


@pytest.mark.parametrize("kind", [Noisy, Adversary])
@pytest.mark.parametrize("shares", [(1e-2, 1e-2), (0.0, 1e-2), (1e-2, 1e-5), (1e-5, 0.3)])
@pytest.mark.parametrize("seed", range(4))
def test_no_valid_step_size_is_ever_cut_off(seed, shares, kind):
    fun, p, x0 = coupled(8, seed)
    f, g = fun(x0)
    noise = shares[0] * f, shares[1] * np.linalg.norm(g)
    noisy = kind(fun, *noise, seed)
    box = list(boxes(mdbopt.Guarded(noise=noise, forward=1.0), noisy, x0))
    assert len(box) > 10
    assert all((b >= p * (1 - 1e-6)).all() for b in box)


def test_a_cut_has_room_for_the_error_of_its_slope():
    """Noise along the flat x_0, where the step is long, makes ⟨s, y⟩ look 0.6 of what it is."""
    error = 2e-3

    def told(x, sign):
        return 10 * x[0] + 0.5 * x[1] ** 2, np.array([10 + sign * error, x[1]])

    search = mdbopt.Guarded(noise=(0, error), forward=1.0)
    x0 = np.array([0.0, 1.0])
    state = search.init(x0, *told(x0, -1))
    trial = search.propose(state)
    assert search.judge(state, *told(trial, 1))
    largest = 2 * x0.size * state.step_sizes[1]
    assert 1 <= largest < 1.2  # and p = 1


@pytest.mark.parametrize("kind", [Noisy, Adversary])
@pytest.mark.parametrize("share", [1e-4, 1e-2, 1.0])
def test_f_is_never_more_than_four_times_its_noise_above_the_least_it_was(share, kind):
    fun, _, x0 = coupled(8, 2)
    f, g = fun(x0)
    noisy = kind(fun, share * f, share * np.linalg.norm(g))
    search = mdbopt.Guarded(noise=(noisy.f_error, noisy.g_error))
    state = search.init(x0, *noisy(x0))
    least = f
    while not search.converged(state) and state.nfev < 300:
        search.judge(state, *noisy(search.propose(state)))
        assert fun(state.x)[0] <= least + 4 * noisy.f_error
        least = min(least, fun(state.x)[0])
    assert search.converged(state)


def test_untold_the_same_noise_cuts_valid_step_sizes_off():
    fun, p, x0 = coupled(8, 0)
    f, g = fun(x0)
    noisy = Adversary(fun, 1e-2 * f, 1e-2 * np.linalg.norm(g))
    assert any((b < 0.1 * p).any() for b in boxes(mdbopt.Guarded(forward=1.0), noisy, x0))


def test_certain_cuts_still_cut():
    fun, p, x0 = coupled(8, 1)
    f, g = fun(x0)
    noise = 1e-6 * f, 1e-6 * np.linalg.norm(g)
    box = list(boxes(mdbopt.Guarded(noise=noise, forward=1.0), Noisy(fun, *noise), x0))
    assert (box[0] > 1e4 * p).any()
    assert (box[-1] < 10 * p).all()


NOISE = (0.1, 0.1)


def run(search, evaluations, dtype=np.float64):
    """Return a state after so many evaluations, and the noisy function."""
    fun, _, x0 = quadratic(40, 3, 7)
    noisy = Noisy(fun, *NOISE)
    state = search.init(x0.astype(dtype), *noisy(x0.astype(dtype)))
    go_on(search, state, noisy, evaluations)
    return state, noisy


def go_on(search, state, noisy, evaluations):
    for _ in range(evaluations):
        if not search.converged(state):
            search.judge(state, *noisy(search.propose(state)))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_state_goes_on_to_the_same_bits(dtype):
    search = mdbopt.Guarded(noise=NOISE)
    state, noisy = run(search, 25, dtype)
    restored = search.restore(dict(state))
    assert restored == state
    noise_again = Noisy(noisy.fun, *NOISE)
    noise_again.draw.bit_generator.state = noisy.draw.bit_generator.state
    go_on(search, state, noisy, 300)
    go_on(search, restored, noise_again, 300)
    assert state == restored
    assert state.status == 4
    assert search.restore(dict(state)).status == 4


def test_a_state_of_other_noise_is_refused():
    saved = dict(run(mdbopt.Guarded(noise=NOISE), 10)[0])
    with pytest.raises(ValueError, match=r"state: 'method' is .* expected the mark of 'guarded'"):
        mdbopt.Guarded().restore(saved)
    with pytest.raises(ValueError, match=r"state: 'noise_g' is 0.1, expected 0.2"):
        mdbopt.Guarded(noise=(0.1, 0.2)).restore(saved)
    with pytest.raises(ValueError, match=r"state: 'fallen_scaled' is -1.0, expected"):
        mdbopt.Guarded(noise=NOISE).restore({**saved, "fallen_scaled": -1.0})


@pytest.mark.parametrize("power", [-300, 40, 300])
def test_units_of_f_change_no_bit(power):
    unit = 2.0**power
    plain, _ = run(mdbopt.Guarded(noise=NOISE), 300)
    fun, _, x0 = quadratic(40, 3, 7)
    noisy = Noisy(fun, *NOISE)

    def scaled(x):
        f, g = noisy(x)
        return unit * f, unit * g

    search = mdbopt.Guarded(noise=(unit * NOISE[0], unit * NOISE[1]))
    state = search.init(x0, *scaled(x0))
    go_on(search, state, scaled, 300)
    np.testing.assert_array_equal(state.x, plain.x)
    assert (state.status, state.nfev) == (plain.status, plain.nfev)


@pytest.mark.parametrize("threads", [1, 2])
def test_equal_bits_on_every_instruction_set_and_number_of_threads(threads):
    first, _ = run(mdbopt.Guarded(noise=NOISE, backend="baseline", threads=1), 300)
    for backend in mdbopt.backends():
        if backend.supported:
            search = mdbopt.Guarded(noise=NOISE, backend=backend.name, threads=threads)
            np.testing.assert_array_equal(run(search, 300)[0].x, first.x)


def test_options_compare_and_print():
    search = mdbopt.Guarded(noise=1)
    assert search.noise == (1.0, 0.0)
    assert search == mdbopt.Guarded(noise=[1, 0])
    assert search != mdbopt.Guarded()
    assert "noise=(1.0, 0.0)" in repr(search)
    assert mdbopt.Guarded(noise=(0, 0)) == mdbopt.Guarded()
