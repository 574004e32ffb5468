"""The optimizers and searches of mdbopt as `torch.optim.Optimizer`: moving is one changed import.

Updates take one fused pass over all parameters of all groups:

===========================  ===================================================================
`SGD`                        gradient steps; momentum, Nesterov
`NormalizedGD`               steps of one length along the gradient, of all tensors or of each
`AGC`                        momentum along gradients bounded by the norm of their tensor
`SignDescent`                the gradient's sign, momentum outside of it
`Signum`, `Lion`             the sign of averaged gradients
`Adam`, `AdamW`, `AMSGrad`   divided by the root of averaged squares
`NAdam`                      Adam that looks one step ahead
`RAdam`                      Adam that waits until its divisor can be trusted
`MAdam`                      Adam without eps, for gradients of any size
`Adamax`                     divided by the largest gradient of late
`AdaBelief`, `Yogi`          Adam with other measures of how large gradients are
`Adan`                       Adam with Nesterov's momentum, made of how gradients change
`AdEMAMix`                   AdamW with a second, slower average of gradients
`LaProp`, `ADOPT`            averages of gradients that were divided by the root before
`ScheduleFreeSGD`            steps of one size, whose average takes the place of a schedule
`ScheduleFreeAdamW`          the same with AdamW's divisor
`StableAdamW`                AdamW that shortens steps where its averages are behind
`NovoGrad`                   momentum along gradients divided by a norm of late, one for each tensor
`LAMB`, `LARS`               AdamW's and momentum's steps, in proportion to each tensor's norm
`MARSAdamW`, `MARSLion`      gradients corrected by their change, and bounded in each tensor
`AdaGrad`, `Adagrad`         divided by the root of summed squares, per coordinate
`AdaGradNorm`                the same with one sum for all
`DoG`, `DoWG`                gradient steps as long as the distance covered; nothing to tune
`Prodigy`                    Adam whose step size is an estimate of the distance to a solution
`FTRL`                       AdaGrad for l1 penalties, whose parameters are exactly 0
`Adadelta`                   steps as long as those of late
`RMSProp`, `RMSprop`         averaged squares without corrections; centred, momentum
`Rprop`                      step sizes that follow the gradient's signs
`HypergradientSGD`           a step size that follows its own gradient, for SGD
`HypergradientAdam`          the same for Adam
`DiagonalHypergradient`      the same for each coordinate
`OSGM`                       hypergradients with AdaGrad, and steps back
===========================  ===================================================================

`Groups` steps optimizers of several rules as one, with one norm, one loss scale and one skip.
`Offload` has masters, state and arithmetic of any of them on the CPU, for parameters on a GPU.

Searches need no step size, and evaluate the loss as often as they need: their `step` takes a
closure, as that of `torch.optim.LBFGS` does. They are `Guarded`, `Box`, `Ellipsoid`, `Simplex` and
`Backtracking`.

Hyperparameters have torch.optim's names, defaults and meaning where it has the optimizer, weight
decay as L2 or decoupled (``decoupled_weight_decay``) among them, and those of `mdbopt.optimizers`
elsewhere. Every update takes

* ``params``: tensors, ``(name, tensor)`` pairs, or dicts with ``"params"`` and options of their
  own: float64, float32, bfloat16 or float16, dense, each once;
* ``lr``: a number or a tensor of one number, of each group;
* ``weight_decay``: a number ≥ 0, of each group;
* ``decay``: how decoupled decay follows lr, see `mdbopt.optimizers`. Its highest value is
  ``"peak_lr"`` of a group, which is the lr that the group came with unless it says another;
* ``cautious``, ``cautious_weight_decay``: where they are options of the optimizer in
  `mdbopt.optimizers`;
* ``maximize``: climbs;
* ``max_norm``: bounds the norm of all gradients together, as ``clip_grad_norm_`` before the step
  would, in the same pass; ``optimizer.total_norm`` is what it was. Set it as an attribute later;
* ``rounding``, ``seed``, ``flush_subnormals``, ``backend``, ``threads``: see `mdbopt.optimizers`;
* ``state_dtype``, ``state_rounding``, ``master``: averages in 8 bits or bfloat16, and bfloat16
  parameters with all digits of float32; see `mdbopt.optimizers`;
* ``max_update``, ``l1``, ``average``: what follows a step, see `mdbopt.optimizers`.
  ``optimizer.eval()`` puts the average in the place of the parameters, ``optimizer.train()`` takes
  it away; the first step begins it as the parameters;
* ``reducer``: how steps meet those of other processes, where each tensor is a piece of a longer
  one, see `mdbopt.distributed`. DTensors, as FSDP2 has them, make their own from their mesh;
* ``foreach``, ``fused``, ``capturable``: taken from calls that were written for torch.optim, where
  they choose an implementation; here there is the one, which is fused.

Sparse gradients, as of an embedding with ``sparse=True``, step their rows alone, where a rule has
no sums over tensors; see ``rows`` of `mdbopt.optimizers.AdamW.step`.

States have the names that torch.optim gives them, so ``load_state_dict`` reads its AdamW, Adam,
SGD, RMSprop, Adagrad, Adadelta, Rprop, NAdam, RAdam and Adamax, and continues where they stopped.
They are float32 for bfloat16 and float16 parameters, or in the format of ``state_dtype``, also when
they are loaded.

It needs PyTorch: ``pip install mdbopt[torch]``.

Examples
--------
>>> import torch, mdbopt.torch
>>> model = torch.nn.Linear(3, 1)
>>> optimizer = mdbopt.torch.AdamW(model.parameters(), lr=0.1, weight_decay=0.0, max_norm=1.0)
>>> for _ in range(200):
...     optimizer.zero_grad()
...     loss = (model(torch.eye(3)) - 1.0).square().mean()
...     loss.backward()
...     optimizer.step()
>>> bool(loss < 1e-4)
True
"""

try:
    import torch as _torch  # noqa: F401
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    raise ModuleNotFoundError(
        "mdbopt.torch needs PyTorch, which is not installed: pip install mdbopt[torch]",
        name="torch",
    ) from error

from mdbopt.torch._adagrad import Adadelta, AdaGrad, AdaGradNorm, RMSProp
from mdbopt.torch._adam import Adam, Adamax, AdamW, AMSGrad, NAdam, RAdam
from mdbopt.torch._adan import Adan
from mdbopt.torch._ademamix import AdEMAMix
from mdbopt.torch._clipped import AGC
from mdbopt.torch._distance import DoG, DoWG
from mdbopt.torch._ftrl import FTRL
from mdbopt.torch._gradient import SGD, NormalizedGD
from mdbopt.torch._groups import Groups
from mdbopt.torch._hypergradient import (
    OSGM,
    DiagonalHypergradient,
    HypergradientAdam,
    HypergradientSGD,
)
from mdbopt.torch._laprop import ADOPT, LaProp
from mdbopt.torch._magnitude_aware import MAdam
from mdbopt.torch._mars import MARSAdamW, MARSLion
from mdbopt.torch._novograd import NovoGrad
from mdbopt.torch._offload import Offload
from mdbopt.torch._prodigy import Prodigy
from mdbopt.torch._rprop import Rprop
from mdbopt.torch._schedule_free import ScheduleFreeAdamW, ScheduleFreeSGD
from mdbopt.torch._searches import Backtracking, Box, Ellipsoid, Guarded, Simplex
from mdbopt.torch._second_moment import AdaBelief, Yogi
from mdbopt.torch._sign import Lion, SignDescent, Signum
from mdbopt.torch._stable import StableAdamW
from mdbopt.torch._trust import LAMB, LARS

# torch.optim's spelling.
Adagrad = AdaGrad
RMSprop = RMSProp

__all__ = [
    "ADOPT",
    "AGC",
    "FTRL",
    "LAMB",
    "LARS",
    "OSGM",
    "SGD",
    "AMSGrad",
    "AdEMAMix",
    "AdaBelief",
    "AdaGrad",
    "AdaGradNorm",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Adan",
    "Backtracking",
    "Box",
    "DiagonalHypergradient",
    "DoG",
    "DoWG",
    "Ellipsoid",
    "Groups",
    "Guarded",
    "HypergradientAdam",
    "HypergradientSGD",
    "LaProp",
    "Lion",
    "MARSAdamW",
    "MARSLion",
    "MAdam",
    "NAdam",
    "NormalizedGD",
    "NovoGrad",
    "Offload",
    "Prodigy",
    "RAdam",
    "RMSProp",
    "RMSprop",
    "Rprop",
    "ScheduleFreeAdamW",
    "ScheduleFreeSGD",
    "SignDescent",
    "Signum",
    "Simplex",
    "StableAdamW",
    "Yogi",
]
