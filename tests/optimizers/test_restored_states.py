"""What cannot be restored is refused by name."""

import math

import numpy as np
import pytest
from optimizer_cases import CASES, CLASSES, built, drawn, same_all
from state_helpers import SIZES, TEMPLATE, begin, copied

import mdbopt


def damaged(case, **changes):
    _, _, state = begin(CASES[case])
    saved = dict(state) | changes
    return {key: value for key, value in saved.items() if value is not ...}


# The row of the state, what is changed (... is left out), and what the message says.
DAMAGED = {
    "t missing": ("AdamW", {"t": ...}, "saved: 't' is missing"),
    "optimizer missing": ("AdamW", {"optimizer": ...}, "saved: 'optimizer' is missing"),
    "array missing": ("AdamW", {"m['w']": ...}, "saved: \"m['w']\" is missing"),
    "number missing": ("HypergradientSGD", {"alpha": ...}, "saved: 'alpha' is missing"),
    "value missing": ("OSGM", {"value": ...}, "saved: 'value' is missing"),
    "left over": ("AdamW", {"extra": 1}, "saved: 'extra' is not part of this optimizer's state"),
    "shape": ("AdamW", {"v['w']": np.ones((4, 3))}, "has shape (4, 3), expected (3, 4)"),
    "size": ("AdamW", {"m[7][1][0]": np.ones(1)}, "has shape (1,), expected ()"),
    "other class": (
        "AdamW",
        {"optimizer": "Adam"},
        "saved: made by Adam, expected a state of AdamW",
    ),
    "t negative": ("AdamW", {"t": -1}, "saved: 't': expected a whole number >= 0, got -1"),
    "t fraction": ("AdamW", {"t": 1.5}, "saved: 't': expected a"),
    "t NaN": ("AdamW", {"t": math.nan}, "saved: 't': expected a"),
    "t text": ("AdamW", {"t": "three"}, "saved: 't': expected a"),
    "t array": ("AdamW", {"t": np.arange(2)}, "saved: 't': expected a"),
    "t huge": ("AdamW", {"t": 10**30}, "saved: 't': expected a"),
    "number text": ("HypergradientSGD", {"alpha": "a"}, "saved: 'alpha': expected a real number"),
    "number array": ("OSGM", {"norm2": np.ones(3)}, "saved: 'norm2': expected a real number"),
    "array of text": ("AdamW", {"m['w']": np.full((3, 4), "a")}, "saved: \"m['w']\""),
    "array of complex": ("AdamW", {"m['w']": np.ones((3, 4), complex)}, "saved: \"m['w']\""),
    "array None": ("AdamW", {"m['w']": None}, "saved: \"m['w']\""),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_states_are_refused(name):
    case, changes, text = DAMAGED[name]
    optimizer, params, _ = begin(CASES[case])
    before = copied(params)
    with pytest.raises((TypeError, ValueError)) as caught:
        optimizer.restore(params, damaged(case, **changes))
    assert str(caught.value).startswith(f"{case}: saved: ")
    assert text in str(caught.value)
    assert same_all(params, before)


@pytest.mark.parametrize("saved", [None, [], 3, "state", np.ones(3)])
def test_what_is_no_saved_state(saved):
    with pytest.raises((TypeError, ValueError), match=r"^AdamW: saved: "):
        mdbopt.AdamW().restore(np.ones(3), saved)


def test_a_state_of_other_parameters_or_another_optimizer_is_refused(one):
    _, _, state = begin(one)
    if state._arrays:
        for others in (np.ones(3), [np.ones(3)], {"w": np.ones((3, 4))}):
            with pytest.raises(ValueError, match=f"^{one.label}: saved: .* is (missing|not part)"):
                one.make().restore(others, state)
    for label, other in CLASSES.items():
        if label != one.label:
            with pytest.raises(ValueError, match=f"^{label}: saved: "):
                other.make().restore(built(TEMPLATE, drawn(1, SIZES)), state)
