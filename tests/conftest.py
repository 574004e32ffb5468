"""What every test finds: a collector of garbage that leaves the tests themselves alone."""

import gc


def pytest_collection_finish():
    """Take the tests out of all collections to come, which would walk through every one of them."""
    gc.freeze()
