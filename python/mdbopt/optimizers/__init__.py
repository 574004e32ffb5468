"""First-order optimizers: one fused pass over memory a step, whatever the number of arrays.

An optimizer is a frozen set of hyperparameters. Its `init` makes the state for some parameters, its
`step` updates parameters and state in place. Parameters and gradients are arrays, or nested lists,
tuples and dicts of arrays, of NumPy, PyTorch (CPU) or any library whose arrays can be written
through DLPack; each with a dtype and strides of its own.

=======================  ===============================================================
`SGD`                    gradient steps; momentum, Nesterov, Polyak's heavy ball
`NormalizedGD`           steps of one length along the gradient, of all arrays or of each
`AGC`                    momentum along gradients bounded by the norm of their array
`SignDescent`            the gradient's sign, momentum outside of it
`Signum`, `Lion`         the sign of averaged gradients
`Adam`, `AdamW`          divided by the root of averaged squares; L2 or decoupled decay
`AMSGrad`                Adam with the largest average so far
`NAdam`                  Adam that looks one step ahead, by a momentum that warms up
`RAdam`                  Adam that waits until its divisor can be trusted
`MAdam`                  Adam without eps, for gradients of any size
`Adamax`                 divided by the largest gradient of late
`AdaBelief`, `Yogi`      Adam with other measures of how large gradients are
`Adan`                   Adam with Nesterov's momentum, made of how gradients change
`AdEMAMix`               AdamW with a second, slower average of gradients
`LaProp`, `ADOPT`        averages of gradients that were divided by the root before
`ScheduleFreeSGD`        steps of one size, whose average takes the place of a schedule
`ScheduleFreeAdamW`      the same with AdamW's divisor
`StableAdamW`            AdamW that shortens steps where its averages are behind the gradients
`NovoGrad`               momentum along gradients divided by a norm of late, one for each array
`LAMB`, `LARS`           AdamW's and momentum's steps, in proportion to the norm of each array
`MARSAdamW`, `MARSLion`  gradients corrected by their change, and bounded in each array
`AdaGrad`                divided by the root of summed squares, per coordinate
`AdaGradNorm`            the same with one sum for all
`DoG`, `DoWG`            gradient steps as long as the distance covered; nothing to tune
`Prodigy`                Adam whose step size is an estimate of the distance to a solution
`FTRL`                   AdaGrad for l1 penalties, whose parameters are exactly 0
`Adadelta`               steps as long as those of late
`RMSProp`                averaged squares without corrections; centred, momentum
`Rprop`                  step sizes that follow the gradient's signs
`HypergradientSGD`       a step size that follows its own gradient, for SGD
`HypergradientAdam`      the same for Adam
`DiagonalHypergradient`  the same for each coordinate
`OSGM`                   hypergradients with AdaGrad, and steps back
=======================  ===============================================================

Every optimizer takes

* ``lr``: the step size, ≥ 0, in units of parameters (over gradients where it multiplies them);
* ``weight_decay`` w ≥ 0, a number or one for each array in lists, tuples and dicts like the
  parameters; with ``decoupled``: True multiplies the parameters by 1 − lr·w, False adds
  w·x to the gradient (L2), which is what PyTorch does but in AdamW;
* ``decay``: how decoupled decay follows a schedule whose highest step size is the optimizer's
  ``lr``, and ``step(lr=…)`` the step's: ``"adamw"`` multiplies by 1 − step·w, ``"adamc"`` by
  1 − (step²/lr)·w, which keeps the gradients' share of normalised layers as lr falls (Defazio 2025,
  "Why gradients rapidly increase near the end of training", algorithm 1), ``"independent"`` by
  1 − (step/lr)·w, which does not change with lr (Loshchilov, Hutter 2019, algorithm 2). Not for
  `LAMB`, `LARS`, `NovoGrad`, `FTRL` and the schedule-free;
* ``maximize``: climbs;
* ``rounding``: how bfloat16 and float16 parameters are rounded, ``"nearest"`` or ``"stochastic"``:
  up with the probability of what falls away, by random bits that follow from ``seed``, the step and
  the element's place, whatever the number of threads;
* ``state_dtype``: None, ``"bfloat16"`` or ``"8bit"``: what the averages of float32 and
  half-precision parameters are stored in; ``state_rounding``, ``"stochastic"`` or
  ``"nearest"``, how they are rounded to it;
* ``master``: None, or ``"remainder"`` for bfloat16 parameters whose state keeps the low 16 bits of
  their float32 numbers, exactly;
* ``max_update`` c > 0, or None: each element of the parameters stays within lr·c of where the step
  found it, decay included;
* ``l1`` λ ≥ 0, in the units of what lr multiplies: behind the step x ← sign(x)·max(|x| − lr·λ, 0),
  the proximal step of λ‖x‖₁, which leaves exact zeros. Behind an update that scales the gradient it
  is decoupled, as AdamW's decay is. `FTRL` has its own, in closed form;
* ``average`` β in [0, 1), or None: the state keeps ``average`` ← β·average + (1 − β)·x, which
  begins as the parameters of `init`; `Optimizer.eval` puts it in their place and `Optimizer.train`
  takes it back. These three follow a step in this order and in the same pass; not for `OSGM` and
  the schedule-free;
* ``flush_subnormals``: numbers below the normal range (1.2e-38 in float32) count as 0. A moment
  whose gradient has become 0 shrinks until it stands still there, where arithmetic is 14 to 20
  times slower; what is lost is far below ``eps``. False keeps them, as NumPy would;
* ``backend``, ``threads``: as in `mdbopt.kernels`; results have the same bits with all of them;
* ``reducer``: how steps meet those of other shards, where each array is one piece of a longer one:
  sums and norms are those of the whole, see `mdbopt.searches`. Without sums, only the first step
  meets the others.

State of half-precision parameters is float32 unless ``state_dtype`` says otherwise, and so is the
arithmetic. Their gradients may be float32.

Examples
--------
>>> import numpy as np, mdbopt
>>> params = {"w": np.ones(3, np.float32), "b": np.zeros(2, np.float32)}
>>> optimizer = mdbopt.AdamW(lr=0.1)
>>> state = optimizer.init(params)
>>> grads = {"w": np.full(3, 0.5, np.float32), "b": np.ones(2, np.float32)}
>>> optimizer.step(params, grads, state)
True
>>> params["w"], state.t
(array([0.899, 0.899, 0.899], dtype=float32), 1)
"""

from mdbopt.optimizers._adagrad import Adadelta, AdaGrad, AdaGradNorm, RMSProp
from mdbopt.optimizers._adam import Adam, Adamax, AdamW, AMSGrad, NAdam, RAdam
from mdbopt.optimizers._adan import Adan
from mdbopt.optimizers._ademamix import AdEMAMix
from mdbopt.optimizers._clipped import AGC
from mdbopt.optimizers._distance import DoG, DoWG
from mdbopt.optimizers._ftrl import FTRL
from mdbopt.optimizers._gradient import SGD, NormalizedGD
from mdbopt.optimizers._hypergradient import (
    OSGM,
    DiagonalHypergradient,
    HypergradientAdam,
    HypergradientSGD,
)
from mdbopt.optimizers._laprop import ADOPT, LaProp
from mdbopt.optimizers._magnitude_aware import MAdam
from mdbopt.optimizers._mars import MARSAdamW, MARSLion
from mdbopt.optimizers._novograd import NovoGrad
from mdbopt.optimizers._prodigy import Prodigy
from mdbopt.optimizers._rprop import Rprop
from mdbopt.optimizers._schedule_free import ScheduleFreeAdamW, ScheduleFreeSGD
from mdbopt.optimizers._second_moment import AdaBelief, Yogi
from mdbopt.optimizers._sign import Lion, SignDescent, Signum
from mdbopt.optimizers._stable import StableAdamW
from mdbopt.optimizers._trust import LAMB, LARS

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
    "Adam",
    "AdamW",
    "Adamax",
    "Adan",
    "DiagonalHypergradient",
    "DoG",
    "DoWG",
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
    "Prodigy",
    "RAdam",
    "RMSProp",
    "Rprop",
    "ScheduleFreeAdamW",
    "ScheduleFreeSGD",
    "SignDescent",
    "Signum",
    "StableAdamW",
    "Yogi",
]
