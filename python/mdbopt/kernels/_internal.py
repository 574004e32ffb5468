"""Every rule of the core by its name, for tests and benches.

Beside those of `mdbopt.kernels`, what searches alone are made of: it changes without notice.
"""

from __future__ import annotations

from mdbopt.kernels._kernel import Kernel, all_kernels
from mdbopt.kernels._rules import all_rules

RULES = all_rules()

globals().update(all_kernels())


def __getattr__(name: str) -> Kernel:
    raise AttributeError(f"the core has no rule {name!r}")
