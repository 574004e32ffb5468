"""A case of an optimizer: the class with some options, and the kernel that its steps must equal."""

import math
from dataclasses import dataclass, field

import numpy as np

import mdbopt

LR = 0.1
RULES = {rule.name: rule for rule in mdbopt.rules()}

# What is refused of a hyperparameter, by its kind.
FRACTION = (1.0, 1.5, -0.1, math.nan, math.inf, "0.9", True, None, 1j)
NOT_NEGATIVE = (-1e-9, math.nan, math.inf, -math.inf, "0", True, None, np.ones(2), [1.0])
STEPS = (-1, 0.5, "0", True, None)  # a count of them
BOOL = (1, 0.0, "yes", None)
WORD = ("none", "", None, 3, b"log")


@dataclass(frozen=True)
class Case:
    """An optimizer with some options, and the same as a rule with scalars, both for LR."""

    optimizer: type
    options: dict
    rule: str
    scalars: dict = field(default_factory=dict)
    starts: dict = field(default_factory=dict)  # of arrays not 0 at first; None: a copy of x
    numbers: dict = field(default_factory=dict)  # what the rule gives back, at first
    # What is refused of each option that not all optimizers have; on the first case of a class.
    refused: dict = field(default_factory=dict)

    def make(self, **options):
        return self.optimizer(LR, **self.options | options)

    @property
    def label(self):
        return self.optimizer.__name__

    @property
    def description(self):
        return RULES[self.rule]

    @property
    def elementwise(self):
        """Whether no number runs over all arrays of a step."""
        return self.description.walks == 1 and not self.numbers

    @property
    def by_array(self):
        """Whether a step of several arrays is that of each alone."""
        return self.elementwise or self.description.per_array

    def numbers_of(self, arrays):
        """Give the numbers at first of a state of so many arrays."""
        each = self.description.per_array
        return {name: (n,) * arrays if each else n for name, n in self.numbers.items()}
