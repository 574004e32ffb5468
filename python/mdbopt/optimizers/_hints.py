"""What callers may have meant by the name of an option that there is not."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

# Names that other libraries have: what says the same here, and the option that this takes.
_ELSEWHERE = {
    "betas": ("beta1=…, beta2=…", "beta1"),
    "b1": ("beta1=…", "beta1"),
    "b2": ("beta2=…", "beta2"),
    "beta": ("momentum=…", "momentum"),
    "learning_rate": ("lr=…", "lr"),
    "epsilon": ("eps=…", "eps"),
    "rho": ("alpha=…", "alpha"),
    "decay": ("alpha=…", "alpha"),
    "initial_accumulator_value": ("initial=…", "initial"),
    "weight_decouple": ("decoupled=…", "decoupled"),
    "decoupled_weight_decay": ("decoupled=…", "decoupled"),
    "use_bias_correction": ("bias_correction=…", "bias_correction"),
    "estim_lr0": ("d0=…", "d0"),
    "estim_lr_coef": ("d_coef=…", "d_coef"),
    "amsgrad": ("the optimizer AMSGrad", None),
    "lr_decay": ("a schedule that gives step its lr=…", None),
    "max_norm": ("max_norm=… of step", None),
    "max_grad_norm": ("max_norm=… of step", None),
    "clipnorm": ("max_norm=… of step", None),
    "params": ("the argument of init and step", None),
    "fused": ("not needed, since every step is one fused pass", None),
    "foreach": ("not needed, since every step is one fused pass", None),
    "capturable": ("not needed, since steps on a device can be captured", None),
}


def unknown_option(owner: str, name: str, known: Iterable[str]) -> str:
    """Word the error for an option that the owner does not have."""
    names = sorted(known)
    close = [f"{match}=…" for match in get_close_matches(name, names, 1)]
    meant, takes = _ELSEWHERE.get(name, (None, None))
    if meant is None or (takes is not None and takes not in names):
        meant = next(iter(close), None)
    hint = f"; here it is {meant}" if meant else ""
    return f"{owner}: unknown option {name!r}{hint}; the options are {', '.join(names)}"
