"""What every test finds: a collector of garbage that leaves the tests themselves alone."""

import gc
import sys


def pytest_collection_finish():
    """Take the tests out of all collections to come, which would walk through every one of them."""
    if "hypothesis" in sys.modules:
        _let_hypothesis_begin()
    gc.freeze()


def _let_hypothesis_begin():
    """It asks the collector who holds its generator, which no longer tells of what is taken out."""
    from hypothesis import given, strategies

    given(strategies.none())(lambda _: None)()
