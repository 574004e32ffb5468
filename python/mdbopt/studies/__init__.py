"""studies – the experiments of the papers, each one command: ``mdbopt study heavy-tails``.

A study finds its numbers, draws them, says in three sentences what to see, and checks what the
paper claims against the numbers. docs/studies.md says for each of them what was seen.

>>> from mdbopt import studies
>>> outcome = studies.find("zipf-scaling").run(True, None)
>>> all(claim.holds for claim in outcome.claims)
True
"""

from __future__ import annotations

from importlib import import_module

from mdbopt import _checks
from mdbopt.studies._study import Claim, Outcome, Panel, Study, as_csv, as_text, draw

__all__ = ["Claim", "Outcome", "Panel", "Study", "as_csv", "as_text", "draw", "find", "names"]

_NAMES = (
    "linear-regression",
    "logistic-regression",
    "heavy-tails",
    "barcoded-digits",
    "batch-size",
    "reweighting",
    "class-curvature",
    "hessian-blocks",
    "sign-descent-rate",
    "zipf-scaling",
    "weighted-quadratic",
    "sparse-features",
    "feature-normalization",
    "step-size-volume",
    "empirical-fisher",
    "em-mirror",
    "slang",
)


def names() -> tuple[str, ...]:
    """Return the names of all studies.

    Examples
    --------
    >>> from mdbopt import studies
    >>> "heavy-tails" in studies.names()
    True
    """
    return _NAMES


def find(name: str) -> Study:
    """Return a study by its name.

    Parameters
    ----------
    name : str
        One of `names`.

    Returns
    -------
    Study

    Raises
    ------
    TypeError, ValueError
        When there is no such study; the message lists those that there are.

    Examples
    --------
    >>> from mdbopt import studies
    >>> sorted(studies.find("zipf-scaling").panels)
    ['one', 'steep']
    """
    module = _checks.choice("study", name, _NAMES).replace("-", "_")
    study: Study = import_module(f"mdbopt.studies.{module}").STUDY
    return study
