"""Bounds and penalties of searches, for all tensors or for each: the paths of `mdbopt`'s own."""

import io
import math

import numpy as np
import pytest
import torch
from torch_cases import SEARCHES, make

import mdbopt

search = pytest.mark.parametrize("name", SEARCHES)
OPTIONS = {"Ellipsoid": {"candidate": "plain"}}
STEP = {"max_iter": 3, "tolerance_grad": 0.0, "tolerance_change": 0.0}
LOWER, UPPER = torch.tensor([0.0, -0.3]), torch.tensor([[0.2], [0.4]])
H = torch.linspace(0.1, 4.0, 6, dtype=torch.float64)
C = torch.tensor([1.0, -2.0, 0.5, 3.0, -0.2, 0.7], dtype=torch.float64)

BOUNDS = {
    "for all": ((-0.1, 0.4), [(-0.1, 0.4)]),
    "half": ((torch.tensor(0.0), None), [(0.0, None)]),
    "of each": (
        [(LOWER, None), (None, UPPER)],
        [(0.0, None), (-0.3, None), (None, 0.2), (None, 0.2), (None, 0.4), (None, 0.4)],
    ),
    "of one": ([None, (-0.5, 0.5)], [(None, None)] * 2 + [(-0.5, 0.5)] * 4),
}
# float32, as the tensors are.
BOUNDS["of each"] = (
    BOUNDS["of each"][0],
    [
        tuple(None if b is None else float(np.float32(b)) for b in pair)
        for pair in BOUNDS["of each"][1]
    ],
)
PENALTIES = {
    "for all": (0.3, 0.3),
    "of one": ([0.25, 0.0], [0.25, 0.25, 0.0, 0.0, 0.0, 0.0]),
    "of columns": (torch.tensor([0.5, 0.25]), [0.5, 0.25] * 3),
}


def start(dtype=torch.float64):
    whole = torch.full((6,), 0.1, dtype=dtype)
    return [whole[:2].clone().requires_grad_(), whole[2:].view(2, 2).clone().requires_grad_()]


def closure_of(optimizer, params, calls=None, sign=1.0):
    def closure():
        optimizer.zero_grad()
        z = torch.cat([p.flatten() for p in params])
        loss = sign * (H.to(z) @ (z - C.to(z)) ** 2)
        loss.backward()
        if calls is not None:
            calls.append(float(loss.detach()))
        return loss

    return closure


def flat(params):
    return torch.cat([p.detach().flatten() for p in params]).numpy()


def theirs(name, evaluations, dtype, **options):
    """Evaluate as often as a search of NumPy's arrays; give where it is."""
    ours = getattr(mdbopt, name)(**OPTIONS.get(name, {}), **options)
    h, c = (each.numpy().astype(dtype) for each in (H, C))

    def evaluate(z):
        d = torch.from_numpy(z.astype(dtype)).requires_grad_()
        loss = torch.from_numpy(h) @ (d - torch.from_numpy(c)) ** 2
        loss.backward()
        return float(loss.detach()), d.grad.numpy()

    x = np.full(6, 0.1, dtype)
    state = ours.init(x, *evaluate(x))
    for _ in range(evaluations - 1):
        ours.judge(state, *evaluate(ours.propose(state)))
    return state


@search
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("case", BOUNDS)
def test_the_path_is_that_of_the_bounded_search(name, case, dtype):
    bounds, rows = BOUNDS[case]
    params, calls = start(dtype), []
    optimizer = make(name, params, bounds=bounds, **STEP, **OPTIONS.get(name, {}))
    closure = closure_of(optimizer, params, calls)
    for _ in range(4):
        optimizer.step(closure)
    np_dtype = np.float64 if dtype == torch.float64 else np.float32
    state = theirs(name, len(calls), np_dtype, bounds=rows)
    assert np.array_equal(flat(params), state.x)
    sides = np.array(rows, dtype=float).T
    lower, upper = np.nan_to_num(sides[0], nan=-np.inf), np.nan_to_num(sides[1], nan=np.inf)
    assert (flat(params) >= lower).all()
    assert (flat(params) <= upper).all()


@search
@pytest.mark.parametrize("case", PENALTIES)
def test_the_path_is_that_of_the_penalised_search(name, case):
    l1, numbers = PENALTIES[case]
    params, calls = start(), []
    optimizer = make(name, params, l1=l1, **STEP, **OPTIONS.get(name, {}))
    closure = closure_of(optimizer, params, calls)
    losses = [float(optimizer.step(closure)) for _ in range(4)]
    state = theirs(name, len(calls), np.float64, l1=numbers)
    assert np.array_equal(flat(params), state.x)
    assert set(losses) <= set(calls)  # without the penalty
    assert state.f > losses[-1]


def test_a_penalty_and_bounds_have_their_minimum():
    params = start()
    optimizer = make(
        "Guarded", params, l1=1.0, bounds=(0.0, 1.0), max_iter=200, tolerance_change=0.0
    )
    optimizer.step(closure_of(optimizer, params))
    h, c = H.numpy(), C.numpy()
    expected = np.clip(c - 1.0 / (2.0 * h), 0.0, 1.0)  # where it is positive
    assert np.allclose(flat(params), expected, atol=1e-7)
    assert (flat(params) == 0.0).sum() == 3


@pytest.mark.parametrize("options", [{"l1": 0.3}, {"bounds": (0.0, 0.5)}])
def test_an_evaluation_at_each_start_begins_nothing_anew(options):
    one, other = start(), start()
    options = {**options, **STEP, "max_eval": 100}
    first, second = make("Box", one, reevaluate=True, **options), make("Box", other, **options)
    closures = closure_of(first, one), closure_of(second, other)
    for _ in range(4):
        first.step(closures[0])
        second.step(closures[1])
    assert np.array_equal(flat(one), flat(other))
    assert first.state[one[0]]["n_iter"] == second.state[other[0]]["n_iter"] > 4


def test_maximize_subtracts_the_penalty():
    up, down = start(), start()
    climbs = make("Box", up, l1=0.3, maximize=True, max_iter=30)
    descends = make("Box", down, l1=0.3, max_iter=30)
    climbs.step(closure_of(climbs, up, sign=-1.0))
    descends.step(closure_of(descends, down))
    assert np.array_equal(flat(up), flat(down))


@search
@pytest.mark.parametrize("options", [{"l1": 0.3}, {"bounds": (0.0, 0.5)}])
def test_saved_searches_go_on(name, options):
    one, other = start(), start()
    # The one evaluation more, of the first step after loading, is not to end that step.
    options = {**options, **STEP, "max_eval": 100, **OPTIONS.get(name, {})}
    first, second = (make(name, params, **options) for params in (one, other))
    closures = closure_of(first, one), closure_of(second, other)
    for _ in range(2):
        first.step(closures[0])
        second.step(closures[1])
    buffer = io.BytesIO()
    torch.save(first.state_dict(), buffer)
    buffer.seek(0)
    fresh = make(name, one, **options)
    fresh.load_state_dict(torch.load(buffer, weights_only=True))
    resumed = closure_of(fresh, one)
    for _ in range(3):
        fresh.step(resumed)
        second.step(closures[1])
    assert np.array_equal(flat(one), flat(other))
    # Nothing began anew: as many moves, counted from the first step on.
    assert fresh.state[one[0]]["n_iter"] == second.state[other[0]]["n_iter"]


def test_a_search_that_is_saved_after_its_closure_raised_goes_on():
    params = start()
    options = {"l1": 0.3, **STEP, "max_eval": 100}
    optimizer = make("Guarded", params, **options)
    closure = closure_of(optimizer, params)
    calls = []

    def lost():
        calls.append(None)
        if len(calls) == 3:
            raise KeyError("lost")
        return closure()

    with pytest.raises(KeyError):
        optimizer.step(lost)
    saved = optimizer.state_dict()
    fresh = make("Guarded", params, **options)
    fresh.load_state_dict(saved)
    fresh.step(closure_of(fresh, params))
    # One move before, and three.
    assert fresh.state[params[0]]["n_iter"] == 4


def test_the_state_holds_tensors_of_bounds():
    params = start()
    optimizer = make("Guarded", params, bounds=[(LOWER, None), None], l1=[LOWER.abs(), 0.0])
    optimizer.step(closure_of(optimizer, params))
    fresh = make("Guarded", params)
    fresh.load_state_dict(optimizer.state_dict())
    assert torch.equal(fresh.param_groups[0]["bounds"][0][0], LOWER)
    assert torch.equal(fresh.param_groups[0]["l1"][0], LOWER.abs())


def test_parts_of_a_way_stay_inside():
    for lr in (0.5, 1.7):
        params = start(torch.float32)
        optimizer = make("Guarded", params, lr=lr, bounds=(-0.1, 0.3))
        for _ in range(5):
            optimizer.step(closure_of(optimizer, params))
            assert (flat(params) <= np.float32(0.3)).all()
            assert (flat(params) >= np.float32(-0.1)).all()


def test_a_start_outside_is_clipped_with_a_warning():
    params = start()
    optimizer = make("Guarded", params, bounds=(0.2, None), max_iter=1)
    with pytest.warns(
        UserWarning, match="Guarded: params: expected a point within the bounds, got 0.1"
    ):
        optimizer.step(closure_of(optimizer, params))
    assert (flat(params) >= 0.2).all()


def test_other_constraints_begin_a_new_search():
    params, calls = start(), []
    optimizer = make("Guarded", params, bounds=(0.0, None), **STEP)
    closure = closure_of(optimizer, params, calls)
    optimizer.step(closure)
    optimizer.param_groups[0]["bounds"] = (0.0, 0.2)
    with pytest.warns(UserWarning, match="clipped"):
        optimizer.step(closure)
    assert flat(params).max() <= 0.2


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"bounds": 3}, TypeError, r"bounds of params\[0\]: expected a pair \(lower, upper\), or"),
        ({"bounds": (0.0,)}, TypeError, r"bounds: expected a pair \(lower, upper\)"),
        ({"bounds": [(0.0, 1.0)]}, ValueError, "bounds: expected a list with one entry"),
        ({"bounds": [None, [0.0, 1.0]]}, TypeError, r"bounds of params\[1\]: expected a pair"),
        ({"bounds": (1.0, 0.0)}, ValueError, "Guarded: bounds: expected lower <= upper"),
        ({"bounds": [None, (1.0, 0.0)]}, ValueError, r"params\[1\]: bounds: expected lower"),
        ({"bounds": (math.nan, None)}, ValueError, "bounds: expected lower <= upper, none"),
        ({"bounds": ("0", None)}, TypeError, "Guarded: bounds: expected a number or a tensor, got"),
        ({"bounds": [("0", None), None]}, TypeError, r"bounds of params\[0\]: expected a number"),
        (
            {"bounds": (torch.zeros(3), None)},
            ValueError,
            r"bounds of params\[0\]: expected a shape that broadcasts to \(2,\), got \(3,\)",
        ),
        ({"l1": -1.0}, ValueError, "l1: expected a finite number >= 0"),
        ({"l1": "1"}, TypeError, "l1: expected a"),
        ({"l1": [1.0]}, ValueError, "l1: expected a list with one entry for each of 2"),
        ({"l1": [1.0, math.inf]}, ValueError, r"params\[1\]: l1: expected finite numbers >= 0"),
        ({"l1": [None, 1.0]}, TypeError, r"l1 of params\[0\]: expected a number or a"),
        ({"l1": torch.ones(5)}, ValueError, r"l1 of params\[0\]: expected a shape that broadcasts"),
    ],
)  # fmt: skip
def test_refused(options, kind, message):
    with pytest.raises(kind, match=message):
        make("Guarded", start(), **options)


def test_what_a_search_cannot_do_within_bounds_is_refused_before_a_step():
    params = start()
    optimizer = make("Guarded", params, bounds=(0.0, None), cut="hypergradient")
    before = flat(params).copy()
    with pytest.raises(ValueError, match="cut"):
        optimizer.step(closure_of(optimizer, params))
    assert np.array_equal(flat(params), before)
