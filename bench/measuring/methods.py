"""The updates that are compared, with the one setting that everybody gets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mdbopt import optimizers

EPS = 1e-8
# Learned step sizes follow a gradient that never changes: learning faster, they would leave the
# numbers within a bench.
HYPER_LR = 1e-7


@dataclass(frozen=True)
class Method:
    """An update under its name here.

    Attributes
    ----------
    rule : str
        Name of the rule in `mdbopt.kernels` that it runs.
    optimizer : str
        Name of the class in mdbopt.
    options : dict
        Of the optimizer, in mdbopt's words.
    name : str
        What ``--rules`` takes, that of the rule if empty.
    """

    rule: str
    optimizer: str
    options: dict[str, Any] = field(default_factory=dict)
    name: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            object.__setattr__(self, "name", self.rule)

    def __getitem__(self, option: str) -> Any:
        """Return the value of an option, 0 where it has none."""
        return self.options.get(option, 0.0)


def _hyper(mode: str) -> dict[str, Any]:
    return {"lr": 1e-3, "hyper_lr": HYPER_LR, "mode": mode}


_WITH_OPTIONS = {
    method.name: method
    for method in (
        Method("adam", "AdamW", {"lr": 1e-3, "weight_decay": 1e-2}, "adamw"),
        Method("adam", "Adam", {"lr": 1e-3}),
        Method("amsgrad", "AMSGrad", {"lr": 1e-3}),
        Method("lamb", "LAMB", {"lr": 1e-3, "weight_decay": 1e-2, "eps": EPS}),
        Method("lion", "Lion", {"lr": 1e-4, "weight_decay": 1e-2}),
        Method("cautious_lion", "Lion", {"lr": 1e-4, "cautious": "mask"}),
        Method("cautious_lion_scaled", "Lion", {"lr": 1e-4, "cautious": "scaled"}),
        Method("cautious_adam", "AdamW", {"lr": 1e-3, "cautious": "mask"}),
        Method("cautious_adam_scaled", "AdamW", {"lr": 1e-3, "cautious": "scaled"}),
        Method("signum", "Signum", {"lr": 1e-4, "momentum": 0.9}),
        Method("sign_descent", "SignDescent", {"lr": 1e-4}),
        Method("sign_descent_momentum", "SignDescent", {"lr": 1e-4, "momentum": 0.9}),
        Method("sign_descent_l1", "SignDescent", {"lr": 1e-4, "scale": "l1"}),
        Method(
            "sign_descent_l1_momentum",
            "SignDescent",
            {"lr": 1e-4, "scale": "l1", "momentum": 0.9},
        ),
        Method("sgd", "SGD", {"lr": 1e-2}),
        Method("sgd_momentum", "SGD", {"lr": 1e-2, "momentum": 0.9}),
        Method("heavy_ball", "SGD", {"lr": 1e-2, "momentum": 0.9, "heavy_ball": True}),
        Method("normalized_gd", "NormalizedGD", {"lr": 1e-2}),
        Method("normalized_gd_momentum", "NormalizedGD", {"lr": 1e-2, "momentum": 0.9}),
        Method("normalized_gd_array", "NormalizedGD", {"lr": 1e-2, "per_array": True}),
        Method(
            "normalized_gd_array_momentum",
            "NormalizedGD",
            {"lr": 1e-2, "momentum": 0.9, "per_array": True},
        ),
        Method("adagrad", "AdaGrad", {"lr": 1e-2}),
        Method("adagrad_norm", "AdaGradNorm", {"lr": 1e-2}),
        Method("rmsprop", "RMSProp", {"lr": 1e-3}),
        Method("rmsprop_momentum", "RMSProp", {"lr": 1e-3, "momentum": 0.9}),
        Method("rmsprop_centered", "RMSProp", {"lr": 1e-3, "centered": True}),
        Method(
            "rmsprop_centered_momentum",
            "RMSProp",
            {"lr": 1e-3, "momentum": 0.9, "centered": True},
        ),
        # Along a gradient that stays as it is, steps of lr 1 would become as long as they can.
        Method("distance_over_gradients", "DoG", {"lr": 1e-4}, "dog"),
        Method("distance_over_gradients", "DoWG", {"lr": 1e-4}, "dowg"),
        Method("novograd", "NovoGrad", {"lr": 1e-3}),
        Method("prodigy", "Prodigy", {"lr": 1e-4}),
        Method("rprop", "Rprop", {"lr": 1e-2}),
        Method("hypergradient_sgd", "HypergradientSGD", _hyper("multiplicative")),
        Method("hypergradient_adam", "HypergradientAdam", _hyper("multiplicative")),
        Method("diagonal_hypergradient", "DiagonalHypergradient", _hyper("additive")),
        Method("diagonal_hypergradient_log", "DiagonalHypergradient", _hyper("log")),
        Method("diagonal_hypergradient_weights", "DiagonalHypergradient", _hyper("weights")),
        Method("osgm", "OSGM", {"lr": 1e-3, "hyper_lr": HYPER_LR}),
    )
}
_KINDS = {label: getattr(optimizers, label)() for label in optimizers.__all__}
_RULES = [kind._rule() for kind in _KINDS.values()]
# What has no line above is measured as it comes; classes that share a rule, by their own names.
METHODS = _WITH_OPTIONS | {
    method.name: method
    for method in (
        Method(
            kind._rule(),
            label,
            {"lr": kind.lr},
            label.lower() if _RULES.count(kind._rule()) > 1 else "",
        )
        for label, kind in _KINDS.items()
        if label not in {method.optimizer for method in _WITH_OPTIONS.values()}
    )
}
# The decay rates of Adam and of Lion, which all libraries take as they are.
ADAM_BETAS, LION_BETAS = (0.9, 0.999), (0.9, 0.99)
