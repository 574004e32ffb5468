"""Groups: a rule for each array, one norm, one scale and one skip for all."""

import copy
import io
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optimizer_cases import CASES, CLASSES, assert_same_state, drawn, leaves, same, same_all

import mdbopt

SIZES = [(40, 30), (7,), (30, 40), (40,), (2000,)]
NAMES = ["wte", "scale", "weight", "bias", "rest"]


def tree(seed, dtype=np.float64):
    wte, scale, weight, bias, rest = drawn(seed, SIZES, dtype)
    return {"wte": wte, "blocks": [scale, {"weight": weight, "bias": bias}], "rest": rest}


def three(first=None, second=None, third=None):
    return mdbopt.groups(
        [
            (first or mdbopt.Lion(0.01), "wte"),
            (second or mdbopt.AdamW(0.02, weight_decay=0.1), ["blocks.0", "bias"]),
            (third or mdbopt.SGD(0.1, momentum=0.5), None),
        ]
    )


def parts(params):
    """Return what the groups of `three` have, as lists."""
    scale, block = params["blocks"]
    return [[params["wte"]], [scale, block["bias"]], [block["weight"], params["rest"]]]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_each_array_is_as_in_a_step_of_its_group_alone(dtype, bound):
    optimizer, params, others = three(), tree(1, dtype), tree(1, dtype)
    state = optimizer.init(params)
    alone = [(own, own.init(part), part) for (own, _), part in _with_parts(optimizer, others)]
    for step in range(3):
        grads = tree(2 + step, dtype)
        assert bound(optimizer, params, grads, state)() is True
        for (own, other, part), g in zip(alone, parts(grads), strict=True):
            own.step(part, g, other)
    assert same_all(params, others)
    assert state.t == 3
    assert [own.t for own in state.states] == [3, 3, 3]
    assert same(state[0].m["wte"], alone[0][1].m[0])


def _with_parts(optimizer, params):
    return zip(optimizer.members, parts(params), strict=True)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.by_array])
@pytest.mark.parametrize("max_norm", [None, 0.5, 1e6])
def test_one_rule_for_all_has_its_bits(name, max_norm):
    make = CASES[name].make
    optimizer, params, others = three(make(), make(), make()), tree(1), tree(1)
    state, one = optimizer.init(params), make()
    other = one.init(others)
    for step in range(3):
        options = {"max_norm": max_norm, "grad_scale": 4.0}
        taken = optimizer.step(params, tree(2 + step), state, **options)
        assert taken == one.step(others, tree(2 + step), other, **options)
    assert same_all(params, others)


def test_every_class_can_be_a_member(one):
    params, grads = tree(1), tree(2)
    optimizer = three(first=one.make())
    state = optimizer.init(params)
    assert optimizer.step(params, grads, state)
    alone = one.make()
    x, g = [tree(1)["wte"]], [tree(2)["wte"]]
    alone.step(x, g, alone.init(x))
    assert same(params["wte"], x[0])


def test_mixed_dtypes_have_one_norm():
    params, grads = tree(1), tree(2)
    for each in (params, grads):
        each["wte"] = each["wte"].astype("f4")
        each["rest"] = each["rest"].astype("f2")
    optimizer = three()
    norm = optimizer.step(params, grads, optimizer.init(params), max_norm=1.0)
    wide = [np.asarray(g, "f8") for g in leaves(grads)]
    assert norm == pytest.approx(np.sqrt(sum((g * g).sum() for g in wide)), rel=1e-13)


def test_states_in_formats_are_members():
    optimizer = three(
        mdbopt.Lion(0.01, state_dtype="8bit"), mdbopt.AdamW(0.01, state_dtype="bfloat16")
    )
    params = tree(1, np.float32)
    state = optimizer.init(params)
    assert optimizer.step(params, tree(2, np.float32), state, max_norm=1.0) > 1.0
    assert state[0].m["wte"].dtype == np.uint8


def test_a_skipped_step_changes_nothing():
    optimizer, params = three(), tree(1)
    state = optimizer.init(params)
    assert optimizer.step(params, tree(2), state, found_inf=1.0, max_norm=1.0) is False
    assert optimizer.step(params, tree(2), state, found_inf=True) is False
    assert same_all(params, tree(1))
    assert state.t == 0
    assert all(not np.any(leaf) for leaf in leaves(state[0].m) if leaf is not None)


def test_rates_and_decays_of_groups():
    params, others = tree(1), tree(1)
    optimizer = three()
    scaled = three(
        mdbopt.Lion(0.03), mdbopt.AdamW(0.02, weight_decay=0.1), mdbopt.SGD(0.3, momentum=0.5)
    )
    optimizer.step(params, tree(2), optimizer.init(params), lr=[0.03, None, 0.3])
    scaled.step(others, tree(2), scaled.init(others))
    assert same_all(params, others)
    one = three(
        mdbopt.Lion(0.5, weight_decay=0.2),
        mdbopt.AdamW(0.5, weight_decay=0.2),
        mdbopt.SGD(0.5, momentum=0.5, weight_decay=0.2),
    )
    params, others = tree(1), tree(1)
    optimizer.step(params, tree(2), optimizer.init(params), lr=0.5, weight_decay=0.2)
    one.step(others, tree(2), one.init(others))
    assert same_all(params, others)


def test_trees_of_rates_and_copies_are_those_of_all_parameters():
    params, others = tree(1, np.float32), tree(1, np.float32)
    rates = {"wte": 0.1, "blocks": [0.2, {"weight": 0.3, "bias": 0.4}], "rest": 0.5}
    image = {"wte": 0, "blocks": [0, {"weight": 0, "bias": 0}], "rest": 0}
    shapes = tree(1)
    image = {
        "wte": np.zeros(shapes["wte"].shape, np.uint16),
        "blocks": [
            np.zeros(shapes["blocks"][0].shape, np.uint16),
            {k: np.zeros(v.shape, np.uint16) for k, v in shapes["blocks"][1].items()},
        ],
        "rest": np.zeros(shapes["rest"].shape, np.uint16),
    }
    sgd = mdbopt.SGD(1.0)
    optimizer = three(sgd, sgd, sgd)
    optimizer.step(
        params, tree(2, np.float32), optimizer.init(params), lr=[rates, rates, rates], copy=image
    )
    sgd.step(others, tree(2, np.float32), sgd.init(others), lr=rates)
    assert same_all(params, others)
    for x, bits in zip(leaves(params), leaves(image), strict=True):
        rounded = (bits.astype(np.uint32) << 16).view(np.float32)
        assert np.allclose(x, rounded, rtol=2**-8)


def test_gradients_may_be_missing():
    params, grads = tree(1), tree(2)
    grads["blocks"][1]["bias"] = None
    grads["wte"] = None
    optimizer = three()
    optimizer.step(params, grads, optimizer.init(params))
    before = tree(1)
    assert same(params["wte"], before["wte"])
    assert same(params["blocks"][1]["bias"], before["blocks"][1]["bias"])
    assert not same(params["blocks"][0], before["blocks"][0])


def test_schedule_free_groups_show_their_average():
    optimizer, params, others = three(mdbopt.ScheduleFreeSGD(0.1)), tree(1), tree(1)
    state = optimizer.init(params)
    alone = mdbopt.ScheduleFreeSGD(0.1)
    own = alone.init(others["wte"])
    for step in range(3):
        optimizer.step(params, tree(2 + step), state)
        alone.step(others["wte"], tree(2 + step)["wte"], own)
    rest = copy.deepcopy(params["rest"])
    optimizer.eval(params, state)
    alone.eval(others["wte"], own)
    assert same(params["wte"], others["wte"])
    with pytest.raises(ValueError, match="expected the point where gradients are taken"):
        optimizer.step(params, tree(9), state)
    assert same(params["rest"], rest)
    optimizer.train(params, state)
    alone.train(others["wte"], own)
    assert same(params["wte"], others["wte"])


@pytest.mark.parametrize("way", ["mapping", "npz", "pickle", "deepcopy"])
def test_states_travel(way):
    optimizer, params = three(mdbopt.DoG()), tree(1)
    state = optimizer.init(params)
    for step in range(2):
        optimizer.step(params, tree(2 + step), state)
    if way == "npz":
        file = io.BytesIO()
        np.savez(file, **state)
        file.seek(0)
        other = optimizer.restore(params, np.load(file))
    elif way == "mapping":
        other = optimizer.restore(params, dict(state))
    else:
        other = pickle.loads(pickle.dumps(state)) if way == "pickle" else copy.deepcopy(state)
    assert len(other) == len(list(other)) == len(state)
    assert_same_state(state, other)
    others = copy.deepcopy(params)
    optimizer.step(params, tree(5), state, max_norm=0.1)
    optimizer.step(others, tree(5), other, max_norm=0.1)
    assert same_all(params, others)


def test_optimizers_are_compared_and_travel():
    optimizer = three()
    assert pickle.loads(pickle.dumps(optimizer)) == optimizer == three()
    assert hash(optimizer) == hash(three())
    assert optimizer != three(first=mdbopt.Lion(0.02))
    assert "Lion(lr=0.01" in repr(optimizer)
    plan = optimizer.plan(tree(1), tree(2), optimizer.init(tree(1)))
    assert copy.deepcopy(plan).step() is True


def test_other_hyperparameters_go_on():
    params, others = tree(1), tree(1)
    optimizer, later = three(), three(mdbopt.Lion(0.2))
    state, other = optimizer.init(params), optimizer.init(others)
    optimizer.step(params, tree(2), state)
    optimizer.step(others, tree(2), other)
    later.step(params, tree(3), state)
    optimizer.step(others, tree(3), other, lr=[0.2, None, None])
    assert same_all(params, others)


@given(st.lists(st.integers(0, 2), min_size=5, max_size=5).filter(lambda o: set(o) == {0, 1, 2}))
@settings(max_examples=30, deadline=None)
def test_any_partition_steps_each_array_once(owners):
    params, others = drawn(1, SIZES), drawn(1, SIZES)
    grads = drawn(2, SIZES)
    members = [
        (mdbopt.SGD(0.1 * (k + 1)), lambda name, _, k=k: owners[int(name)] == k) for k in range(3)
    ]
    optimizer = mdbopt.groups(members)
    norm = optimizer.step(params, grads, optimizer.init(params), max_norm=1.0)
    one = mdbopt.SGD()
    rates = [0.1 * (owner + 1) for owner in owners]
    assert one.step(others, grads, one.init(others), lr=rates, max_norm=1.0) == norm
    assert same_all(params, others)


def refused(kind, words, **changed):
    params, grads, optimizer = tree(1), tree(2), three()
    state = optimizer.init(params)
    given = {"params": params, "grads": grads, "state": state} | changed
    before = copy.deepcopy(params)
    with pytest.raises(kind, match=words):
        optimizer.step(given.pop("params"), given.pop("grads"), given.pop("state"), **given)
    assert same_all(params, before)
    assert state.t == 0


def without(name):
    params = tree(1)
    del params[name]
    return params


def test_refused_steps_name_what_is_wrong():
    wrong = tree(2)
    wrong["blocks"][1]["bias"] = np.zeros(3)
    refused(ValueError, r"grads\['blocks'\]\[1\]\['bias'\] has shape \(3,\)", grads=wrong)
    refused(
        ValueError,
        r"params: expected the keys of init, \['wte', 'blocks', 'rest'\]",
        params=without("rest"),
        grads=without("rest"),
    )
    refused(ValueError, r"Groups: lr: expected a number or an entry for each of 3", lr=[0.1, 0.2])
    refused(ValueError, r"weight_decay: .* each of 3 groups, got 1", weight_decay=(0.1,))
    refused(ValueError, r"AdamW: lr: expected a finite number >= 0", lr=[None, -1.0, None])
    refused(ValueError, r"SGD: norm: expected None without max_norm|Lion: norm", norm=1.0)
    refused(ValueError, r"max_norm: expected a finite number > 0", max_norm=-1.0)
    refused(TypeError, r"state: expected a state from init or restore, got dict", state={})


def test_arrays_of_two_groups_must_not_overlap():
    optimizer = mdbopt.groups([(mdbopt.SGD(), "a"), (mdbopt.AdamW(), "b")])
    memory = np.zeros(10)
    params = {"a": memory[:6], "b": memory[4:]}
    grads = {"a": np.zeros(6), "b": np.zeros(6)}
    with pytest.raises(ValueError, match=r"params\['b'\] overlaps params\['a'\]"):
        optimizer.step(params, grads, optimizer.init(params))


@pytest.mark.parametrize(
    ("kind", "members", "words"),
    [
        (TypeError, mdbopt.SGD(), r"members: expected a list of \(optimizer, claim\), got SGD"),
        (ValueError, [], r"expected at least one \(optimizer, claim\)"),
        (TypeError, [mdbopt.SGD()], r"members\[0\]: expected a pair"),
        (TypeError, [("sgd", None)], r"members\[0\]: expected an optimizer .*, got str"),
        (TypeError, [(mdbopt.SGD(), 3)], r"members\[0\]: expected names, predicates .*, got int"),
        (ValueError, [(mdbopt.SGD(), [])], r"members\[0\]: .* got an empty list"),
        (ValueError, [(mdbopt.SGD(), None)] * 2, r"members\[1\]: claims the rest, as members\[0\]"),
        (
            ValueError,
            [(mdbopt.SGD(), "a"), (mdbopt.SGD(reducer=lambda m: m), None)],
            r"members\[1\]: reducer: expected that of members\[0\]",
        ),
    ],
)
def test_refused_members(kind, members, words):
    with pytest.raises(kind, match=words):
        mdbopt.groups(members)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda saved: saved.pop("1.m['blocks'][1]['bias']"),
            r"\"m\['blocks'\]\[1\]\['bias'\]\" is",
        ),
        (lambda saved: saved.update({"7.t": 3}), r"'7.t' is not part"),
        (
            lambda saved: saved.update(optimizer="AdamW"),
            "made by AdamW, expected a state of Groups",
        ),
    ],
)
def test_refused_saved_states(change, words):
    optimizer, params = three(), tree(1)
    saved = dict(optimizer.init(params))
    change(saved)
    with pytest.raises(ValueError, match=words):
        optimizer.restore(params, saved)


def test_other_claims_are_other_groups():
    optimizer, params = three(), tree(1)
    other = mdbopt.groups([(mdbopt.Lion(), "rest"), (mdbopt.AdamW(), "wte"), (mdbopt.SGD(), None)])
    with pytest.raises(ValueError, match="state: made with other groups"):
        other.step(params, tree(2), optimizer.init(params))


def test_all_classes_are_covered():
    assert set(CLASSES) == set(mdbopt.optimizers.__all__)
