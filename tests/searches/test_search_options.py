"""Options of the searches against plain NumPy written from the formulas, and groups."""

import copy
import dataclasses
import itertools
import pickle
import time

import numpy as np
import pytest
import reference_searches
from arrays import INT, Producer, text
from recorded import classification, logistic, quadratic
from test_searches import FUN, SEARCHES, X0, advance, begin

import mdbopt


def dense_quadratic(size, seed):
    rng = np.random.default_rng(seed)
    factor = rng.standard_normal((2 * size, size)) * 10 ** rng.uniform(-1, 1, size)
    hessian, target = factor.T @ factor / size, rng.standard_normal(size)

    def fun(x):
        return 0.5 * float((x - target) @ hessian @ (x - target)), hessian @ (x - target)

    return fun, np.zeros(size)


def scaled_logistic():
    features, labels = classification(count=60, size=4)
    return logistic(features * np.array([1.0, 3.0, 10.0, 0.3]), labels, l2=0.01), np.zeros(4)


PROBLEMS = {
    "diagonal": (quadratic([1.0, 7.0, 40.0], centre=0.5), np.zeros(3)),
    "dense": dense_quadratic(5, 0),
    "larger": dense_quadratic(12, 1),
    "logistic": scaled_logistic(),
    "one coordinate": (quadratic([3.0], centre=0.5), np.zeros(1)),
}
VARIANTS = [
    (method, {"cut": cut, **options})
    for method, cut in itertools.product(
        ("box", "simplex", "ellipsoid", "backtracking"), ("cocoercive", "hypergradient")
    )
    for options in ({}, {"gamma": 0.3})
] + [
    ("ellipsoid", {"cut": cut, "candidate": candidate, "refine": refine})
    for cut, candidate, refine in itertools.product(
        ("cocoercive", "hypergradient"), ("gradient", "plain"), (0, 1, 5)
    )
]


def set_of(state):
    """Return the set of a state in the units of the formulas."""
    size = state["set_growth"] * state["set_gradient_scale"]
    if "set_axes" in state:
        return (state["set_axes"] * size) ** 2
    return state["set_b"] * size if "set_b" in state else np.array([size])


def doubt(f, g, f_trial, g_trial, p):
    """Return the relative error that rounding leaves in the divergences."""
    s = -p * g
    smaller = min(reference_searches.divergences(f, g, f_trial, g_trial, s))
    terms = abs(f) + abs(f_trial) + abs(g_trial @ s)
    return np.inf if smaller <= 0 else 1e-10 + 4e-14 * terms / smaller


def assert_follows_the_formula(method, fun, x0, options, iterations=60):
    """Hold each step of a run against the formula from the same state."""
    reference = reference_searches.Reference(method, len(x0), **options)
    search = SEARCHES[method](**options)
    state = begin(search, fun, x0)
    np.testing.assert_allclose(set_of(state), reference.first, rtol=1e-14)
    judged = 0
    for _ in range(iterations):
        if search.converged(state):
            break
        x, f, g, current = state.x.copy(), state.f, state.g.copy(), set_of(state)
        p = reference.candidate_at(current, g)
        point = np.array(search.propose(state))
        np.testing.assert_allclose(point - x, -p * g, rtol=1e-10, atol=1e-15 * np.abs(x).max())
        f_trial, g_trial = fun(point)
        tolerance = doubt(f, g, f_trial, g_trial, p)
        margin = f_trial - f + 0.5 * np.sum(p * g**2)
        if abs(margin) <= 1e-13 * (abs(f) + abs(f_trial)):
            break  # accepted or not by one rounding
        if abs(f_trial - f) <= 2e-9 * abs(f) or tolerance > 1e-6:
            break  # from here on the search reads decreases off the gradients
        accepted, expected = reference.judge(current, f, g, f_trial, g_trial, p)
        assert search.judge(state, f_trial, g_trial) == accepted
        np.testing.assert_allclose(set_of(state), expected, rtol=tolerance)
        judged += 1
    assert judged >= 3


@pytest.mark.parametrize("forward", [1.0, 1.1])
@pytest.mark.parametrize("initial_scale", [0.3, 100.0])
@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize(("method", "options"), VARIANTS)
def test_every_step_follows_the_formula(method, options, problem, initial_scale, forward):
    options = {**options, "initial_scale": initial_scale, "forward": forward}
    assert_follows_the_formula(method, *PROBLEMS[problem], options)


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize(("method", "options"), VARIANTS)
def test_whole_paths_follow_the_formula(method, options, problem):
    # Rounding doubles from step to step: twenty of them stay close.
    fun, x0 = PROBLEMS[problem]
    options = {**options, "initial_scale": 3.0, "forward": 1.1}
    search = SEARCHES[method](**options)
    state = begin(search, fun, x0)
    reference = reference_searches.Reference(method, len(x0), **options)
    judged = 0
    for trial, accepted, _ in reference.path(fun, x0, 20):
        point = np.array(search.propose(state))
        np.testing.assert_allclose(point, trial, rtol=1e-9, atol=1e-10)
        f, g = fun(point)
        if abs(f - state.f) <= 1e-8 * abs(state.f) or f < 1e-10:
            break
        assert search.judge(state, f, g) == accepted
        judged += 1
    assert judged >= 3


@pytest.mark.parametrize("groups", [[0, 0, 0, 0, 0], [7, -1, 7, -1, 3], [4, 3, 2, 1, 0]])
@pytest.mark.parametrize("cut", ["cocoercive", "hypergradient"])
@pytest.mark.parametrize(
    ("method", "more"),
    [("box", {}), ("simplex", {}), ("ellipsoid", {}), ("ellipsoid", {"candidate": "plain"}),
     ("ellipsoid", {"refine": 3})],
)  # fmt: skip
def test_every_grouped_step_follows_the_formula(method, more, cut, groups):
    options = {"initial_scale": 10.0, "forward": 1.1, "cut": cut, "groups": groups, **more}
    assert_follows_the_formula(method, *PROBLEMS["dense"], options)


@pytest.mark.parametrize("labels", [[0, 1, 2, 3, 4], [9, -4, 100, 0, 2**62]])
@pytest.mark.parametrize(
    ("method", "options"),
    [("guarded", {}), ("box", {}), ("simplex", {}), ("ellipsoid", {}),
     ("ellipsoid", {"candidate": "plain"}), ("box", {"cut": "hypergradient"}),
     ("guarded", {"cut": "hypergradient"}), ("ellipsoid", {"refine": 2})],
)  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_groups_of_one_coordinate_change_no_bit(method, options, labels, dtype):
    features, target = classification(count=40, dtype=dtype)
    fun, x0 = logistic(features, target, l2=0.01), np.zeros(5, dtype)
    plain = SEARCHES[method](**options)
    grouped = SEARCHES[method](groups=labels, **options)
    first, second = begin(plain, fun, x0), begin(grouped, fun, x0)
    points = advance(plain, first, 50, fun)
    np.testing.assert_array_equal(advance(grouped, second, 50, fun), points)
    np.testing.assert_array_equal(first.step_sizes, second.step_sizes)
    assert first.ncut == second.ncut


@pytest.mark.parametrize("cut", ["cocoercive", "hypergradient"])
@pytest.mark.parametrize("initial_scale", ["auto", 30.0])
def test_a_box_of_one_group_is_backtracking(cut, initial_scale):
    options = {"cut": cut, "initial_scale": initial_scale}
    box = mdbopt.Box(groups=[5] * 5, gamma=0.5, **options)
    one = mdbopt.Backtracking(**options)
    first, second = begin(box), begin(one)
    points = advance(box, first, 10)
    np.testing.assert_allclose(points, advance(one, second, 10), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(first.step_sizes, second.step_sizes, rtol=1e-12)
    assert first.ncut == second.ncut


@pytest.mark.parametrize("method", ["guarded", "box", "simplex", "ellipsoid"])
def test_coordinates_of_a_group_share_a_step_size(method):
    labels = np.array([3, 1, 3, 1, 3])
    search = SEARCHES[method](groups=labels)
    state = begin(search)
    for _ in range(30):
        advance(search, state, 1)
        for label in (1, 3):
            assert np.ptp(state.step_sizes[labels == label]) == 0
    assert state.step_sizes[0] != state.step_sizes[1]


@pytest.mark.parametrize("method", ["guarded", "box", "simplex", "ellipsoid"])
@pytest.mark.parametrize("labels", [[0], [0] * 4, [0] * 6])
def test_groups_of_another_length_are_refused(method, labels):
    with pytest.raises(ValueError, match="groups"):
        begin(SEARCHES[method](groups=labels))


@pytest.mark.parametrize(
    "form",
    [list, tuple, np.int8, lambda a: a.astype(">u4"), lambda a: a.astype(object), np.ma.array,
     lambda a: a[::-1].copy()[::-1], lambda a: np.repeat(a, 2)[::2], lambda a: a[:, None],
     lambda a: Producer(a, code=INT), lambda a: pytest.importorskip("pandas").Series(a),
     lambda a: pytest.importorskip("pandas").Series(a, dtype="Int64"),
     lambda a: pytest.importorskip("pandas").Series(a, dtype="category")]
)  # fmt: skip
def test_forms_of_groups(form):
    labels = np.array([7, 1, 7, 3, 1])
    search, plain = mdbopt.Box(groups=form(labels)), mdbopt.Box(groups=labels)
    state, same = begin(search), begin(plain)
    advance(search, state, 10)
    advance(plain, same, 10)
    assert np.array_equal(state.step_sizes, same.step_sizes)
    assert state.step_sizes[0] == state.step_sizes[2] != state.step_sizes[3]


@pytest.mark.parametrize(
    "labels",
    [[], [0.0, 1.0], ["a", "b"], None, [[None]], [True, False], text("a", "b"), [0, 1j],
     np.ma.array([0, 1], mask=[0, 1]), np.array([0, "b"], object)]
)  # fmt: skip
@pytest.mark.parametrize("method", ["guarded", "box", "simplex", "ellipsoid"])
def test_groups_must_be_whole_numbers(method, labels):
    if labels is None:
        assert SEARCHES[method](groups=None) == SEARCHES[method]()
        return
    with pytest.raises(TypeError, match="groups"):
        SEARCHES[method](groups=labels)


@pytest.mark.parametrize(
    ("method", "name", "value"),
    [(method, name, value) for method in SEARCHES for name, value in
     (("gamma", 0.01), ("initial_scale", 0.5), ("forward", 1.7), ("cut", "hypergradient"))]
    + [(method, "groups", [0, 0, 1, 1, 1]) for method in ("guarded", "box", "simplex", "ellipsoid")]
    + [("ellipsoid", "candidate", "plain"), ("ellipsoid", "refine", 3), ("guarded", "memory", 1)]
    + [("guarded", "proposer", value) for value in ("heavy-ball", "nesterov", "cg")],
)  # fmt: skip
def test_no_option_is_dead(method, name, value):
    plain, other = SEARCHES[method](), SEARCHES[method](**{name: value})
    first, second = begin(plain), begin(other)
    points, changed = advance(plain, first, 60), advance(other, second, 60)
    assert not np.array_equal(points, changed) or not np.array_equal(
        first.step_sizes, second.step_sizes
    )


@pytest.mark.parametrize("method", SEARCHES)
def test_every_option_solves(method):
    for options in ({"gamma": 0.05}, {"forward": 2.0}, {"forward": 1.0}, {"cut": "hypergradient"}):
        result = mdbopt.minimize(
            FUN, X0, jac=True, method=method, options={"gtol": 1e-6, **options}
        )
        assert result.success, (options, result.message)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "options",
    [{"proposer": name} for name in ("lbfgs", "heavy-ball", "nesterov", "cg")]
    + [{"memory": size} for size in (1, 2, 50)]
    + [{"proposer": "cg", "cut": "hypergradient"}, {"groups": [0, 0, 1, 1, 1]}],
)
def test_every_proposer_solves(options, dtype):
    features, labels = classification(count=60, dtype=dtype)
    fun, x0 = logistic(features, labels, l2=0.01), np.zeros(5, dtype)
    gtol = 1e-8 if dtype is np.float64 else 1e-4
    result = mdbopt.minimize(fun, x0, jac=True, options={"gtol": gtol, **options})
    assert result.success, result.message
    assert result.nfev < 400


def test_backtracking_with_groups_is_the_box_over_them():
    groups = np.arange(X0.size) % 3
    paths = []
    for search in (
        mdbopt.Backtracking(groups=groups, initial_scale=1.0),
        mdbopt.Box(groups=groups, initial_scale=1.0),
    ):
        paths.append(advance(search, begin(search), 40))
    np.testing.assert_array_equal(*paths)


SEARCHES_WITH_GROUPS = (mdbopt.Guarded, mdbopt.Box, mdbopt.Ellipsoid, mdbopt.Simplex)


@pytest.mark.parametrize("kind", [*SEARCHES_WITH_GROUPS, mdbopt.Backtracking])
def test_searches_are_compared_and_hashed_by_their_options(kind):
    labels = np.array([4, 4, -1])
    search = kind(groups=labels, gamma=0.5)
    same = [
        kind(groups=[4, 4, -1], gamma=0.5),
        kind(groups=labels.astype(np.int8), gamma=np.float32(0.5)),
        kind(groups=np.array([4, 4, -1], dtype=object), gamma=np.array(0.5)),
        copy.copy(search),
        copy.deepcopy(search),
        pickle.loads(pickle.dumps(search)),
        dataclasses.replace(search),
        eval(repr(search), vars(mdbopt)),
    ]
    for other in same:
        assert other == search
        assert hash(other) == hash(search)
        assert not other.groups.flags.writeable
    assert len({search, *same}) == 1
    for other in (
        kind(groups=[4, 4, 4], gamma=0.5), kind(groups=labels), kind(gamma=0.5), kind(), None, 1,
        dataclasses.replace(search, groups=None), dataclasses.replace(search, threads=2),
    ):  # fmt: skip
        assert other != search


def test_searches_of_different_kinds_differ():
    found = [kind(groups=[0, 1]) for kind in SEARCHES_WITH_GROUPS]
    assert len(set(found)) == len(found)


def test_labels_are_kept_as_they_were():
    labels = np.array([0, 0, 1])
    search = mdbopt.Box(groups=labels)
    before = hash(search)
    labels[:] = 7
    np.testing.assert_array_equal(search.groups, [0, 0, 1])
    assert (search.groups.dtype, hash(search)) == (np.int64, before)
    with pytest.raises(ValueError, match="read-only"):
        search.groups[0] = 1
    with pytest.raises(ValueError, match="WRITEABLE"):
        search.groups.flags.writeable = True


def test_many_labels_have_a_short_repr_and_go_to_the_core_in_no_time():
    size = 1_000_000
    labels = np.arange(size) // 1000
    search = mdbopt.Box(groups=labels)
    assert "groups=<1000000 labels, 1000 groups>" in repr(search)
    begun = time.process_time()
    search._new()
    assert time.process_time() - begun < 0.5  # one by one through Python's integers: more


@pytest.mark.parametrize(
    "groups",
    [[0.0, 1.0], ["a"], [], [True, False], [2**63, 0], np.array([2**63], np.uint64), [1, None]],
)
def test_labels_that_are_no_whole_numbers_are_refused(groups):
    with pytest.raises((TypeError, ValueError), match="groups"):
        mdbopt.Box(groups=groups)
