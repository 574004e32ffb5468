"""Which arrays a name, a predicate or the rest stands for."""

import numpy as np
import pytest

import mdbopt

PARAMS = {
    "wte": np.zeros(2),
    "blocks": [
        {"attn": {"weight": np.zeros(3), "bias": np.zeros(1)}, "mlp.bias": np.zeros(4)},
        None,
        {"attn": {"weight": np.zeros(5), "bias": np.zeros(6)}, "mlp.bias": np.zeros(7)},
    ],
    "wte_scale": np.zeros(8),
}


def claimed(claim):
    """Return the sizes of the arrays that a claim is of."""
    rest = (mdbopt.SGD(), None)
    state = mdbopt.groups([(mdbopt.Lion(), claim), rest]).init(PARAMS)
    return sorted(state[f"{name}"].size for name in state if name.startswith("0.m"))


@pytest.mark.parametrize(
    ("claim", "sizes"),
    [
        ("wte", [2]),
        ("wte*", [2, 8]),
        ("bias", [1, 4, 6, 7]),
        ("attn.bias", [1, 6]),
        ("blocks.0", [1, 3, 4]),
        ("blocks.*.weight", [3, 5]),
        ("blocks.[12]", [5, 6, 7]),
        ("2.attn", [5, 6]),
        ("mlp.bias", [4, 7]),
        (["wte", "blocks.2.attn.bias"], [2, 6]),
        ({"wte", "wte_scale"}, [2, 8]),
        (lambda name, array: array.size > 5, [6, 7, 8]),
        (lambda name, array: name == "blocks.0.attn.weight", [3]),
        (["wte", lambda name, array: array.size == 8], [2, 8]),
        (("wte", "wte"), [2]),
    ],
)
def test_a_claim_is_of_these(claim, sizes):
    assert claimed(claim) == sizes


def init(*claims):
    return mdbopt.groups([(mdbopt.SGD(), claim) for claim in claims]).init(PARAMS)


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        (("wte", "wte*", None), r"params\['wte'\]: claimed by members\[0\] and members\[1\]"),
        (("wte", "blocks"), r"params\['wte_scale'\]: claimed by no group; a group of None"),
        (("wpe", None), r"members\[0\]: 'wpe' matches no array; their names are 'wte', 'blocks.0"),
        ((["wte", "t"], None), r"members\[0\]: 't' matches no array"),
        ((lambda *_: False, None), r"members\[0\]: has no array, expected one at least"),
        (("*", None), r"members\[1\]: has no array"),
    ],
)
def test_refused_claims(claims, words):
    with pytest.raises(ValueError, match=words):
        init(*claims)


def test_a_bare_array_is_the_rest():
    x = np.ones(3)
    optimizer = mdbopt.groups([(mdbopt.SGD(1.0), None)])
    optimizer.step(x, np.ones(3), optimizer.init(x))
    assert (x == 0.0).all()
