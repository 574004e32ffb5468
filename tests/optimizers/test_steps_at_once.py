"""Steps from several threads, from within a step, after a fork, and too many of them."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from optimizer_cases import CASES, Hook, built, drawn, nothing_written, same_all
from test_pool import HAS_FORK, run_python

import mdbopt

TEMPLATE = {"w": 0, "b": [1, 2]}
SIZES = [(40_000,), (7, 11), ()]


def trees(*seeds):
    return [built(TEMPLATE, drawn(seed, SIZES)) for seed in seeds]


def stepped(name, seed, steps=10):
    params, grads = trees(seed, seed + 1)
    optimizer = CASES[name].make(threads=2)
    state = optimizer.init(params)
    plan = optimizer.plan(params, grads, state)
    for _ in range(steps):
        optimizer.step(params, grads, state)
        plan.step(max_norm=1.0)
    return params


def test_states_of_their_own_step_at_once():
    tasks = [(name, seed) for seed, name in enumerate(CASES)]
    expected = [stepped(*task) for task in tasks]
    with ThreadPoolExecutor(4) as threads:
        for ours, theirs in zip(
            threads.map(stepped, *zip(*tasks, strict=True)), expected, strict=True
        ):
            assert same_all(ours, theirs)


def failure_of(function):
    with pytest.raises(ValueError, match="state") as caught:
        function()
    return str(caught.value)


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("other", ["step", "plan", "other hyperparameters"])
def test_a_state_is_stepped_once_at_a_time(one, other, elsewhere):
    """The second step comes from a gradient of the first, in this thread or in another one."""
    params, others, grads = trees(1, 2, 3)
    optimizer = one.make()
    state = optimizer.init(params)
    second = {
        "step": lambda: optimizer.step(others, grads, state),
        "plan": lambda: optimizer.plan(others, grads, state).step(),
        "other hyperparameters": lambda: one.make(maximize=True).step(others, grads, state),
    }[other]
    failures = []

    def hook():
        with nothing_written(state, params, others):
            if elsewhere:
                with ThreadPoolExecutor(1) as thread:
                    failures.append(thread.submit(failure_of, second).result())
            else:
                failures.append(failure_of(second))

    (expected,) = trees(1)
    assert optimizer.step(params, grads | {"w": Hook(grads["w"], hook)}, state)
    text = f"{one.label}: state: another thread is stepping it, expected one at a time"
    assert failures == [text]
    optimizer.step(expected, grads, optimizer.init(expected))
    assert same_all(params, expected)
    assert state.t == 1
    assert second()  # and now it is free again


def test_many_threads_at_one_state_step_it_one_by_one():
    """Whatever comes through has stepped it alone."""
    x, g = np.zeros(200_000), np.ones(200_000)
    optimizer = mdbopt.SGD(1.0)
    state = optimizer.init(x)
    taken = threading.Semaphore(0)
    refused = []

    def work():
        for _ in range(50):
            try:
                optimizer.step(x, g, state)
                taken.release()
            except ValueError as error:
                refused.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    count = 200 - len(refused)
    assert state.t == count
    assert np.all(x == -count)
    assert set(refused) <= {"SGD: state: another thread is stepping it, expected one at a time"}


def test_a_state_is_free_after_an_error_within_a_step(one):
    params, grads = trees(1, 2)
    optimizer = one.make()
    state = optimizer.init(params)

    def fail():
        raise KeyboardInterrupt

    wrong = grads | {"w": Hook(grads["w"], fail)}
    for _ in range(2):
        with nothing_written(state, params), pytest.raises(KeyboardInterrupt):
            optimizer.step(params, wrong, state)
        assert optimizer.step(params, grads, state)


# In a process of its own, since a wrong answer is a crash.
CHANGING = """
import numpy as np
import mdbopt


class Hook:
    def __init__(self, function):
        self.array, self.function = np.ones(3), function

    def __dlpack__(self, **request):
        self.function()
        return self.array.__dlpack__(**request)


def replace(tree):
    for place in list(tree) if isinstance(tree, dict) else range(len(tree)):
        tree[place] = np.zeros(3)


def extend(tree):
    more = {str(k): np.zeros(3) for k in range(1000)}
    tree.update(more) if isinstance(tree, dict) else tree.extend(more.values())


def remove(tree):
    tree.popitem() if isinstance(tree, dict) else tree.pop()


def exchange(tree):
    remove(tree)
    tree.update(new=np.zeros(3)) if isinstance(tree, dict) else tree.append(np.zeros(3))


def arrays(kind):
    return {k: np.ones(3) for k in "abcdefghi"} if kind is dict else [np.ones(3) for _ in range(9)]


for change in (replace, extend, remove, exchange, lambda tree: tree.clear()):
    for kind in (list, dict):
        for where in (0, 1, 2):
            for outer in (False, True):
                trees = [[arrays(kind)] for _ in range(2)]
                optimizer = mdbopt.Signum(1.0)
                state = optimizer.init(trees[0])
                all_trees = [*trees, state.m]
                changed = all_trees[where] if outer else all_trees[where][0]
                trees[1][0]["b" if kind is dict else 1] = Hook(lambda: change(changed))
                for _ in range(3):
                    try:
                        optimizer.step(*trees, state)
                    except (TypeError, ValueError, RuntimeError):
                        pass
print("done")
"""


def test_trees_that_change_while_they_are_read():
    """Any answer will do, but a crash."""
    assert run_python(CHANGING) == ["done"]


@pytest.mark.skipif(not HAS_FORK, reason="needs os.fork")
def test_a_forked_child_steps_on():
    code = """
import os, signal, warnings
import numpy as np
import mdbopt

warnings.filterwarnings("ignore", category=DeprecationWarning)
rng = np.random.default_rng(1)
x, g = rng.standard_normal((2, 400_007))
y = x.copy()
optimizer = mdbopt.AdamW(0.1, threads=4)
state, other = optimizer.init(x), optimizer.init(y)
plan = optimizer.plan(x, g, state)
for _ in range(3):
    plan.step()
for _ in range(5):
    optimizer.step(y, g, other)
results = []
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        plan.step()
        optimizer.step(x, g, state)
        os._exit(0 if np.array_equal(x, y) and state.t == 5 else 1)
    results.append(os.waitpid(pid, 0)[1])
plan.step()
plan.step()
print(results == [0, 0, 0], np.array_equal(x, y))
"""
    assert run_python(code) == ["True", "True"]


def test_no_more_steps_than_a_double_counts():
    params, grads = trees(1, 2)
    optimizer = mdbopt.AdamW()
    state = optimizer.init(params)
    state._core.t = 2**53 - 1
    assert optimizer.step(params, grads, state)
    assert state.t == 2**53
    text = r"^AdamW: t: 9007199254740992 steps are taken, expected fewer than 2\^53$"
    for step in (optimizer.step, lambda *a: optimizer.plan(*a).step()):
        with nothing_written(state, params), pytest.raises(ValueError, match=text):
            step(params, grads, state)
