"""Rows over all optimizers: `case` with every set of options, `one` with one of each class."""

import pytest
from optimizer_cases import CASES, CLASSES


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


@pytest.fixture(params=CLASSES)
def one(request):
    return CLASSES[request.param]


@pytest.fixture(params=["step", "plan"])
def bound(request):
    """Give what steps an optimizer with its arguments bound."""
    if request.param == "step":
        return lambda optimizer, *arguments: lambda **o: optimizer.step(*arguments, **o)
    return lambda optimizer, *arguments: optimizer.plan(*arguments).step
