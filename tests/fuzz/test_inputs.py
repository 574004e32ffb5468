"""The fuzzers that are Python, over their seeds and some inputs more, without libFuzzer."""

import ast
import pathlib

import covered
import options
import pytest
import states
import tables
from hypothesis import given, settings
from hypothesis import strategies as st
from source import refused

SEEDS = pathlib.Path(__file__).parent / "seeds"
MODULES = [options, states, tables]


@pytest.fixture(scope="module", params=MODULES, ids=[module.__name__ for module in MODULES])
def module(request):
    if request.param is tables:
        pytest.importorskip("pandas")
        pytest.importorskip("sklearn")
    return request.param


def test_seeds(module):
    seeds = sorted((SEEDS / module.__name__).iterdir())
    assert seeds
    for seed in seeds:
        module.one_input(seed.read_bytes())


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_other_inputs(module, data):
    module.one_input(data.draw(st.binary(min_size=4, max_size=120)))


@pytest.mark.parametrize(
    "error", [ValueError("wrong"), KeyError("lr"), UnicodeDecodeError("utf-8", b"", 0, 1, "lr")]
)
def test_what_is_a_finding(error):
    refused(ValueError("AdamW: lr: expected a number"), {"lr"}, "AdamW")
    with pytest.raises(AssertionError, match="AdamW"):
        refused(error, {"lr"}, "AdamW")


BRANCHES = '''
def sign(x):
    """Say a sign."""
    if x > 0:
        return "positive"
    elif x < 0:
        return "negative"
    try:
        return {0: "zero"}[x]
    except KeyError:
        return "none"
'''


def test_each_block_is_counted():
    hits = []
    namespace = {covered.HIT: hits.append}
    exec(compile(covered.Counted().visit(ast.parse(BRANCHES)), "branches", "exec"), namespace)
    sign = namespace["sign"]
    assert sign.__doc__ == "Say a sign."
    paths = {}
    for x in (1.0, -1.0, 0.0, float("nan"), 2.0):
        hits.clear()
        paths.setdefault(sign(x), set()).add(tuple(hits))
    assert list(paths) == ["positive", "negative", "zero", "none"]
    assert all(len(taken) == 1 for taken in paths.values())
    assert len(set.union(*paths.values())) == 4
