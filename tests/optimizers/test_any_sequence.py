"""Whatever is put into the lists between steps, a step does what one without memory does."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import mdbopt

BLOCKS, SIZE = 5, 16


def shut(a):
    a = a[:8]
    a.flags.writeable = False
    return a


# Ways to look at a block: its address comes again and again, as other arrays.
VIEWS = {
    "flat": lambda a: a[:8],
    "cube": lambda a: a[:8].reshape(2, 2, 2),
    "021": lambda a: a[:8].reshape(2, 2, 2).transpose(0, 2, 1),
    "102": lambda a: a[:8].reshape(2, 2, 2).transpose(1, 0, 2),
    "210": lambda a: a[:8].reshape(2, 2, 2).transpose(2, 1, 0),
    "column": lambda a: a[:8].reshape(8, 1),
    "read-only": shut,
    "narrow": lambda a: a.view(np.float32)[:8],
    "short": lambda a: a[:4],
    "later": lambda a: a[4:12],
    "empty": lambda a: a[:0],
    "list": lambda a: [a[:8]],
    "dict": lambda a: {"a": a[:8]},
    "none": lambda _: None,
}
LEAVES = st.tuples(st.integers(0, BLOCKS - 1), st.sampled_from(sorted(VIEWS)))
USUAL = st.tuples(st.integers(0, BLOCKS - 1), st.sampled_from(["flat", "021", "102", "later"]))
STEPS = st.tuples(st.just("step"), st.sampled_from([0.5, 0.25, None, [0.5], 0]))
CHANGES = st.one_of(
    st.tuples(st.sampled_from(["params", "grads"]), st.integers(0, 2), st.one_of(USUAL, LEAVES)),
    st.tuples(st.sampled_from(["append", "pop", "reverse", "plan"])),
)
SEQUENCES = st.lists(st.one_of(STEPS, STEPS, CHANGES), min_size=4, max_size=30)


def changed(trees, memory, change):
    """Apply a change to the lists of parameters and gradients."""
    name, *rest = change
    if name in ("params", "grads"):
        place, (block, view) = rest
        tree = trees[name == "grads"]
        if place < len(tree):
            tree[place] = VIEWS[view](memory[block])
    elif name == "append":
        for tree, block in zip(trees, (2, 3), strict=True):
            tree.append(memory[block][:8])
    else:
        for tree in trees:
            if tree or name == "reverse":
                getattr(tree, name)()


def outcome(step, memory):
    """What a step answers, and what it leaves in memory."""
    try:
        answer = step()
    except (TypeError, ValueError) as error:
        answer = str(error)
    return answer, memory.tobytes()


@settings(max_examples=300, deadline=None, database=None, derandomize=True)
@given(sequence=SEQUENCES, seed=st.integers(0, 9))
def test_a_step_does_what_one_without_memory_does(sequence, seed):
    memory = np.random.default_rng(seed).standard_normal((BLOCKS, SIZE))
    params, grads = [memory[0][:8]], [memory[1][:8]]
    optimizer = mdbopt.SGD(1.0)
    state = optimizer.init(np.ones(1))
    plan = optimizer.plan(params, grads, state)
    for change in sequence:
        if change[0] not in ("step", "plan"):
            changed((params, grads), memory, change)
            continue
        options = {"lr": change[1]} if change[0] == "step" else {}
        fresh = optimizer.init(np.ones(1))
        before, t = memory.copy(), state.t
        wanted = outcome(lambda o=options, f=fresh: optimizer.step(params, grads, f, **o), memory)
        memory[...] = before
        if change[0] == "plan":
            got = outcome(plan.step, memory)
        else:
            got = outcome(lambda o=options: optimizer.step(params, grads, state, **o), memory)
        assert got == wanted
        refused = isinstance(wanted[0], str)
        assert state.t == t + (not refused)
        if refused:
            assert memory.tobytes() == before.tobytes()
