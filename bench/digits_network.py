"""A network on scikit-learn's digits: `mdbopt.torch.Guarded` beside torch.optim.LBFGS, full batch.

Two layers, cross-entropy plus l2/2 times all squares; LBFGS with its strong Wolfe line search and
as many pairs. The target is the lowest loss that LBFGS reaches in 200 evaluations; counted are
those of Guarded until it is there, and how many of its trials did not win. float64, or --dtype.

    python bench/digits_network.py --seeds 0,1,2
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from typing import Any

import _common

EVALUATIONS = 200
MOST = 3 * EVALUATIONS
MEMORY = 80
# Steps end with the evaluations alone.
OPEN = {"max_iter": MOST, "max_eval": MOST, "tolerance_grad": 0.0, "tolerance_change": 0.0}


class Enough(Exception):
    """Ends a step from within its closure."""


class Fit:
    """A network with its loss, new for each run.

    Parameters
    ----------
    activation : str
        A class of torch.nn.
    hidden, seed : int
        Units of the first layer; what weights are drawn with.
    l2 : float
        Penalty on all parameters.
    dtype : str
        Of data and parameters.
    """

    def __init__(self, activation: str, hidden: int, l2: float, seed: int, dtype: str) -> None:
        import torch
        from sklearn.datasets import load_digits

        self._torch, self._l2 = torch, l2
        images, labels = load_digits(return_X_y=True)
        kind = getattr(torch, dtype)
        self._x, self._y = torch.tensor(images / 16.0, dtype=kind), torch.tensor(labels)
        torch.manual_seed(seed)
        first, last = torch.nn.Linear(64, hidden), torch.nn.Linear(hidden, 10)
        self._model = torch.nn.Sequential(first, getattr(torch.nn, activation)(), last).to(kind)

    def losses(
        self, make: Callable[[list[Any]], Any], most: int, target: float
    ) -> tuple[list[float], int]:
        """Give the loss at each evaluation until the target or `most`, and the accepted trials."""
        params = list(self._model.parameters())
        optimizer = make(params)
        losses: list[float] = []

        def closure() -> Any:
            optimizer.zero_grad()
            loss = self._torch.nn.functional.cross_entropy(self._model(self._x), self._y)
            loss = loss + self._l2 / 2 * sum(param.square().sum() for param in params)
            loss.backward()
            losses.append(loss.item())
            if losses[-1] <= target or len(losses) >= most:
                raise Enough
            return loss

        try:
            while True:
                known = len(losses)
                optimizer.step(closure)
                if len(losses) == known:
                    break
        except Enough:
            pass
        search = getattr(optimizer, "_state", None)
        return losses, search.accepted if search is not None else 0


def compare(*case: Any) -> dict[str, Any]:
    """Fit by LBFGS, then by Guarded to the same loss."""
    import torch

    import mdbopt.torch

    def lbfgs(params: list[Any]) -> Any:
        wolfe = {"line_search_fn": "strong_wolfe", "history_size": MEMORY}
        return torch.optim.LBFGS(params, **OPEN, **wolfe)

    def guarded(params: list[Any]) -> Any:
        return mdbopt.torch.Guarded(params, memory=MEMORY, **OPEN)

    theirs, _ = Fit(*case).losses(lbfgs, EVALUATIONS, -float("inf"))
    ours, accepted = Fit(*case).losses(guarded, MOST, min(theirs))
    reached = ours[-1] <= min(theirs)
    return {
        **dict(zip(("activation", "hidden", "l2", "seed", "dtype"), case, strict=True)),
        "loss": min(theirs),
        "evaluations": len(ours) if reached else None,
        "ratio": len(ours) / EVALUATIONS if reached else float("nan"),
        "accepted": accepted,
    }


def main() -> None:
    """Read the command line and run."""
    parser = _common.parser(__doc__)
    parser.add_argument("--seeds", type=_common.parse_sizes, default=[0, 1])
    parser.add_argument("--dtype", choices=("float64", "float32"), default="float64")
    args = parser.parse_args()
    try:
        import sklearn  # noqa: F401
        import torch
    except ModuleNotFoundError as error:
        sys.exit(f"digits_network.py needs {error.name}")
    torch.set_num_threads(1)
    _common.print_machine()
    cases = itertools.product(("Tanh", "ReLU"), (32, 64), (1e-3, 1e-4), args.seeds, (args.dtype,))
    rows = [compare(*case) for case in cases]
    _common.print_table(list(rows[0]), [list(row.values()) for row in rows])
    mean = _common.geometric_mean(row["ratio"] for row in rows)
    print(f"\nevaluations over LBFGS's {EVALUATIONS}, geometric mean: {mean:.3f}")
    _common.write_json(args.json, {"digits_network": rows, "mean": mean})


if __name__ == "__main__":
    _common.run_main(main)
