"""Groups of optimizers over shards: the bits of one process, one norm, and one end for all."""

import copy
import dataclasses
import re

import numpy as np
import pytest
from test_shards import CHUNK, FINISH, HELD_BACK, errors, together, unless_raised

import mdbopt
from mdbopt import _core
from mdbopt.distributed import merge, piece, split

SIZES = {"wte": 5000, "head": 3 * CHUNK, "bias": 700, "scale": 2 * CHUNK}
CUTS = {
    "wte": [0, 2 * CHUNK, 5000],
    "head": [0, CHUNK, 3 * CHUNK],
    "bias": [0, 700, 700],
    "scale": [0, 0, 2 * CHUNK],
}
# Without sums, with sums of all arrays and of each, with what follows a step, and a rest.
MEMBERS = {
    "without sums": [(mdbopt.AdamW(0.1), "wte"), (mdbopt.Lion(0.1, weight_decay=0.1), None)],
    "with sums": [
        (mdbopt.NormalizedGD(0.1, momentum=0.5), ["wte", "bias"]),
        (mdbopt.LAMB(0.1), None),
    ],
    "with numbers of each array": [(mdbopt.NovoGrad(0.1), "wte"), (mdbopt.NovoGrad(0.1), None)],
    "of all kinds": [
        (mdbopt.AdamW(0.1, **FINISH), "wte"),
        (mdbopt.HypergradientAdam(0.1), "head"),
        (mdbopt.NAdam(0.1, **HELD_BACK), "bias"),
        (mdbopt.ScheduleFreeAdamW(0.1), None),
    ],
}


def drawn(seed):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=size) for name, size in SIZES.items()}


def cut(tree, cuts, shard):
    return {name: x[cuts[name][shard] : cuts[name][shard + 1]].copy() for name, x in tree.items()}


def starts(shard):
    """Give the parameters of a shard, and gradients."""
    return [cut(drawn(k), CUTS, shard) for k in (0, 1)]


def on(members, reducer):
    """Make the groups of a shard."""
    return mdbopt.groups(
        [(dataclasses.replace(one, reducer=reducer), claim) for one, claim in members]
    )


def run(optimizer, params, gradients, **options):
    """Take steps; give what they returned, and all arrays and numbers, by name."""
    state = optimizer.init(params)
    returned = [optimizer.step(params, grads, state, **options) for grads in gradients]
    stepped = {f"params.{name}": x.copy() for name, x in params.items()}
    optimizer.eval(params, state)
    shown = {f"shown.{name}": x.copy() for name, x in params.items()}
    optimizer.train(params, state)
    return returned, {**state, **stepped, **shown}


def over(members, cuts, **options):
    """Run them over shards; give what each ended with."""
    start, gradients = drawn(0), [drawn(1 + k) for k in range(5)]

    def body(shard, meeting):
        own = [cut(grads, cuts, shard) for grads in gradients]
        return run(on(members, meeting.reducer(shard)), cut(start, cuts, shard), own, **options)

    return unless_raised(together(len(cuts["wte"]) - 1, body))


def alone(members, **options):
    return run(mdbopt.groups(members), drawn(0), [drawn(1 + k) for k in range(5)], **options)


@pytest.mark.parametrize("options", [{}, {"max_norm": 1.0}, {"max_norm": 1.0, "grad_scale": 4.0}])
@pytest.mark.parametrize("name", MEMBERS)
def test_steps_of_shards_are_those_of_the_whole(name, options):
    returned, expected = alone(MEMBERS[name], **options)
    ends = over(MEMBERS[name], CUTS, **options)
    assert all(end[0] == returned for end in ends)
    merged = merge([end[1] for end in ends])
    assert merged.keys() == expected.keys()
    for each, value in expected.items():
        assert np.array_equal(merged[each], value), each


@pytest.mark.parametrize("shards", [2, 3])
def test_arrays_may_be_cut_anywhere(shards):
    cuts = {name: [n * k // shards for k in range(shards + 1)] for name, n in SIZES.items()}
    members = MEMBERS["with sums"]
    returned, expected = alone(members, max_norm=1.0)
    ends = over(members, cuts, max_norm=1.0)
    assert all(end[0] == ends[0][0] for end in ends)
    np.testing.assert_allclose(ends[0][0], returned, rtol=1e-13)
    merged = merge([end[1] for end in ends])
    for name in SIZES:
        found, whole = merged[f"params.{name}"], expected[f"params.{name}"]
        np.testing.assert_allclose(found, whole, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("name", "options", "messages"),
    [
        ("without sums", {}, 0),
        ("without sums", {"max_norm": 1.0}, 1),
        ("without sums", {"max_norm": 1.0, "norm": 3.0}, 0),
        ("with sums", {}, 2),
        ("with sums", {"max_norm": 1.0}, 3),
    ],
)
def test_a_step_takes_a_message_for_the_norm_and_one_for_each_group_with_sums(
    name, options, messages
):
    def body(shard, meeting):
        optimizer = on(MEMBERS[name], meeting.reducer(shard))
        params, grads = starts(shard)
        state = optimizer.init(params)
        optimizer.step(params, grads, state, **options)
        _core.take_reductions()
        optimizer.step(params, grads, state, **options)
        return _core.take_reductions()[0]

    assert unless_raised(together(2, body)) == [messages] * 2


def test_a_skipped_step_takes_no_message():
    def body(shard, meeting):
        optimizer = on(MEMBERS["with sums"], meeting.reducer(shard))
        params, grads = starts(shard)
        state = optimizer.init(params)
        _core.take_reductions()
        taken = optimizer.step(params, grads, state, max_norm=1.0, found_inf=True)
        return taken, _core.take_reductions()[0], state.t

    assert unless_raised(together(2, body)) == [(False, 0, 0)] * 2


# --- states --------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["with sums", "with numbers of each array"])
def test_a_saved_state_goes_on_at_another_number_of_shards(name):
    members = MEMBERS[name]

    def go_on(shards, steps, saved, params):
        cuts = {
            name: [0, *(piece(size, k, shards).stop for k in range(shards))]
            for name, size in SIZES.items()
        }

        def body(shard, meeting):
            optimizer, own = on(members, meeting.reducer(shard)), cut(params, cuts, shard)
            state = optimizer.init(own)
            if saved is not None:
                state = optimizer.restore(own, split(saved, shards)[shard])
            for k in steps:
                optimizer.step(own, cut(drawn(k), cuts, shard), state, max_norm=1.0)
            return {f"params.{name}": x for name, x in own.items()}, dict(state)

        ends = unless_raised(together(shards, body))
        merged, state = (merge([end[k] for end in ends]) for k in (0, 1))
        return {name: merged[f"params.{name}"] for name in params}, state

    whole, expected = go_on(1, range(1, 7), None, drawn(0))
    params, saved = go_on(2, range(1, 4), None, drawn(0))
    params, saved = go_on(3, range(4, 7), saved, params)
    assert saved.keys() == expected.keys()
    assert all(np.array_equal(saved[name], value) for name, value in expected.items())
    assert all(np.array_equal(params[name], x) for name, x in whole.items())


@pytest.mark.parametrize("way", ["other options", "other shards", "a copy"])
def test_a_state_goes_on_with_other_options_and_other_shards(way):
    members = MEMBERS["with sums"]
    slower = [(dataclasses.replace(one, lr=0.01), claim) for one, claim in members]
    later = slower if way == "other options" else members

    def go_on(first, second, params, gradients):
        state = first.init(params)
        first.step(params, gradients[0], state, max_norm=1.0)
        state = copy.deepcopy(state) if way == "a copy" else state
        for grads in gradients[1:]:
            second.step(params, grads, state, max_norm=1.0)
        return params

    gradients = [drawn(1 + k) for k in range(3)]
    expected = go_on(mdbopt.groups(members), mdbopt.groups(later), drawn(0), gradients)

    def body(shard, meeting):
        first = on(members, meeting.reducer(shard))
        second = on(later, meeting.reducer(shard) if way == "other shards" else first.reducer)
        own = [cut(grads, CUTS, shard) for grads in gradients]
        return go_on(first, second, cut(drawn(0), CUTS, shard), own)

    ends = unless_raised(together(2, body))
    for name, x in expected.items():
        assert np.array_equal(np.concatenate([end[name] for end in ends]), x)


# --- what does not fit, and what fails -----------------------------------------------------------
@pytest.mark.parametrize("max_norm", [None, 1.0])
@pytest.mark.parametrize("name", MEMBERS)
def test_options_that_differ_in_the_last_group_are_refused_before_any_is_written(name, max_norm):
    def body(shard, meeting):
        *first, (last, claim) = MEMBERS[name]
        members = [*first, (dataclasses.replace(last, weight_decay=0.25 + shard / 4), claim)]
        optimizer, (params, grads) = on(members, meeting.reducer(shard)), starts(shard)
        before, state = copy.deepcopy(params), optimizer.init(params)
        try:
            optimizer.step(params, grads, state, max_norm=max_norm)
        finally:
            assert all(np.array_equal(before[each], x) for each, x in params.items())
            assert state.t == 0

    said = "weight_decay: expected the same on every shard, got 0.25 on shard 0 and 0.5 on shard 1"
    assert errors(2, body) == [(RuntimeError, said)] * 2


def test_numbers_of_steps_and_bounds_that_differ_are_refused():
    def counts(shard, meeting):
        optimizer, (params, grads) = on(MEMBERS["with sums"], meeting.reducer(shard)), starts(shard)
        saved = dict(optimizer.init(params))
        saved.update({name: 3.0 + shard for name in saved if name.endswith(".t")})
        optimizer.step(params, grads, optimizer.restore(params, saved))

    def bounds(shard, meeting):
        optimizer, (params, grads) = on(MEMBERS["with sums"], meeting.reducer(shard)), starts(shard)
        optimizer.step(params, grads, optimizer.init(params), max_norm=1.0 + shard)

    for body, name in ((counts, "t"), (bounds, "max_norm")):
        for kind, text in errors(2, body):
            assert kind is RuntimeError
            assert text.startswith(f"{name}: expected the same on every shard, got ")


def wrong_shape(grads):
    return {"grads": {**grads, "scale": np.ones(3)}}, "Groups: grads"


def wrong_rates(grads):
    return {"grads": grads, "lr": [0.1]}, "Groups: lr: expected a number or an entry for each of 2"


def wrong_decay(grads):
    return {"grads": grads, "weight_decay": [0.1, -1.0]}, "weight_decay: expected a finite number"


def wrong_scale(grads):
    return {"grads": grads, "grad_scale": -1.0}, "grad_scale: expected a finite number > 0"


def missing(grads):
    return {"grads": {"wte": grads["wte"]}}, "Groups: grads"


@pytest.mark.parametrize("wrong", [wrong_shape, wrong_rates, wrong_decay, wrong_scale, missing])
@pytest.mark.parametrize("steps", [0, 2])
@pytest.mark.parametrize(
    ("name", "max_norm"), [("with sums", None), ("with sums", 1.0), ("without sums", 1.0)]
)
def test_what_fails_on_one_shard_ends_the_others_with_its_error(name, max_norm, steps, wrong):
    """Whichever group fails, and whatever the others wait for: nothing more is written."""

    def body(shard, meeting):
        optimizer, params = on(MEMBERS[name], meeting.reducer(shard)), cut(drawn(0), CUTS, shard)
        state = optimizer.init(params)
        for k in range(steps):
            optimizer.step(params, cut(drawn(1 + k), CUTS, shard), state, max_norm=max_norm)
        before, t = copy.deepcopy(params), state.t
        options = {"grads": cut(drawn(9), CUTS, shard)}
        if shard == 1:
            options, _ = wrong(options["grads"])
        try:
            optimizer.step(params, state=state, max_norm=max_norm, **options)
        finally:
            assert all(np.array_equal(before[each], x) for each, x in params.items())
            assert state.t == t
            again = "reducer: a shard has failed before, expected no further call"
            with pytest.raises(RuntimeError, match=again):
                optimizer.step(params, cut(drawn(9), CUTS, shard), state, max_norm=max_norm)

    (other, text), (own, own_text) = errors(2, body)
    assert own in (TypeError, ValueError)
    assert re.search(wrong(drawn(0))[1], own_text)
    assert other is RuntimeError
    assert text.startswith("shard 1 has failed: ")
    assert text[len("shard 1 has failed: ") :].split(": ", 1)[-1][:20] in own_text


@pytest.mark.parametrize("options", [{}, {"max_norm": 1.0, "norm": 3.0}])
@pytest.mark.parametrize("grouped", [False, True])
def test_a_step_that_meets_no_shard_fails_alone(grouped, options):
    """No message is given that nobody waits for; the next step goes on."""

    def body(shard, meeting):
        own, calls = meeting.reducer(shard), []

        def reducer(values):
            calls.append(None)
            return own(values)

        optimizer = mdbopt.AdamW(0.1, reducer=reducer)
        if grouped:
            optimizer = on(MEMBERS["without sums"], reducer)
        params, grads = starts(shard)
        state = optimizer.init(params)
        optimizer.step(params, grads, state, **options)
        calls.clear()
        if shard == 1:
            for wrong in ({**grads, "wte": np.ones(3)}, {"wte": grads["wte"]}):
                with pytest.raises(ValueError, match=r"(Groups|AdamW): grads"):
                    optimizer.step(params, wrong, state, **options)
            with pytest.raises(ValueError, match="grad_scale: expected a finite number > 0"):
                optimizer.step(params, grads, state, grad_scale=0.0, **options)
        optimizer.step(params, grads, state, **options)
        return len(calls), state.t

    assert unless_raised(together(2, body)) == [(0, 2)] * 2


def test_groups_have_one_reducer():
    def first(values):
        return values[None]

    def second(values):
        return values[None]

    for members in (
        [(mdbopt.SGD(reducer=first), "w"), (mdbopt.SGD(reducer=second), None)],
        [(mdbopt.SGD(), "w"), (mdbopt.SGD(reducer=second), None)],
        [(mdbopt.SGD(reducer=first), "w"), (mdbopt.SGD(), None)],
    ):
        with pytest.raises(ValueError, match=r"members\[1\]: reducer: expected that of members\[0"):
            mdbopt.groups(members)
    optimizer = mdbopt.groups([(mdbopt.SGD(reducer=first), "w"), (mdbopt.SGD(reducer=first), None)])
    assert optimizer.reducer is first
    assert mdbopt.groups([(mdbopt.SGD(), None)]).reducer is None
