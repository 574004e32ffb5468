"""Steps, and decays, that are held back where signs disagree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mdbopt import _checks
from mdbopt.optimizers._base import Optimizer


@dataclass(frozen=True, kw_only=True)
class Cautious(Optimizer):
    """What may leave out the part of a step that the gradient speaks against."""

    cautious: str | None = None
    cautious_weight_decay: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cautious is not None:
            _checks.choice(self._where("cautious"), self.cautious, ("mask", "scaled"))
        self._check_bool("cautious_weight_decay")
        if self.cautious_weight_decay and not self.decoupled:
            raise ValueError(
                f"{self._where('cautious_weight_decay')}: expected False without decoupled=True, "
                "got True"
            )

    def _holding_back(self, rule: str) -> str:
        """Name the rule that takes the place of another where something is held back."""
        if self.cautious == "scaled":
            return f"cautious_{rule}_scaled"
        return f"cautious_{rule}" if self.cautious or self.cautious_weight_decay else rule

    def _options(self) -> dict[str, Any]:
        options = super()._options()
        held_back = {
            "cautious": float(self.cautious == "mask"),
            "cautious_weight_decay": float(self.cautious_weight_decay),
        }
        return options | {"scalars": options["scalars"] | held_back}
