"""Many threads of Python that use the package at once, for the thread sanitizer; also fine without.

Run as a program: python tests/python_threads.py [seconds]. What threads do with arrays and states
of their own gives the bits of one thread; what two do with one state at a time works or is refused.
"""

import copy
import importlib
import random
import sys
import threading
import time

import numpy as np

THREADS = 6
SIZE = 20_000  # two threads of the core share it
FEW = 7
MANY = 5_000  # coordinates of a search for which the interpreter's lock is let go
# A package comes behind those of whose parts it imports some.
MODULES = [
    "mdbopt", "mdbopt.kernels", "mdbopt.optimizers", "mdbopt.stochastic", "mdbopt.problems",
    "mdbopt.data", "mdbopt.studies", "mdbopt.cli",
]  # fmt: skip
CURVATURES = np.linspace(1.0, 30.0, MANY)
OPTIMIZERS = ["AdamW", "SGD", "Prodigy", "NovoGrad", "OSGM", "LAMB", "ScheduleFreeAdamW", "Lion"]
SEARCHES = ["Guarded", "Box", "Ellipsoid", "Simplex", "Backtracking"]
# Another thread works on the state, has judged the point proposed, has ended the search, or has put
# another array into a tree.
REFUSED = (
    "another thread", "no point is proposed", "the search has ended",
    "expected 2 items as params", "expected a dict with the 2 keys", "changed its size",
)  # fmt: skip


def evaluate(x):
    h = CURVATURES[-x.size :]
    return float(0.5 * np.sum(h * (x - 1.0) ** 2)), h * (x - 1.0)


def steps(name, threads):
    """Return parameters after a few steps of an optimizer."""
    import mdbopt

    optimizer = getattr(mdbopt, name)(threads=threads)
    params = {"a": np.linspace(-1, 1, SIZE), "b": np.ones(5)}
    state = optimizer.init(params)
    for _ in range(3):
        optimizer.step(params, {"a": 0.1 * params["a"], "b": 2.0 * params["b"]}, state)
    optimizer.restore(params, dict(state))
    return params["a"].tobytes() + params["b"].tobytes()


def judgements(name, size):
    """Return where a search is after a few steps."""
    import mdbopt

    search = getattr(mdbopt, name)(threads=2)
    x = np.zeros(size)
    state = search.init(x, *evaluate(x))
    for _ in range(6):
        if not search.converged(state):
            search.judge(state, *evaluate(search.propose(state)))
    return search.restore(dict(state)).x.tobytes()


def run(method):
    """Return where a run ends."""
    import mdbopt

    options = {"maxfun": 15}
    result = mdbopt.minimize(evaluate, np.zeros(FEW), method=method, jac=True, options=options)
    return np.asarray(result.x).tobytes()


def sums(threads):
    """Return a sum over an array that all threads read."""
    from mdbopt import kernels

    return kernels.norm(SHARED, threads=threads)


class Owned:
    """States that threads work on at the same time."""

    def __init__(self):
        import mdbopt

        self.optimizer, self.params = mdbopt.Prodigy(threads=1), np.ones(SIZE)
        self.state = self.optimizer.init(self.params)
        self.search, self.x = mdbopt.Guarded(threads=1), np.zeros(MANY)
        self.judged = self.search.init(self.x, *evaluate(self.x))
        self.adam = mdbopt.AdamW(threads=1)
        self.tree = {"a": np.ones(40), "b": [np.ones(5), np.ones(5)]}
        self.grads, self.tree_state = copy.deepcopy(self.tree), self.adam.init(self.tree)

    def use(self, chance):
        """Do something with them, which may be refused."""
        try:
            tasks = [self.step, self.ask, self.judge, self.look, self.step_tree, self.replace]
            chance.choice(tasks)()
        except ValueError as error:
            if not any(words in str(error) for words in REFUSED):
                raise

    def step(self):
        self.optimizer.step(self.params, SHARED[: self.params.size], self.state)

    def step_tree(self):
        self.adam.step(self.tree, self.grads, self.tree_state)

    def replace(self):
        self.grads["a"], self.grads["b"][1], self.grads["c"] = np.ones(40), np.ones(5), np.ones(2)
        self.grads["b"].append(self.grads.pop("c", None))
        self.grads["b"].pop()

    def ask(self):
        # Its arrays are NumPy's, which copies them without asking.
        repr(self.state)
        float(self.state.d)

    def judge(self):
        if not self.search.converged(self.judged):
            self.search.judge(self.judged, *evaluate(self.search.propose(self.judged)))

    def look(self):
        repr(self.judged)
        dict(self.judged)


SHARED = np.linspace(0.0, 1.0, SIZE)


def jobs():
    """Return what threads do, each with a result that is always the same."""
    made = [(steps, (name, threads)) for name in OPTIMIZERS for threads in (1, 2)]
    made += [(judgements, (name, size)) for name in SEARCHES for size in (FEW, MANY)]
    made += [(run, (method,)) for method in ("guarded", "box", "gd", "bb")]
    return made + [(sums, (threads,)) for threads in (1, 2, 3)]


def main(seconds: float) -> None:
    """Let threads work for so long; raise what one of them has raised."""
    failures: list[BaseException] = []
    results: dict[object, object] = {}
    owned: list[Owned] = []
    together = threading.Barrier(THREADS)
    counts = [0] * THREADS

    def work(index):
        chance = random.Random(index)
        try:
            together.wait()
            # A package that runs its __init__ must be whole before parts of it are asked for by
            # name: threads that do both at once see modules half made or wait for each other,
            # which Python ends with an error, in any package.
            for name in MODULES:
                importlib.import_module(name)
            if index == 0:
                owned.append(Owned())
            together.wait()
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                if chance.random() < 0.3:
                    owned[0].use(chance)
                else:
                    job, given = chance.choice(JOBS)
                    found = job(*given)
                    key = (
                        job.__name__,
                        given[:1] if job is steps else given if job is not sums else (),
                    )
                    if results.setdefault(key, found) != found:
                        raise AssertionError(f"{job.__name__}{given} has other bits")
                counts[index] += 1
        except BaseException as error:
            failures.append(error)
            together.abort()

    workers = [threading.Thread(target=work, args=(index,)) for index in range(THREADS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for failure in failures:
        if not isinstance(failure, threading.BrokenBarrierError):
            raise failure
    print(f"{sum(counts)} pieces of work by {THREADS} threads, the same bits as ever")


JOBS = jobs()

if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0)
