"""Hyperparameters: their ranges, defaults and kinds, for all optimizers."""

import copy
import dataclasses
import inspect
import math
import pickle
import re

import numpy as np
import pytest
from optimizer_case import BOOL, FRACTION, NOT_NEGATIVE, WORD
from optimizer_cases import CASES, CLASSES

import mdbopt
from mdbopt import optimizers

# What is refused of what all optimizers take.
COMMON = {
    "lr": NOT_NEGATIVE,
    "weight_decay": (-1e-9, math.nan, math.inf, "0", True, None, np.ones((2, 2)), [-1.0]),
    "decoupled": BOOL,
    "decay": WORD,
    "maximize": BOOL,
    "rounding": WORD,
    "state_dtype": tuple(word for word in WORD if word is not None),
    "state_rounding": WORD,
    "master": tuple(word for word in WORD if word is not None),
    "max_update": (0, -1e-9, math.nan, math.inf, "0", True, 1j),
    "average": tuple(value for value in FRACTION if value is not None),
    "l1": NOT_NEGATIVE,
    "seed": (-1, 1.5, 2**64, "0", None, True, math.nan),
    "flush_subnormals": BOOL,
    "backend": ("sse9", 3, True),
    "threads": (0, -1, 1.5, "2", True, math.inf),
    "reducer": (0, "all", np.ones(2)),
}
# And of what each takes besides.
OWN = {label: case.refused for label, case in CLASSES.items()}


WORDS = ("rounding", "mode", "backend", "state_dtype", "state_rounding", "master")
WORDS += ("decay", "cautious", "scale")


def kind(one):
    return getattr(optimizers, one.label)


def test_every_hyperparameter_has_a_row():
    assert sorted(OWN) == sorted(optimizers.__all__) == sorted(CLASSES)
    for label, own in OWN.items():
        names = [field.name for field in dataclasses.fields(getattr(mdbopt, label))]
        assert sorted(names) == sorted({*COMMON, *own})


@pytest.mark.parametrize("label", OWN)
def test_what_is_out_of_range_is_refused(label):
    rows = (COMMON | OWN[label]).items()
    for name, value in ((name, value) for name, values in rows for value in values):
        arguments = {"lr": 0.1, name: value}
        with pytest.raises((TypeError, ValueError)) as caught:
            getattr(mdbopt, label)(**arguments)
        text = str(caught.value)
        assert re.match(rf"{label}: {name}(\[[01]\])?: expected ", text), (label, name, value, text)
        if isinstance(value, (str, bool, type(None), complex)):
            unknown_word = isinstance(value, str) and name in WORDS
            assert caught.type is (ValueError if unknown_word else TypeError), (name, value)


@pytest.mark.parametrize("label", OWN)
def test_the_ends_of_the_ranges_are_taken(label):
    optimizer = getattr(mdbopt, label)
    ends = ((FRACTION, (0, 0.0, 1 - 2**-53)), (NOT_NEGATIVE, (0, 0.0, 1e300)), (BOOL, (True,)))
    for name, values in OWN[label].items():
        for value in next((some for kind, some in ends if kind is values), ()):
            extra = {"momentum": 0.5} if name in ("nesterov", "heavy_ball") else {}
            if (label, name) == ("DiagonalHypergradient", "hyper_lr"):
                extra["mode"] = "additive"
            if name == "cautious_weight_decay":
                extra["decoupled"] = True
            assert getattr(optimizer(0.1, **extra, **{name: value}), name) == value
    for name, value in (("weight_decay", 0), ("seed", 2**64 - 1), ("threads", 1), ("lr", 5e-324)):
        given = {"step_sizes": (5e-324, 50)} if label == "Rprop" else {}
        if label != "Rprop":
            assert optimizer(0.0).lr == 0.0
        assert getattr(optimizer(**{"lr": 0.1} | given | {name: value}), name) == value


@pytest.mark.parametrize("mode", ["log", "weights"])
def test_an_exponent_has_a_largest_size(mode):
    assert mdbopt.DiagonalHypergradient(0.1, mode=mode, hyper_lr=80).hyper_lr == 80.0
    with pytest.raises(ValueError, match=r"hyper_lr: expected at most 80\.0, .*, got 80\.5"):
        mdbopt.DiagonalHypergradient(0.1, mode=mode, hyper_lr=80.5)


EXCLUSIONS = [
    ({"nesterov": True}, "nesterov: expected momentum > 0 and dampening = 0 with it"),
    ({"heavy_ball": True}, "heavy_ball: expected momentum > 0 and dampening = 0 with it"),
    (
        {"momentum": 0.9, "dampening": 0.1, "nesterov": True},
        "nesterov: expected momentum > 0 and dampening = 0 with it",
    ),
    (
        {"momentum": 0.9, "dampening": 0.1, "heavy_ball": True},
        "heavy_ball: expected momentum > 0 and dampening = 0 with it",
    ),
    (
        {"momentum": 0.9, "nesterov": True, "heavy_ball": True},
        "heavy_ball: expected False with nesterov=True",
    ),
]


@pytest.mark.parametrize(("options", "text"), EXCLUSIONS)
def test_forms_of_momentum_exclude_each_other(options, text):
    with pytest.raises(ValueError, match=f"^SGD: {re.escape(text)}$"):
        mdbopt.SGD(0.1, **options)


def test_adamw_is_decoupled():
    with pytest.raises(ValueError, match=r"^AdamW: decoupled: expected True; Adam has L2 decay$"):
        mdbopt.AdamW(decoupled=False)


def test_rprop_starts_within_its_step_sizes():
    text = r"^Rprop: step_sizes: expected a range that holds lr=0\.1, got \(0\.2, 1\.0\)$"
    with pytest.raises(ValueError, match=text):
        mdbopt.Rprop(0.1, step_sizes=(0.2, 1.0))
    assert mdbopt.Rprop(0.1, step_sizes=(0.1, 0.1)).lr == 0.1


@pytest.mark.parametrize(
    "kind", [mdbopt.HypergradientSGD, mdbopt.HypergradientAdam, mdbopt.DiagonalHypergradient]
)
def test_a_learned_multiple_of_0_is_refused(kind):
    text = rf"^{kind.__name__}: lr: expected a number > 0 with mode='additive', .* got 0\.0$"
    with pytest.raises(ValueError, match=text):
        kind(0.0, mode="additive")
    with pytest.raises(ValueError, match=r"^Rprop: step_sizes: expected a range that holds lr=0"):
        mdbopt.Rprop(0.0)


def test_a_step_size_of_0_in_every_place(case):
    optimizers = [] if case.label == "Rprop" or "mode" in case.options else [case]
    for each in (case.make(), *(dataclasses.replace(o.make(), lr=0.0) for o in optimizers)):
        for zero in (0, 0.0, np.array(0.0), np.float32(0), np.array(0)):
            x = [np.ones(2), np.ones(3)]
            state = each.init(x)
            options = {} if each.lr == 0.0 else {"lr": zero}
            assert each.step(x, [np.ones(2), np.ones(3)], state, **options)
            assert each.step(x, [np.ones(2), np.ones(3)], state, lr=[zero, zero])
            assert all(np.all(a == 1) for a in x)


# --- what they are -------------------------------------------------------------------------------
def test_only_lr_comes_by_position(one):
    assert kind(one)(0.05).lr == 0.05
    with pytest.raises(TypeError, match="positional"):
        kind(one)(0.05, 0.9)
    with pytest.raises(TypeError, match="learning_rate"):
        kind(one)(learning_rate=0.05)


def test_they_are_frozen(one):
    optimizer = one.make()
    for name in (field.name for field in dataclasses.fields(optimizer)):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(optimizer, name, getattr(optimizer, name))
    with pytest.raises(dataclasses.FrozenInstanceError):
        optimizer.other = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        del optimizer.lr


def test_equal_options_make_equal_optimizers(case):
    first, second = case.make(), case.make()
    assert first == second
    assert hash(first) == hash(second)
    for duplicate in (copy.copy, copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))):
        assert duplicate(first) == first
    assert dataclasses.replace(first, lr=0.2) != first
    assert dataclasses.replace(first, lr=0.1) == first
    assert eval(repr(first), vars(mdbopt)) == first
    assert len({row.make() for row in CASES.values()}) == len(CASES)
    assert len({CASES["Adam"].make(), CASES["AMSGrad"].make()}) == 2


@pytest.mark.parametrize("number", [np.float32, np.float64, np.float16, np.array])
def test_numbers_of_any_kind_become_plain(one, number):
    fields = {f.name: f.default for f in dataclasses.fields(kind(one)) if type(f.default) is float}
    fields["lr"] = 0.25
    # Of 0.9999 float16 makes 1, which no average has.
    fields = {name: value for name, value in fields.items() if value == 1 or number(value) != 1}
    plain = {name: float(number(value)) for name, value in fields.items()}
    optimizer = kind(one)(**{name: number(value) for name, value in fields.items()})
    assert optimizer == kind(one)(**plain)
    assert hash(optimizer) == hash(kind(one)(**plain))
    for name in fields:
        assert type(getattr(optimizer, name)) is float


def test_whole_numbers_and_flags_of_any_kind_become_plain(one):
    optimizer = kind(one)(
        seed=np.int64(3), threads=2.0, maximize=np.True_, flush_subnormals=np.False_
    )
    assert optimizer == kind(one)(seed=3, threads=2, maximize=True, flush_subnormals=False)
    assert [type(getattr(optimizer, name)) for name in ("seed", "threads")] == [int, int]
    assert optimizer.maximize is True
    assert optimizer.flush_subnormals is False
    x = np.ones(3)
    assert optimizer.step(x, np.ones(3), optimizer.init(x))


def test_pairs_in_any_form_are_the_same():
    listed = mdbopt.Rprop(0.1, etas=np.array([0.5, 2]), step_sizes=[np.float64(0.01), 1])
    assert listed == mdbopt.Rprop(0.1, etas=(0.5, 2.0), step_sizes=(0.01, 1.0))
    assert isinstance(hash(listed), int)


# A line of "Parameters": its names, and its defaults if it says some.
DOCUMENTED = re.compile(r"^(\w[\w, ]*) : .*?(?:, default (.*))?$", re.MULTILINE)


def test_documented_defaults_are_the_defaults(one):
    said = {}
    for names, defaults in DOCUMENTED.findall(inspect.getdoc(kind(one))):
        names = names.split(", ")
        values = re.findall(r"\([^)]*\)|[^, ]+", defaults) or [None] * len(names)
        said |= dict(zip(names, values * len(names) if len(values) == 1 else values, strict=False))
    assert "lr" in said
    fields = {field.name: field.default for field in dataclasses.fields(kind(one))}
    for name, value in said.items():
        assert name in fields
        if value is not None:
            assert eval(value) == fields[name], name
