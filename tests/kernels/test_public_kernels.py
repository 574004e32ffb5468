"""What `mdbopt.kernels` offers: a named set, each kernel with a docstring that says all of it."""

import doctest
import math

import numpy as np
import pytest

import mdbopt
from mdbopt import kernels
from mdbopt.kernels import _descriptions, _internal

# A contract: a name may come, none may go.
OF_SETS = {
    "box_cut", "box_cut_trial", "box_trial", "ellipsoid_cut", "ellipsoid_cut_at",
    "ellipsoid_cut_trial", "ellipsoid_norm", "ellipsoid_shrink", "ellipsoid_trial",
    "gradient_trial", "simplex_cut", "simplex_cut_trial",
}  # fmt: skip
PLAIN = {"dot", "hypergradient", "norm"}
UPDATES = {rule.name for rule in _internal.RULES if rule.update}
SECTIONS = ("Parameters", "Returns", "Raises", "Notes", "Examples")
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.fixture(params=mdbopt.rules(), ids=lambda rule: rule.name)
def rule(request):
    return request.param


@pytest.fixture
def documented(rule):
    """Return the docstring's entries: what stands above each indented text, and that text."""
    entries, name = {}, ""
    for line in getattr(kernels, rule.name).__doc__.splitlines():
        if line.startswith("    ") and name:
            entries[name] = f"{entries[name]} {line.strip()}".strip()
        elif line:
            name = line
            entries.setdefault(name, "")
    return entries


def test_the_set_is_named():
    assert set(kernels.__all__) == OF_SETS | PLAIN | UPDATES
    assert dir(kernels) == sorted(kernels.__all__) == sorted(r.name for r in mdbopt.rules())
    assert set(_descriptions.DESCRIPTIONS) == OF_SETS | PLAIN


def test_what_searches_use_inside_is_not_offered():
    for rule in _internal.RULES:
        assert hasattr(kernels, rule.name) == (rule in mdbopt.rules())
        assert getattr(_internal, rule.name).rule is rule
    for name in ("pair", "learn", "box_advance", "coast"):
        with pytest.raises(AttributeError, match=rf"^mdbopt\.kernels has no rule '{name}'"):
            getattr(kernels, name)
    with pytest.raises(AttributeError, match=r"^the core has no rule 'newton'"):
        _internal.newton  # noqa: B018


def test_docstrings_have_all_sections(rule, documented):
    lines = getattr(kernels, rule.name).__doc__.splitlines()
    for section in SECTIONS:
        assert lines[lines.index(section) + 1] == "-" * len(section)
    assert lines[0] == f"{rule.summary}."
    assert max(len(line) for line in lines[1:]) <= 100


def test_docstrings_say_what_each_argument_is(rule, documented):
    for stream in rule.streams:
        dtypes = dict.fromkeys(stream.dtypes.values())
        text = next(t for e, t in documented.items() if e.startswith(f"{stream.name} : array of"))
        entry = next(e for e in documented if e.startswith(f"{stream.name} : array of"))
        assert all(dtype in entry for dtype in dtypes)
        assert text.endswith(
            {"in": "Read.", "out": "Written.", "inout": "Read and written, in place."}[stream.role]
        )
    for name, default in rule.scalars:
        entry = f"{name} : float" + ("" if math.isnan(default) else f", default {default:g}")
        assert documented[entry]
    for name, _ in rule.sums:
        assert documented.get(f"{name} : float") or any(
            text for entry, text in documented.items() if entry.startswith(f"{name} : float")
        )
    assert ("lr : float or array" in documented) == rule.update == rule.takes_lr


def test_no_word_of_a_set_is_left_to_guess(rule, documented):
    if not rule.update:
        assert "As in the formula." not in documented.values()
        assert all(
            text not in ("Read.", "Written.", "Read and written, in place.")
            for text in documented.values()
        )


def test_no_word_is_left_over():
    """A word that no kernel has any more would explain nothing."""

    def names(rules):
        return {
            name
            for rule in rules
            for name in (
                *(stream.name for stream in rule.streams),
                *(name for name, _ in (*rule.scalars, *rule.sums)),
            )
        }  # fmt: skip

    updates = [rule for rule in mdbopt.rules() if rule.update]
    others = {rule.name: rule for rule in mdbopt.rules() if not rule.update}
    assert set(_descriptions.UPDATE_WORDS) <= names(updates)
    assert set(_descriptions.WORDS) <= names(others.values())
    for name, description in _descriptions.DESCRIPTIONS.items():
        assert set(description.words) <= names([others[name]])


def test_examples_run(rule):
    test = doctest.DocTestParser().get_doctest(
        getattr(kernels, rule.name).__doc__, {}, rule.name, None, 0
    )
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    runner.run(test)
    assert runner.summarize(verbose=False).failed == 0
    assert runner.summarize(verbose=False).attempted > 2


def test_a_shrunk_ellipsoid_is_the_smallest():
    """Newton's method by `ellipsoid_shrink` ends at the λ that its docstring promises."""
    rng = np.random.default_rng(0)
    u, axes = rng.uniform(0.0, 2.0, 6), rng.uniform(0.5, 2.0, 6)

    def volume(weight):
        cut = axes.copy()
        assert kernels.ellipsoid_cut_at(u, cut, weight=weight).applied
        return float(np.prod(cut))

    weight = 0.9
    for _ in range(30):
        sums = kernels.ellipsoid_shrink(u, axes, weight=weight)
        weight = min(max(weight + sums.slope / sums.curvature, 1e-6), 1.0)
    best = volume(weight)
    assert best < volume(min(weight * 1.05, 1.0)) * (1 - 1e-6)
    assert best < volume(weight * 0.95) * (1 - 1e-6)


def test_fused_kernels_do_what_their_docstrings_say():
    """The cut and the trial in one walk, against the three kernels that it is said to be."""
    rng = np.random.default_rng(1)
    x, g, g_trial = rng.standard_normal((3, 50))
    for shape, cut in (("box", "box_cut"), ("simplex", "simplex_cut"),
                       ("ellipsoid", "ellipsoid_cut_at")):  # fmt: skip
        at = {"cut": 3.0} if shape == "box" else {"cut": 3.0, "weight": 0.4}
        fused, apart = rng.uniform(0.1, 2.0, (1, 50)).repeat(2, 0)
        one, other, u = np.empty(50), np.empty(50), np.empty(50)
        sums = getattr(kernels, f"{shape}_cut_trial")(
            x, g, g_trial, fused, one, step=0.5, cocoercive=0.0, **at
        )
        kernels.hypergradient(g, g_trial, u)
        getattr(kernels, cut)(u, apart, **at)
        assert sums == kernels.box_trial(x, g, apart, other, step=0.5)
        assert np.array_equal(fused, apart)
        assert np.array_equal(one, other)
