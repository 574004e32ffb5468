"""Arrays cut over threads that meet by a reducer: the path of the whole, and how they end."""

import dataclasses
import itertools
import re
import threading

import numpy as np
import pytest
from reference_half import nearest

import mdbopt
from mdbopt import _core
from mdbopt.distributed import merge

CHUNK = 1024
CURVATURES = np.exp(2.0 * np.random.default_rng(0).normal(size=5000))
START = np.random.default_rng(1).normal(size=5000)


def objective(x):
    """A convex function of `START`'s size that is no quadratic, with its gradient."""
    x = x.astype(np.float64)
    root = np.sqrt(1.0 + x**2)
    return float(CURVATURES @ (root - 1.0)), CURVATURES * x / root


class Meeting:
    """Shards in threads; `reducer` is what one of them is given."""

    def __init__(self, shards):
        self._given = [None] * shards
        self._barrier = threading.Barrier(shards, timeout=20)

    def exchange(self, shard, mine):
        self._given[shard] = mine
        self._barrier.wait()
        everything = list(self._given)
        self._barrier.wait()
        return everything

    def reducer(self, shard):
        return lambda values: np.array(self.exchange(shard, values.copy()))


def together(shards, body):
    """Run ``body(shard, meeting)`` in a thread for each shard; give what it returned or raised."""
    meeting = Meeting(shards)
    ends = [None] * shards

    def run(shard):
        try:
            ends[shard] = body(shard, meeting)
        except Exception as error:
            ends[shard] = error

    threads = [threading.Thread(target=run, args=(shard,)) for shard in range(shards)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ends


def unless_raised(ends):
    """Give what shards ended with; raise what one of them raised."""
    for end in ends:
        if isinstance(end, Exception):
            raise end
    return ends


def pieces(cuts):
    return list(itertools.pairwise([0, *cuts, START.size]))


def sharded(cuts, dtype=np.float64, groups=None, l1=None, bounds=None, *, method, **options):
    """Minimise over shards, which exchange their points to evaluate the whole objective."""
    ends = pieces(cuts)

    def body(shard, meeting):
        first, last = ends[shard]

        def fun(x):
            f, g = objective(np.concatenate(meeting.exchange(shard, x.copy())))
            return f, g[first:last].astype(dtype)

        own = {} if groups is None else {"groups": groups[first:last]}
        return mdbopt.minimize(
            fun,
            START[first:last].astype(dtype),
            method=method,
            jac=True,
            l1=None if l1 is None else l1[first:last],
            bounds=None if bounds is None else bounds[first:last],
            options={**options, **own},
            reducer=meeting.reducer(shard),
        )

    return unless_raised(together(len(ends), body))


def whole(dtype=np.float64, l1=None, bounds=None, *, method, **options):
    def fun(x):
        f, g = objective(x)
        return f, g.astype(dtype)

    x0 = START.astype(dtype)
    return mdbopt.minimize(fun, x0, method=method, jac=True, l1=l1, bounds=bounds, options=options)


PATHS = {
    "box": {"method": "box"},
    "box, hypergradient": {"method": "box", "cut": "hypergradient"},
    "box, first set": {"method": "box", "initial_scale": 1e-3},
    "simplex": {"method": "simplex"},
    "ellipsoid": {"method": "ellipsoid"},
    "ellipsoid, plain": {"method": "ellipsoid", "candidate": "plain"},
    "ellipsoid, refined": {"method": "ellipsoid", "refine": 2},
    "backtracking": {"method": "backtracking"},
    "guarded": {"method": "guarded"},
    "guarded, hypergradient": {"method": "guarded", "cut": "hypergradient"},
    "guarded, heavy ball": {"method": "guarded", "proposer": "heavy-ball"},
    "guarded, nesterov": {"method": "guarded", "proposer": "nesterov"},
    "guarded, cg": {"method": "guarded", "proposer": "cg"},
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("path", PATHS)
def test_shards_at_chunks_take_the_path_of_the_whole(path, dtype):
    options = {**PATHS[path], "maxfun": 60, "gtol": 0.0}
    alone = whole(dtype, **options)
    for cuts in ([2 * CHUNK], [CHUNK, CHUNK, 3 * CHUNK, START.size]):
        results = sharded(cuts, dtype, **options)
        assert np.array_equal(np.concatenate([r.x for r in results]), alone.x)
        assert np.array_equal(np.concatenate([r.step_sizes for r in results]), alone.step_sizes)
        for result in results:
            assert (result.fun, result.nfev, result.ncut) == (alone.fun, alone.nfev, alone.ncut)
            assert np.array_equal(result.trace["gmax"], alone.trace["gmax"])


@pytest.mark.parametrize("path", PATHS)
def test_shards_anywhere_decide_alike(path):
    options = {**PATHS[path], "maxfun": 60, "gtol": 0.0}
    alone = whole(**options)
    first, *others = sharded([700, 3001], **options)
    for other in others:
        for name in ("f", "gmax", "accepted", "ncut"):
            assert np.array_equal(other.trace[name], first.trace[name])
    assert first.fun == pytest.approx(alone.fun, rel=1e-3)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("method", ["box", "backtracking", "guarded"])
def test_a_penalty_may_be_zero_on_a_shard(method, dtype):
    l1 = np.where(np.arange(START.size) < 2 * CHUNK, 0.0, 0.5)
    options = {"l1": l1, "method": method, "maxfun": 60, "gtol": 0.0}
    alone = whole(dtype, **options)
    assert (alone.x == 0).sum() > 100
    for cuts in ([2 * CHUNK], [CHUNK, 3 * CHUNK], [0, 3 * CHUNK, START.size]):
        alike(sharded(cuts, dtype, **options), alone)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("method", ["box", "backtracking", "guarded"])
def test_bounds_may_be_infinite_on_a_shard(method, dtype):
    inside = np.abs(np.arange(START.size) - START.size / 2) < CHUNK
    upper = np.where(inside, START + 0.01, np.inf)
    bounds = np.stack([np.full(START.size, -np.inf), upper], axis=1)
    options = {"bounds": bounds, "method": method, "maxfun": 60, "gtol": 0.0}
    alone = whole(dtype, **options)
    assert np.count_nonzero(alone.active) > 100
    for cuts in ([CHUNK], [CHUNK, 3 * CHUNK], [0, 3 * CHUNK, START.size]):
        results = sharded(cuts, dtype, **options)
        alike(results, alone)
        assert np.array_equal(np.concatenate([r.active for r in results]), alone.active)


@pytest.mark.parametrize("method", ["box", "guarded"])
def test_bounds_and_a_penalty_that_are_none_on_all_shards_are_none(method):
    options = {"method": method, "maxfun": 60, "gtol": 0.0}
    alone = whole(**options)
    infinite = np.tile([-np.inf, np.inf], (START.size, 1))
    none = {"bounds": infinite, "l1": np.zeros(START.size)}
    alike(sharded([CHUNK, START.size], **none, **options), alone)


def test_a_search_over_an_empty_piece_takes_its_bounds_and_penalty():
    state = mdbopt.Guarded(l1=np.zeros(0), bounds=np.zeros((0, 2)), reducer=lambda v: v[None])
    assert state.l1.shape == (0,)
    for words in ({"l1": np.zeros(0)}, {"l1": np.zeros(0), "reducer": None}):
        with pytest.raises(ValueError, match="l1: expected a number or one for each variable"):
            mdbopt.Guarded(**words)


def alike(results, alone):
    """Check that shards have taken the path of the whole."""
    assert np.array_equal(np.concatenate([r.x for r in results]), alone.x)
    for result in results:
        assert np.array_equal(result.trace["f"], alone.trace["f"])
        assert np.array_equal(result.trace["gmax"], alone.trace["gmax"])
        assert result.fun == alone.fun


@pytest.mark.parametrize("method", ["box", "simplex", "ellipsoid", "guarded"])
def test_a_group_may_lie_in_one_shard_or_in_several(method):
    options = {"method": method, "maxfun": 60, "gtol": 0.0}
    apart = np.arange(START.size) // (CHUNK // 2) - 3
    alone = whole(groups=apart, **options)
    results = sharded([2 * CHUNK, 3 * CHUNK], groups=apart, **options)
    assert np.array_equal(np.concatenate([r.x for r in results]), alone.x)
    mixed = np.arange(START.size) % 7 - 2**62
    alone = whole(groups=mixed, **options)
    first, second = sharded([2 * CHUNK], groups=mixed, **options)
    assert first.fun == pytest.approx(alone.fun, rel=1e-6)
    assert first.trace["f"].tolist() == second.trace["f"].tolist()
    sizes = np.concatenate([first.step_sizes, second.step_sizes])
    assert np.unique(sizes).size == 7


def judgements(method, **options):
    """Give for each judgement whether it was accepted, its messages and the bytes of one."""

    def body(shard, meeting):
        first, last = pieces([2 * CHUNK])[shard]
        search = getattr(mdbopt, method)(reducer=meeting.reducer(shard), **options)
        x = START[first:last]
        f, g = objective(START)
        state = search.init(x, f, g[first:last])
        counted = []
        for _ in range(100):
            y = np.concatenate(meeting.exchange(shard, search.propose(state)))
            f, g = objective(y)
            _core.take_reductions()
            moved = search.judge(state, f, g[first:last])
            messages, size = _core.take_reductions()
            counted.append((moved, messages, size // messages))
        return counted

    first, second = together(2, body)
    assert first == second
    return first


def test_a_judgement_of_a_box_takes_three_messages_at_most():
    counted = judgements("Box", initial_scale=1.0)
    assert {moved for moved, *_ in counted} == {True, False}
    assert {messages for moved, messages, _ in counted if moved} == {1}
    assert {messages for moved, messages, _ in counted if not moved} == {2}
    assert max(size for *_, size in counted) <= 4096


def test_a_judgement_of_guarded_takes_five_messages_at_most():
    counted = judgements("Guarded", memory=10)
    assert {messages for _, messages, _ in counted} <= {3, 4, 5}
    assert max(size for *_, size in counted) <= 4096


def test_without_a_reducer_nothing_is_given():
    _core.take_reductions()
    whole(method="guarded", maxfun=20)
    assert _core.take_reductions() == (0, 0)


# --- updates -------------------------------------------------------------------------------------
FINISH = {"max_update": 0.5, "l1": 0.3, "average": 0.9}
HELD_BACK = {
    "cautious": "mask",
    "cautious_weight_decay": True,
    "decoupled": True,
    "weight_decay": 0.4,
}
OPTIMIZERS = {
    "AdamW, bounded": (mdbopt.AdamW(lr=0.1), {"max_norm": 1.0}),
    "AdamW, finished": (mdbopt.AdamW(lr=0.1, **FINISH), {}),
    "NAdam, held back": (mdbopt.NAdam(lr=0.1, **HELD_BACK, **FINISH), {"max_norm": 1.0}),
    "Signum, held back": (mdbopt.Signum(lr=0.1, **HELD_BACK), {}),
    "NormalizedGD, finished": (mdbopt.NormalizedGD(lr=0.1, momentum=0.5, **FINISH), {}),
    "NovoGrad, finished": (mdbopt.NovoGrad(lr=0.1, **FINISH), {}),
    "Lion": (mdbopt.Lion(lr=0.1), {}),
    "NormalizedGD": (mdbopt.NormalizedGD(lr=0.1, momentum=0.5), {}),
    "AdaGradNorm": (mdbopt.AdaGradNorm(lr=0.1), {}),
    "HypergradientAdam": (mdbopt.HypergradientAdam(lr=0.1), {}),
    "OSGM": (mdbopt.OSGM(lr=0.1), {}),
    "NormalizedGD, per array": (mdbopt.NormalizedGD(lr=0.1, per_array=True), {}),
    "LAMB, bounded": (mdbopt.LAMB(lr=0.1), {"max_norm": 1.0}),
    "StableAdamW": (mdbopt.StableAdamW(lr=0.1), {}),
    "MARSLion": (mdbopt.MARSLion(lr=0.1), {}),
}


def steps(optimizer, params, gradients, **options):
    """Take steps; give the parameters and arrays by name, and all that shards have in common."""
    state = optimizer.init(params)
    returned = [optimizer.step(params, grads, state, **options) for grads in gradients]
    arrays = {f"params[{k}]": x for k, x in enumerate(params)}
    arrays.update((name, value) for name, value in state.items() if name.endswith("]"))
    common = {name: np.asarray(state[name]).tolist() for name in state if name not in arrays}
    return arrays, {**common, "returned": returned}


def pieces_of(arrays, cuts, shard):
    return [x[cut[shard] : cut[shard + 1]].copy() for x, cut in zip(arrays, cuts, strict=True)]


def same_on(optimizer, meeting, shard):
    """Make the same optimizer on a shard."""
    return dataclasses.replace(optimizer, reducer=meeting.reducer(shard))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_update_of_shards_is_that_of_the_whole(name):
    optimizer, options = OPTIMIZERS[name]
    rng = np.random.default_rng(2)
    shapes = [5000, 700, 3 * CHUNK]
    start = [rng.normal(size=n) for n in shapes]
    gradients = [[rng.normal(size=n) for n in shapes] for _ in range(5)]
    alone, common = steps(optimizer, [x.copy() for x in start], gradients, **options)
    cuts = [[0, 2 * CHUNK, 5000], [0, 700, 700], [0, CHUNK, 3 * CHUNK]]

    def body(shard, meeting):
        own = [pieces_of(grads, cuts, shard) for grads in gradients]
        here = same_on(optimizer, meeting, shard)
        return steps(here, pieces_of(start, cuts, shard), own, **options)

    ends = unless_raised(together(2, body))
    assert all(end[1] == common and end[0].keys() == alone.keys() for end in ends)
    for each, whole in alone.items():
        assert np.array_equal(np.concatenate([end[0][each] for end in ends]), whole)


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
def test_an_average_of_shards_is_shown_and_saved_as_that_of_the_whole(dtype):
    """And halves are rounded at random as in one process."""
    half = dtype if dtype in ("bfloat16", "float16") else None
    optimizer = mdbopt.LaProp(lr=0.1, rounding="stochastic", seed=3, **HELD_BACK, **FINISH)
    rng = np.random.default_rng(4)

    def drawn():
        x = rng.normal(size=5000)
        return nearest(x.astype(np.float32), half) if half else x.astype(dtype)

    start, gradients = drawn(), [drawn() for _ in range(4)]

    def run(here, own):
        x = start[own].copy()
        state = here.init(x, dtype=half)
        for g in gradients:
            here.step(x, g[own], state)
        stepped = x.copy()
        here.eval(x, state)
        shown, saved = x.copy(), dict(state)
        here.train(x, state)
        assert np.array_equal(x, stepped)
        return {**saved, "stepped": stepped, "shown": shown}

    alone = run(optimizer, slice(None))
    assert not np.array_equal(alone["stepped"], alone["shown"])
    cuts = [slice(0, 2 * CHUNK), slice(2 * CHUNK, None)]
    ends = together(2, lambda k, meeting: run(same_on(optimizer, meeting, k), cuts[k]))
    merged = merge(unless_raised(ends))
    assert merged.keys() == alone.keys()
    assert all(np.array_equal(merged[name], value) for name, value in alone.items())


@pytest.mark.parametrize("shards", [2, 3])
def test_arrays_cut_anywhere_have_their_own_sums(shards):
    """Where no chunk begins, sums are rounded in another order, by the last digits."""
    rng = np.random.default_rng(3)
    shapes = [5000, 7, 2 * CHUNK, 1]
    start = [rng.normal(size=n) for n in shapes]
    gradients = [[rng.normal(size=n) for n in shapes] for _ in range(5)]
    cuts = [[n * k // shards for k in range(shards + 1)] for n in shapes]
    alone, _ = steps(mdbopt.LAMB(lr=0.1), [x.copy() for x in start], gradients)

    def body(shard, meeting):
        own = [pieces_of(grads, cuts, shard) for grads in gradients]
        optimizer = mdbopt.LAMB(lr=0.1, reducer=meeting.reducer(shard))
        return steps(optimizer, pieces_of(start, cuts, shard), own)

    ends = unless_raised(together(shards, body))
    for name, x in alone.items():
        whole = np.concatenate([end[0][name] for end in ends])
        np.testing.assert_allclose(whole, x, rtol=1e-13, atol=1e-15)


def test_sums_of_each_array_take_one_message():
    def body(shard, meeting):
        optimizer = mdbopt.LAMB(reducer=meeting.reducer(shard))
        params = [np.full(n, 1.0) for n in (3000, 5, *[70] * 60)]
        state = optimizer.init(params)
        optimizer.step(params, [x.copy() for x in params], state)
        _core.take_reductions()
        optimizer.step(params, [x.copy() for x in params], state)
        return _core.take_reductions()[0]

    assert together(2, body) == [1, 1]


def test_an_update_without_sums_meets_once():
    def body(shard, meeting):
        optimizer = mdbopt.AdamW(reducer=meeting.reducer(shard))
        x = np.ones(10)
        state = optimizer.init(x)
        optimizer.step(x, x.copy(), state)
        _core.take_reductions()
        optimizer.step(x, x.copy(), state)
        return _core.take_reductions()

    assert together(2, body) == [(0, 0), (0, 0)]


# --- what does not fit, and what fails -----------------------------------------------------------
def errors(shards, body):
    ends = together(shards, body)
    assert all(isinstance(end, Exception) for end in ends), ends
    return [(type(end), str(end)) for end in ends]


DISAGREEING = {
    "gamma": ({"gamma": 0.5}, {"gamma": 0.25}, "gamma: .*got 0.5 on shard 0 and 0.25 on shard 1"),
    "forward": ({"forward": 1.5}, {}, "forward: .*got 1.5 on shard 0 and 1.1.* on shard 1"),
    "cut": ({"cut": "hypergradient"}, {}, "cut: expected the same on every shard"),
    "memory": ({"memory": 5}, {"memory": 6}, "memory: .*got 5 on shard 0 and 6 on shard 1"),
    "l1": ({"l1": 0.5}, {}, "l1: expected the same on every shard"),
    "proposer": ({"proposer": "cg"}, {}, "proposer: expected the same on every shard"),
}


@pytest.mark.parametrize("name", DISAGREEING)
def test_options_that_differ_are_refused_on_every_shard(name):
    *options, message = DISAGREEING[name]

    def body(shard, meeting):
        search = mdbopt.Guarded(reducer=meeting.reducer(shard), **options[shard])
        search.init(np.ones(5), 1.0, np.ones(5))

    for kind, text in errors(2, body):
        assert kind is RuntimeError
        assert re.search(message, text), text


def test_methods_dtypes_and_values_that_differ_are_refused_on_every_shard():
    def methods(shard, meeting):
        search = [mdbopt.Box, mdbopt.Guarded][shard](reducer=meeting.reducer(shard))
        search.init(np.ones(5), 1.0, np.ones(5))

    def dtypes(shard, meeting):
        x = np.ones(5, [np.float32, np.float64][shard])
        mdbopt.Box(reducer=meeting.reducer(shard)).init(x, 1.0, x)

    def values(shard, meeting):
        mdbopt.Box(reducer=meeting.reducer(shard)).init(np.ones(5), 1.0 + shard, np.ones(5))

    def later_values(shard, meeting):
        search = mdbopt.Box(reducer=meeting.reducer(shard))
        state = search.init(np.ones(5), 1.0, np.ones(5))
        search.propose(state)
        search.judge(state, 0.5 + shard, np.ones(5))

    for body, name in [
        (methods, "method"),
        (dtypes, "x: dtype"),
        (values, "f"),
        (later_values, "f"),
    ]:
        for kind, text in errors(2, body):
            assert kind is RuntimeError
            assert text.startswith(f"{name}: expected the same on every shard, got "), text


# What two shards have, and how they are told of it.
UNLIKE = {
    "beta1": ((0.5, 0.625), ("0.5", "0.625")),
    "max_update": ((2.0, 1.0), ("2", "1")),
    "l1": ((0.0, 0.25), ("0", "0.25")),
    "average": ((0.5, 0.75), ("0.5", "0.75")),
    "cautious": ((None, "mask"), ("0", "1")),
    "cautious_weight_decay": ((True, False), ("1", "0")),
}


@pytest.mark.parametrize("name", UNLIKE)
def test_hyperparameters_that_differ_are_refused_before_anything_is_written(name):
    values, (first, second) = UNLIKE[name]

    def body(shard, meeting):
        options = {name: values[shard], "decoupled": True}
        optimizer = mdbopt.NAdam(reducer=meeting.reducer(shard), **options)
        x = np.ones(5)
        try:
            optimizer.step(x, np.ones(5), optimizer.init(x))
        finally:
            assert (x == 1.0).all()

    for kind, text in errors(2, body):
        assert kind is RuntimeError
        assert text == (
            f"{name}: expected the same on every shard, got {first} on shard 0 and {second} on "
            "shard 1"
        )


def test_no_element_at_all_is_refused_on_every_shard():
    def body(shard, meeting):
        mdbopt.Box(reducer=meeting.reducer(shard)).init(np.empty(0), 1.0, np.empty(0))

    assert errors(2, body) == [(ValueError, "x: expected at least one element, got none")] * 2


def test_what_fails_on_one_shard_ends_the_others_with_its_error():
    def objective_raises(shard, meeting):
        calls = []

        def fun(x):
            calls.append(None)
            if shard == 1 and len(calls) == 3:
                raise KeyError("lost")
            return float(x @ x), 2.0 * x

        mdbopt.minimize(fun, np.ones(3), jac=True, reducer=meeting.reducer(shard))

    def start_is_bad(shard, meeting):
        x0 = np.full(3, [1.0, np.nan][shard])
        mdbopt.minimize(lambda x: (1.0, x), x0, jac=True, reducer=meeting.reducer(shard))

    def gradient_is_bad(shard, meeting):
        search = mdbopt.Guarded(reducer=meeting.reducer(shard))
        state = search.init(np.ones(3), 1.0, np.ones(3))
        search.propose(state)
        search.judge(state, 0.5, np.ones(3 + shard))

    def value_is_bad(shard, meeting):
        search = mdbopt.Guarded(reducer=meeting.reducer(shard))
        state = search.init(np.ones(3), 1.0, np.ones(3))
        search.propose(state)
        search.judge(state, [0.5, "a"][shard], np.ones(3))

    def step_is_bad(shard, meeting):
        optimizer = mdbopt.NormalizedGD(reducer=meeting.reducer(shard))
        x = np.ones(3)
        state = optimizer.init(x)
        optimizer.step(x, np.ones(3), state)
        optimizer.step(x, np.ones(3 + shard), state)

    for body, kind, words in [
        (objective_raises, KeyError, "lost"),
        (start_is_bad, ValueError, "x0: expected finite numbers, got NaN or inf"),
        (gradient_is_bad, ValueError, "g: expected 3 elements (as x), got 4"),
        (value_is_bad, TypeError, "f: expected a real number"),
        (step_is_bad, ValueError, "NormalizedGD: grads has shape"),
    ]:
        (other, text), (own, own_text) = errors(2, body)
        assert own is kind
        assert words in own_text
        assert other is RuntimeError
        assert text.startswith("shard 1 has failed: ")
        assert words in text


def test_a_run_that_one_shard_stops_ends_on_all():
    def body(shard, meeting):
        calls = []

        def callback(x):
            calls.append(None)
            return shard == 1 and len(calls) == 4

        return mdbopt.minimize(
            objective_of_three,
            np.ones(3),
            jac=True,
            callback=callback,
            reducer=meeting.reducer(shard),
        )

    def objective_of_three(x):
        return float(np.array([1.0, 10.0, 100.0]) @ x**2), np.array([2.0, 20.0, 200.0]) * x

    ended, stopped = together(2, body)
    assert stopped.status == 99
    assert isinstance(ended, RuntimeError)
    assert "shard 1 has failed: it ended: `callback` returned True." in str(ended)


def wrong(answer):
    """A reducer of one shard that answers anything."""
    search = mdbopt.Box(reducer=answer)
    search.init(np.ones(3), 1.0, np.ones(3))


def test_what_a_reducer_returns_is_checked():
    with pytest.raises(TypeError, match=r"reducer: expected an array of shape \(shards, 64\), got"):
        wrong(lambda values: "no")
    for answer in (lambda v: v, lambda v: v[None, 1:], lambda v: np.zeros((0, v.size))):
        with pytest.raises(ValueError, match="reducer: expected "):
            wrong(answer)
    with pytest.raises(ValueError, match="what this shard gave once among what all gave, got it 0"):
        wrong(lambda values: np.ones((2, values.size)))
    with pytest.raises(ValueError, match="what this shard gave once among what all gave, got it 2"):
        wrong(lambda values: np.stack([values, values]))
    with pytest.raises(TypeError, match="reducer: expected a callable, got int"):
        mdbopt.Box(reducer=3)
    with pytest.raises(TypeError, match="AdamW: reducer: expected a callable, got int"):
        mdbopt.AdamW(reducer=3)


def test_what_a_reducer_raises_passes_and_leaves_the_search_of_no_use():
    calls = []

    def reducer(values):
        calls.append(None)
        if len(calls) > 12:
            raise ConnectionError("gone")
        return values[None]

    search = mdbopt.Guarded(reducer=reducer)
    state = search.init(np.ones(3), 3.0, 2 * np.ones(3))

    def go_on():
        for _ in range(20):
            y = search.propose(state)
            search.judge(state, float(y @ y), 2 * y)

    with pytest.raises(ConnectionError, match="gone"):
        go_on()
    with pytest.raises(RuntimeError, match="a shard has failed before"):
        search.judge(state, 1.0, np.ones(3))


def test_a_shard_of_one_is_the_whole():
    options = {"maxfun": 60, "gtol": 0.0}
    alone = whole(method="guarded", **options)
    (one,) = sharded([], method="guarded", **options)
    assert np.array_equal(one.x, alone.x)


def test_a_saved_shard_goes_on():
    def body(shard, meeting):
        first, last = pieces([CHUNK])[shard]
        search = mdbopt.Guarded(reducer=meeting.reducer(shard))

        def go_on(state, count):
            for _ in range(count):
                y = np.concatenate(meeting.exchange(shard, search.propose(state)))
                f, g = objective(y)
                search.judge(state, f, g[first:last])
            return state

        f, g = objective(START)
        state = go_on(search.init(START[first:last], f, g[first:last]), 20)
        saved = search.restore(dict(state))
        return go_on(state, 20).x.copy(), go_on(saved, 20).x.copy()

    for straight, restored in together(2, body):
        assert np.array_equal(straight, restored)


def test_differences_are_refused():
    with pytest.raises(ValueError, match="jac: expected True or a callable with a reducer"):
        mdbopt.minimize(lambda x: float(x @ x), np.ones(3), reducer=lambda values: values[None])


@pytest.mark.parametrize(
    "kind", [mdbopt.Guarded, mdbopt.Box, mdbopt.Ellipsoid, mdbopt.Backtracking]
)
def test_a_warm_start_has_the_bits_of_the_whole(kind):
    l2 = np.linspace(0.0, 1.0, START.size)

    def evaluate(x, penalty):
        f, g = objective(x)
        return f + 0.5 * float(penalty @ x**2), g + penalty * x

    def run(search, start, whole, mine):
        """Take steps, begin another search there, and go on; ``whole`` puts pieces together."""

        def steps(state, penalty):
            for _ in range(30 if kind is not mdbopt.Guarded else 8):
                f, g = evaluate(whole(search.propose(state)), penalty)
                search.judge(state, f, g[mine])

        f, g = evaluate(start, 0.3 + 0.0 * l2)
        first = search.init(start[mine], f, g[mine])
        steps(first, 0.3 + 0.0 * l2)
        at = whole(first.x)
        f, g = evaluate(at, l2)
        warm = mdbopt.WarmStart(first, l2=(0.3, l2[mine]))
        second = search.init(at[mine], f, g[mine], warm_start=warm)
        assert kind is not mdbopt.Guarded or second["pairs"] > 3
        assert kind is mdbopt.Guarded or second["seeking"] == 0
        steps(second, l2)
        return np.array(second.x)

    expected = run(kind(), START, np.array, slice(None))
    cuts = [slice(0, 2 * CHUNK), slice(2 * CHUNK, None)]

    def body(shard, meeting):
        search = kind(reducer=meeting.reducer(shard))
        together_again = lambda x: np.concatenate(meeting.exchange(shard, np.array(x)))  # noqa: E731
        return run(search, START, together_again, cuts[shard])

    ends = together(2, body)
    np.testing.assert_array_equal(np.concatenate(ends), expected)
