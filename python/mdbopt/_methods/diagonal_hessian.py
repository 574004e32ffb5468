"""Steps divided by the diagonal of the Hessian, along a line search.

p_i = 1/max(|h_i|, damping·max|h|), h the diagonal of the Hessian at x: asked of a function at every
new point, or from differences of gradients, h_i = (g_i(x + ε_i e_i) - g_i(x))/ε_i, which take d
evaluations and are made anew after ``refresh`` accepted steps only. Jacobi's preconditioner, as in
the comparison of Kunstner et al. 2023, section 6.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mdbopt._methods._iteration import Array, Iteration, Limit
from mdbopt._methods._options import CALLABLE, number, whole
from mdbopt._methods.line_search import LineSearch

# ε over max(1, |x|), between the rounding of gradients and their curvature.
DIFFERENCE = {np.dtype(np.float64): 2.0**-26, np.dtype(np.float32): 2.0**-11}
# The same where the gradients themselves were found by differences.
DIFFERENCE_OF_DIFFERENCES = 2.0**-10


@dataclass(frozen=True, kw_only=True)
class DiagonalHessian(LineSearch):
    """Gradient descent scaled by the diagonal of the Hessian.

    Parameters
    ----------
    diagonal : callable, optional
        ``diagonal(x) -> h``, shape (d,). By default the ``hessian_diagonal`` of ``fun`` if it has
        one, as those of `mdbopt.problems` do, else differences.
    damping : float, default 1e-8
        The least |h| over the largest that is not raised to it.
    refresh : int, default 100
        Accepted steps from one diagonal by differences to the next.
    difference : float, optional
        ε_i over max(1, |x_i|); by default 2⁻²⁶, 2⁻¹¹ in float32, and 2⁻¹⁰ where gradients were
        found by differences themselves.
    """

    diagonal: Callable[[Array], Any] | None = field(default=None, metadata=CALLABLE)
    damping: float = number(1e-8, least=0.0, strict=True, below=1.0)
    refresh: int = whole(100, least=1)
    difference: float | None = number(None, least=0.0, strict=True)

    def shapes(self, size: int) -> Mapping[str, tuple[int, bool]]:
        return {"h": (size, True), "p": (size, True)}

    def first_numbers(self) -> dict[str, float]:
        return {"coordinate": -1.0, "age": 0.0}

    def limits(self, size: int) -> Mapping[str, Limit]:
        return {"number_coordinate": range(-1, size)}

    def start(self, run: Iteration) -> None:
        run.arrays["p"].fill(1.0)

    def first_step(self, run: Iteration) -> float | None:
        # A step of 1 is Newton's where the Hessian is diagonal.
        return 1.0 if self.lr is None else self.lr

    def begin(self, run: Iteration) -> None:
        if self.diagonal is None:
            run.numbers["coordinate"] = 0.0

    def _scale_by(self, run: Iteration) -> None:
        sizes = np.abs(run.arrays["h"])
        largest = sizes.max(initial=0.0, where=np.isfinite(sizes))
        if largest > 0.0:
            sizes[~np.isfinite(sizes)] = largest
            # Gradients are read times ``scale``.
            run.arrays["p"][:] = 1.0 / (np.maximum(sizes, self.damping * largest) * run.scale)

    def direct(self, run: Iteration) -> None:
        if self.diagonal is not None:
            h = np.asarray(self.diagonal(run.points["x"].copy()), np.float64)
            if h.shape != run.arrays["h"].shape:
                raise ValueError(
                    f"diagonal: expected an array of shape {run.arrays['h'].shape}, got {h.shape}"
                )
            run.arrays["h"][:] = h
            self._scale_by(run)
        run.along_scaled_gradient(run.arrays["p"])

    def trial(self, run: Iteration) -> float:
        i = int(run.numbers["coordinate"])
        if i < 0:
            return super().trial(run)
        x, x_trial = run.points["x"], run.points["x_trial"]
        np.copyto(x_trial, x)
        relative = DIFFERENCE[x.dtype] if self.difference is None else self.difference
        x_trial[i] += relative * max(1.0, abs(float(x[i])))
        return abs(float(x_trial[i]) - float(x[i]))

    def judge(self, run: Iteration, f: float, g: Array, sums: Any) -> bool | None:
        i = int(run.numbers["coordinate"])
        if i < 0:
            return super().judge(run, f, g, sums)
        x, x_trial, g_before = run.points["x"], run.points["x_trial"], run.points["g"]
        moved = float(x_trial[i]) - float(x[i])
        change = float(g[i]) - float(g_before[i])
        run.arrays["h"][i] = change / moved if moved != 0.0 else math.nan
        self._next_coordinate(run)
        return None

    def _next_coordinate(self, run: Iteration) -> None:
        run.numbers["coordinate"] += 1.0
        if run.numbers["coordinate"] == run.points["x"].size:
            run.numbers["coordinate"] = -1.0
            run.numbers["age"] = 0.0
            self._scale_by(run)
            self.direct(run)

    def follow(self, run: Iteration, moved: bool) -> None:
        if run.numbers["coordinate"] >= 0.0 or (not moved and run.failures == 0):
            return
        if moved and self.diagonal is None:
            run.numbers["age"] += 1.0
            if run.numbers["age"] >= self.refresh:
                run.numbers["coordinate"] = 0.0
        super().follow(run, moved)

    def hole(self, run: Iteration) -> None:
        if run.numbers["coordinate"] < 0.0:
            run.step *= 0.1
        else:
            run.arrays["h"][int(run.numbers["coordinate"])] = np.nan
            self._next_coordinate(run)
