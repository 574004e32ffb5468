"""Steps, and decays, that are held back where signs disagree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from mdbopt import _checks
from mdbopt.optimizers._base import Optimizer


@dataclass(frozen=True, kw_only=True)
class HeldBack(Optimizer):
    """What may leave out the part of a step that the gradient speaks against, behind any rule."""

    cautious: str | None = None
    cautious_weight_decay: bool = False

    # Why there is no mask that keeps the mean of a step; empty where there is one.
    _NOT_SCALED: ClassVar[str] = "since a mean over each array takes a rule of its own"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.cautious is not None:
            _checks.choice(self._where("cautious"), self.cautious, ("mask", "scaled"))
        if self.cautious == "scaled" and self._NOT_SCALED:
            raise ValueError(
                f"{self._where('cautious')}: expected 'mask' or None {self._NOT_SCALED}, got "
                "'scaled'"
            )
        self._check_bool("cautious_weight_decay")
        if self.cautious_weight_decay and not self.decoupled:
            raise ValueError(
                f"{self._where('cautious_weight_decay')}: expected False without decoupled=True, "
                "got True"
            )

    def _finish(self) -> dict[str, Any]:
        held_back = {
            "cautious": self.cautious is not None,
            "cautious_weight_decay": self.cautious_weight_decay,
        }
        return {**super()._finish(), **held_back}


@dataclass(frozen=True, kw_only=True)
class Cautious(HeldBack):
    """What has rules of its own that hold back."""

    _NOT_SCALED: ClassVar[str] = ""

    def _finish(self) -> dict[str, Any]:
        return Optimizer._finish(self)  # the rule does it

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
