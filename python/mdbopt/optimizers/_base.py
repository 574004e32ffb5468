"""What all first-order optimizers share: hyperparameters, a state, and a fused step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, ValuesView
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import numpy as np

from mdbopt import _checks, _core, _foreign, _rules
from mdbopt._arrays import Library, dtype_name, is_device, real_value
from mdbopt._shards import words_of
from mdbopt.kernels._kernel import ROUNDINGS
from mdbopt.optimizers import _argument_tree
from mdbopt.optimizers._hints import unknown_option
from mdbopt.optimizers._plan import Plan
from mdbopt.optimizers._rows import Touched, why_not_by_rows
from mdbopt.optimizers._state import OptimizerState, fresh, not_a_state, restored
from mdbopt.optimizers._storage import EXACT, NOT_NEGATIVE, STATE_DTYPES

# What follows a step where nothing does.
_NOTHING = {
    "max_update": None,
    "l1": 0.0,
    "average": None,
    "cautious": False,
    "cautious_weight_decay": False,
}


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """A frozen set of hyperparameters; see the module `mdbopt.optimizers`."""

    lr: float = field(default=1e-3, kw_only=False)
    weight_decay: Any = 0.0
    decoupled: bool = True
    decay: str = "adamw"
    maximize: bool = False
    rounding: str = "nearest"
    seed: int = 0
    flush_subnormals: bool = True
    state_dtype: str | None = None
    state_rounding: str = "stochastic"
    master: str | None = None
    max_update: float | None = None
    l1: float = 0.0
    average: float | None = None
    backend: str | None = None
    threads: int | None = None
    reducer: Callable[..., Any] | None = None

    # How a decoupled decay may follow the step size.
    _DECAYS: ClassVar[tuple[str, ...]] = ("adamw", "adamc", "independent")
    # Whether decoupled decay is a factor of x that rows may have missed.
    _MAKES_UP: ClassVar[bool] = True
    # Why some rows may not be stepped alone, though no sum is in the way; empty where they may.
    _NOT_BY_ROWS: ClassVar[str] = ""
    # Why nothing may follow a step; empty where it may.
    _NOT_FINISHED: ClassVar[str] = ""
    # Whether `l1` shrinks parameters behind a step; else the rule knows it.
    _SHRINKS: ClassVar[bool] = True

    def __new__(cls, *given: Any, **options: Any) -> Optimizer:
        for lr in (*given[:1], options.get("lr")):
            if _foreign.holds_arrays(lr):
                raise TypeError(
                    f"{cls.__name__}: lr: expected a number, got {type(lr).__name__}; parameters "
                    "are the argument of init and of step, step sizes for each that of step"
                )
        known = {option.name for option in fields(cls)}
        for name in options.keys() - known:
            raise TypeError(unknown_option(cls.__name__, name, known))
        return super().__new__(cls)

    def __post_init__(self) -> None:
        self._set("lr", self._number("lr", self.lr))
        self._set("weight_decay", self._decays(self.weight_decay))
        _checks.choice(self._where("rounding"), self.rounding, ROUNDINGS)
        self._set("seed", _checks.whole(self._where("seed"), self.seed, least=0, below=2**64))
        for name in ("decoupled", "maximize", "flush_subnormals"):
            self._check_bool(name)
        self._check_decay()
        self._check_storage()
        self._check_finish()
        if self.backend is not None:
            _checks.choice(self._where("backend"), self.backend, _backends())
        if self.threads is not None:
            self._set("threads", _checks.threads(self._where("threads"), self.threads))
        if self.reducer is not None:
            _checks.function(self._where("reducer"), self.reducer)

    def _check_decay(self) -> None:
        _checks.choice(self._where("decay"), self.decay, self._DECAYS)
        if self.decay == "adamw":
            return
        if not self.decoupled:
            raise ValueError(
                f"{self._where('decay')}: expected 'adamw' without decoupled=True, got "
                f"{self.decay!r}"
            )
        if self.lr == 0.0:
            raise ValueError(
                f"{self._where('lr')}: expected a number > 0 with decay={self.decay!r}, which is "
                "relative to it, got 0.0"
            )

    def _check_storage(self) -> None:
        if self.state_dtype is not None:
            _checks.choice(self._where("state_dtype"), self.state_dtype, STATE_DTYPES)
        _checks.choice(self._where("state_rounding"), self.state_rounding, ROUNDINGS)
        if self.master is not None:
            _checks.choice(self._where("master"), self.master, ("remainder",))

    def _check_finish(self) -> None:
        if self.max_update is not None:
            self._check("max_update", least=0.0, strict=True)
        self._check("l1", least=0.0)
        if self.average is not None:
            self._check_fraction("average")
        if self._NOT_FINISHED:
            self._refuse_finish()

    def _refuse_finish(self) -> None:
        """Raise for anything that is to follow a step."""
        for name, value in self._finish().items():
            if value != _NOTHING[name]:
                absent = type(self).__dataclass_fields__[name].default
                given = getattr(self, name)
                raise ValueError(
                    f"{self._where(name)}: expected {absent} {self._NOT_FINISHED}, got {given!r}"
                )

    def _set(self, name: str, value: Any) -> None:
        """Keep a hyperparameter as a plain number, whatever kind of number came."""
        object.__setattr__(self, name, value)

    def _where(self, name: str) -> str:
        return f"{type(self).__name__}: {name}"

    def _check(self, name: str, *, least: float, strict: bool = False) -> float:
        value = _checks.real(self._where(name), getattr(self, name), least=least, strict=strict)
        self._set(name, value)
        return value

    def _decays(self, given: Any) -> Any:
        """Check a decay: a number, or a tree of numbers made one that cannot change."""
        if getattr(given, "ndim", 0) == 1:
            given = Library(given).to_host(given, self._where("weight_decay")).tolist()
        tree = _foreign.plain(given)
        if not isinstance(tree, (list, tuple, dict)):
            return self._number("weight_decay", tree)

        def one(keys: _argument_tree.Keys, decay: Any) -> Any:
            if getattr(decay, "ndim", 0) == 1:
                return tuple(one((*keys, k), each) for k, each in enumerate(decay))
            return self._number(f"weight_decay{_argument_tree.text(keys)}", decay)

        return _argument_tree.frozen(_argument_tree.mapped(one, tree))

    def _decay_at(self, given: Any, lr: float) -> Any:
        """Turn a checked decay, or a tree of them, into what the core multiplies by lr."""
        if self.decay == "adamw":
            return given
        share = 1.0 if self.decay == "independent" else lr
        return _argument_tree.mapped(lambda _, decay: share * decay / self.lr, given)

    @property
    def _each_decay(self) -> Any:
        """Give the decays of the arrays, None where one number is for all."""
        if isinstance(self.weight_decay, float):
            return None
        return self._decay_at(self.weight_decay, self.lr)

    def _check_fraction(self, name: str) -> None:
        """Raise unless the hyperparameter is in [0, 1)."""
        value = self._check(name, least=0.0)
        if value >= 1.0:
            raise ValueError(f"{self._where(name)}: expected a number in [0, 1), got {value}")

    def _check_bool(self, name: str) -> None:
        value = getattr(self, name)
        if not isinstance(value, (bool, np.bool_)):
            raise TypeError(f"{self._where(name)}: expected a bool, got {type(value).__name__}")
        self._set(name, bool(value))

    def _rule(self) -> str:
        """Name the core's rule that does it."""
        raise NotImplementedError

    def _scalars(self) -> dict[str, float]:
        """Give the rule's own scalars."""
        return {}

    def _arrays(self) -> dict[str, float | None]:
        """Give the arrays of a state in the order of the rule, and what they hold at first.

        None stands for a copy of the parameters.
        """
        streams = _rules.described()[self._rule()]["streams"]
        arrays = {name: _core.state_start(name) for name, *_ in streams[2:]}
        return arrays if self.average is None else {**arrays, "average": None}

    def _formats(self) -> dict[str, str]:
        """Give the formats of the arrays that have one, those of the parameters among them."""
        formats: dict[str, str] = {}
        if self.state_dtype is not None:
            for name, start in self._arrays().items():
                if start is None or name in EXACT:
                    continue
                codes = "unsigned" if name in NOT_NEGATIVE else "signed"
                formats[name] = codes if self.state_dtype == "8bit" else self.state_dtype
            if not formats:
                raise ValueError(
                    f"{self._where('state_dtype')}: expected None, since these options keep no "
                    f"averages, got {self.state_dtype!r}"
                )
        if self.master is not None:
            formats["x"] = self.master
        return formats

    def _stores_stochastically(self) -> bool:
        return self.state_dtype is not None and self.state_rounding == "stochastic"

    def _extra(self) -> dict[str, float]:
        """Give the numbers of a state that no rule knows."""
        return {} if self.average is None else {"averaged": 0.0}

    def _finish(self) -> dict[str, Any]:
        """Give what follows a step in its pass."""
        l1 = self.l1 if self._SHRINKS else 0.0
        return {**_NOTHING, "max_update": self.max_update, "l1": l1, "average": self.average}

    def _options(self) -> dict[str, Any]:
        decay = "weight_decay" if self.decoupled else "l2"
        single = isinstance(self.weight_decay, float)
        one = self._decay_at(self.weight_decay, self.lr) if single else 0.0
        return {
            "rule": self._rule(),
            "scalars": {decay: one, **self._scalars()},
            "decay": decay,
            "decays": self._each_decay,
            "maximize": self.maximize,
            "seed": self.seed,
            "stochastic": self.rounding == "stochastic",
            "formats": self._formats(),
            "stochastic_state": self.state_rounding == "stochastic",
            **self._finish(),
            "flush_subnormals": self.flush_subnormals,
            "threads": self.threads or 0,
            "backend": self.backend,
            "reducer": self.reducer,
        }

    def init(self, params: Any, *, dtype: str | None = None) -> OptimizerState:
        """Make the state for some parameters, in their library.

        Parameters
        ----------
        params : array, or nested lists, tuples or dicts of arrays
            float64, float32, bfloat16 or float16, each of its own; not written. None below the root
            is nothing. Generators and views are listed, other mappings read as dicts.
        dtype : {"bfloat16", "float16"}, optional
            What arrays of uint16 are read as.

        Returns
        -------
        OptimizerState
            Its arrays are float64 for float64 parameters, else float32, or in the format of
            ``state_dtype``.

        Raises
        ------
        TypeError
            When a leaf is no array, is immutable (JAX), or has another dtype: with ``state_dtype``
            float64 is one, with ``master`` all but bfloat16.
        MemoryError
            When there is no room for it.
        """
        return fresh(self, _foreign.plain(params), dtype)

    def restore(
        self, params: Any, saved: Mapping[str, Any], *, dtype: str | None = None
    ) -> OptimizerState:
        """Make a state from a saved one; steps go on to the same bits.

        Parameters
        ----------
        params, dtype
            As for `init`. The state takes their dtype and library, and the format of this
            optimizer, whatever the saved one had; what a format cannot hold is rounded to nearest.
        saved : mapping
            ``dict(state)``, or what `numpy.load` or ``torch.load`` makes of it.

        Returns
        -------
        OptimizerState
            A new state.

        Raises
        ------
        TypeError, ValueError
            When something is missing or left over, a shape differs, another optimizer made it, `t`
            is not a whole number from 0 to 2**53, or a value is not one that steps by finite
            gradients leave: not finite in the state's dtype, or negative where squares or step
            sizes are kept.
        """
        return restored(self, _foreign.plain(params), saved, dtype)

    def step(
        self,
        params: Any,
        grads: Any,
        state: OptimizerState,
        *,
        lr: Any = None,
        grad_scale: Any = None,
        found_inf: Any = None,
        max_norm: float | None = None,
        copy: Any = None,
        weight_decay: Any = None,
        norm: float | None = None,
        rows: Any = None,
    ) -> Any:
        """Update parameters and state in place, in one pass over memory.

        Parameters
        ----------
        params : array, or nested lists, tuples or dicts of arrays
            Written in place: NumPy, PyTorch, or any array with ``__dlpack__`` that may be written,
            all of a step on the CPU or on one CUDA device. On the CPU each may have its own dtype
            and any strides (``w.T``, ``w[::2]``), as long as no two elements share memory.
        grads : the same structure
            Read. None in place of an array leaves its parameters and state as they are; None in
            ``params`` has None here. On the CPU with any strides and of any type that widens to the
            parameter's without rounding: a narrower dtype, integers, a foreign byte order, lists;
            of half-precision parameters float32, too. On a device half precision and float32 may
            meet in the same way.
        state : OptimizerState
            Written in place.
        lr : float, array or nested structure, optional
            Overrides the step size: a number >= 0 for all; one for each array (a list like
            ``params``, or an array of shape ``(len(params),)``); or arrays shaped as the
            parameters, of the state's dtype or one that widens to it, with a step size for each
            coordinate, taken as they are.
        grad_scale : float or 0-d array, optional
            Gradients are divided by it, as PyTorch's ``GradScaler`` needs.
        found_inf : bool, float or 0-d array, optional
            When it is not 0 the step is skipped: nothing is written and `t` stays.
        max_norm : float, optional
            Bounds the norm of all (unscaled) gradients together: they are multiplied by
            ``max_norm/(norm + 1e-6)`` when that is below 1, at the cost of reading them once more.
            With inf the norm is only returned.
        copy : the structure of params, of bfloat16 arrays, optional
            Receives the new float32 parameters, rounded to nearest.
        weight_decay : float, array or nested structure, optional
            Overrides the weight decay: a number >= 0 for all, or one for each array as for ``lr``.
        norm : float, optional
            What ``max_norm`` bounds, where these gradients are a part of those it is of; they are
            not read for it then.
        rows : array of integers, or nested structure, optional
            The rows of the first axis that are stepped, each once, from 0 on and in any order;
            ``grads`` has those rows alone, in this order: shape ``(len(rows), ...)``. In nested
            structures None stands for whole arrays. All other rows, of parameters, state and
            ``copy``, are not touched. On the CPU, for rules without sums over arrays.

        Returns
        -------
        bool or float
            False when the step was skipped. Else, with ``max_norm``, the norm of all (unscaled)
            gradients before they were bounded: a float or, on a device, a 0-d float64 array there.
            Else True; on a device also where only that will know whether a step is skipped.

        Raises
        ------
        TypeError, ValueError
            When structures or shapes differ, a dtype would be rounded, an array is read-only, what
            is written overlaps itself or something else, arrays live apart, the parameters are the
            average (see `eval`), or the state is of another optimizer, of other parameters, or
            being stepped by another thread. On a device also for unlike dtypes, decays and strides.
            Nothing has been written then.
        RecursionError
            When parameters hold themselves, or lie in more than 500 lists and dicts; likewise.
        RuntimeError
            When CUDA cannot be used, or for what went wrong in work queued there before.

        Warns
        -----
        RuntimeWarning
            With ``state_dtype="8bit"``, naming the arrays of the state in which blocks of 256
            elements are NaN after this step, for one that was not finite: everything has been
            written then, also where warnings are made errors. On a device nothing waits to see it;
            `OptimizerState.not_finite` looks.

        Notes
        -----
        NaN and inf in a gradient go on into the parameters they belong to. `t` counts the steps of
        the whole, also for arrays whose gradient was None, where PyTorch counts for each array.
        With ``rows`` averages of other rows stand still. Bias corrections are those of `t`, the
        steps of the whole, as in ``torch.optim.SparseAdam`` and the lazy Adam of TensorFlow: one
        number for all rows. Decoupled decay makes up for the steps that a row missed, by
        (1 − lr·weight_decay) to their number, with the lr of the step; L2 decay does not, and
        `FTRL`, whose decay is in its closed form, has no need to. The state keeps the step that
        touched each row last, ``state["row_t['name']"]``; a step of the whole array makes up for
        all rows. Random bits of roundings follow from an element's place among those stepped.

        Clipping squares in float64 and, where these leave its range, relative to the largest
        element; PyTorch's norm is inf there. A factor below the range of float32 is 0.

        On a CUDA device the step is queued on the stream that the library of the first parameter
        works on at the time; ``backend`` and ``threads`` must be None there, and
        ``flush_subnormals`` has no effect. ``t`` and the state's numbers are waited for when they
        are read. A ``grad_scale``, ``found_inf`` or 0-d ``lr`` that lives on the device is read
        there when the step runs, unchecked. A CUDA graph can record the step after one outside of
        the recording; other numbers are then those of the recording, and no norm is returned.
        """
        if self.average is not None:
            self._check_not_averaged(state)
        return self._take_step(
            params,
            grads,
            state,
            lr,
            grad_scale,
            found_inf,
            max_norm,
            copy,
            weight_decay,
            norm,
            rows,
        )

    def _check_not_averaged(self, state: Any) -> None:
        if getattr(state, "_extra", {}).get("averaged"):
            raise ValueError(
                f"{self._where('params')}: expected the point where gradients are taken, got the "
                "average; train() goes back"
            )

    def eval(self, params: Any, state: OptimizerState) -> None:
        """Make parameters their average, for evaluation; the state keeps them meanwhile.

        Parameters
        ----------
        params
            As for `step`; written in place: half precision is rounded to nearest.
        state : OptimizerState
            Of an optimizer with ``average``. Remembers it, as ``state.averaged``, and keeps a copy
            of the parameters, ``state.parameters``; both are saved. Nothing is done where
            ``averaged`` is 1.

        Raises
        ------
        TypeError, ValueError
            When there is no ``average``, or the parameters are none of this state.

        Examples
        --------
        >>> import numpy as np, mdbopt
        >>> x = np.array([1.0, -2.0])
        >>> optimizer = mdbopt.SGD(lr=1.0, average=0.5)
        >>> state = optimizer.init(x)
        >>> optimizer.step(x, np.array([1.0, 0.0]), state)
        True
        >>> optimizer.eval(x, state)
        >>> x, state.parameters
        (array([ 0.5, -2. ]), array([ 0., -2.]))
        >>> optimizer.train(x, state)
        >>> x
        array([ 0., -2.])
        """
        self._check_average("eval", state)
        state._show_average(_foreign.plain(params))

    def train(self, params: Any, state: OptimizerState) -> None:
        """Take the parameters back, exactly, from where `eval` put their average.

        Parameters
        ----------
        params
            As for `step`; written in place.
        state : OptimizerState
            Nothing is done where ``state.averaged`` is 0.

        Raises
        ------
        TypeError, ValueError
            As `eval`.
        """
        self._check_average("train", state)
        state._hide_average(_foreign.plain(params))

    def _check_average(self, what: str, state: Any) -> None:
        if self.average is None:
            raise ValueError(
                f"{type(self).__name__}: {what}: expected an optimizer with an average, got "
                "average=None"
            )
        self._take_over(state)

    def _take_over(self, state: Any) -> None:
        """Refuse what is no state of this optimizer; make a state of an equal one this one's."""
        if state.__class__ is not OptimizerState:
            raise not_a_state(self, state)
        if state._optimizer is not self:
            state._adopt(self)

    def _take_step(
        self,
        params: Any,
        grads: Any,
        state: OptimizerState,
        lr: Any = None,
        grad_scale: Any = None,
        found_inf: Any = None,
        max_norm: float | None = None,
        copy: Any = None,
        weight_decay: Any = None,
        norm: float | None = None,
        rows: Any = None,
        scalars: dict[str, float] | None = None,
    ) -> Any:
        """Take a step, for which some scalars of the rule may be set."""
        if state.__class__ is not OptimizerState:
            raise not_a_state(self, state)
        try:
            if state._optimizer is not self:
                state._adopt(self)
            there = None
            if lr is not None or grad_scale is not None or found_inf is not None:
                given = {"lr": lr, "grad_scale": grad_scale, "found_inf": found_inf}
                there = {
                    name: number for name, number in given.items() if _read_there(name, number)
                }
                lr, grad_scale, found_inf = (
                    None if name in there else number for name, number in given.items()
                )
            if weight_decay is not None:
                weight_decay = self._each("weight_decay", weight_decay)
            if self.decay != "adamw":
                weight_decay = self._decay_of_step(weight_decay, lr, there or {})
            if norm is not None:
                norm = self._norm_given(norm, max_norm)
            if rows is not None or state._row_t:
                params, grads, rows = map(_foreign.plain, (params, grads, rows))
            touched = self._touched(params, grads, state, rows)
            taken = state._core.step(
                params,
                grads,
                self.lr if lr is None else self._each("lr", lr),
                1.0 if grad_scale is None else self._positive("grad_scale", grad_scale),
                found_inf is not None and real_value(self._where("found_inf"), found_inf) != 0.0,
                0.0 if max_norm is None else self._bound(max_norm),
                copy,
                scalars,
                there or None,
                weight_decay,
                norm,
                None if touched is None else touched.runs,
            )
            if touched is not None and taken is not False:
                touched.count(state._shapes)
            return taken
        except Exception as error:
            state._core.fail(words_of(error), max_norm is not None and norm is None)
            raise

    def _meet(
        self, params: Any, grads: Any, state: OptimizerState, max_norm: float | None, rows: Any
    ) -> None:
        """Exchange with other shards what has to be alike, before optimizers step in turn."""
        touched = self._touched(params, grads, state, rows)
        bound = 0.0 if max_norm is None else self._bound(max_norm)
        state._core.meet(params, grads, bound, None if touched is None else touched.runs)

    def _touched(self, params: Any, grads: Any, state: OptimizerState, rows: Any) -> Touched | None:
        """Check the rows of a step; None where whole arrays are stepped."""
        if rows is None and not state._row_t:
            return None
        if rows is not None:
            why_not = why_not_by_rows(self)
            if why_not is not None:
                raise ValueError(f"{self._where('rows')}: expected None {why_not}")
        makes_up = self.decoupled and self._MAKES_UP
        label = type(self).__name__
        return Touched(label, rows, params, grads, state.t, state._row_t, makes_up)

    def _norm_given(self, norm: Any, max_norm: Any) -> float:
        where = self._where("norm")
        if max_norm is None:
            raise ValueError(f"{where}: expected None without max_norm, which bounds it")
        value = real_value(where, norm)
        if value < 0.0:
            raise ValueError(f"{where}: expected a number >= 0, got {value}")
        return value

    def _decay_of_step(self, weight_decay: Any, lr: Any, there: Mapping[str, Any]) -> Any:
        """Give the decay of a step as the core takes it; None is that of the options."""
        rate = self.lr
        if self.decay == "adamc" and (lr is not None or "lr" in there):
            rate = there["lr"] if lr is None else self._each("lr", lr)
            if not isinstance(rate, float):
                raise TypeError(
                    f"{self._where('lr')}: expected a number on the host with decay='adamc', got "
                    f"{type(rate).__name__}"
                )
        if weight_decay is not None:
            return self._decay_at(self._decays(weight_decay), rate)
        return None if rate == self.lr else self._decay_at(self.weight_decay, rate)

    def plan(self, params: Any, grads: Any, state: OptimizerState) -> Plan:
        """Bind a step to its arguments, for loops that call it very often.

        Parameters
        ----------
        params, grads, state
            As for `step`. The lists and dicts are kept by reference and looked at in each step, so
            arrays may be replaced in them; a generator is listed once.

        Returns
        -------
        Plan
            ``plan.step()`` does what ``step(params, grads, state)`` does.
        """
        if state.__class__ is not OptimizerState:
            raise not_a_state(self, state)
        trees = _foreign.plain(params), _foreign.plain(grads)
        # With an average `step` looks whether the parameters are it.
        direct = type(self).step is Optimizer.step and self.average is None
        return Plan(self, *trees, state, direct)

    def _positive(self, name: str, value: Any) -> float:
        return self._number(name, value, strict=True)

    def _number(self, name: str, value: Any, *, strict: bool = False) -> float:
        where = self._where(name)
        plain = value if isinstance(value, bool) else real_value(where, value)
        return _checks.real(where, plain, least=0.0, strict=strict)

    def _bound(self, max_norm: Any) -> float:
        where = self._where("max_norm")
        plain = max_norm if isinstance(max_norm, bool) else real_value(where, max_norm)
        return math.inf if plain == math.inf else self._positive("max_norm", plain)

    def _each(self, name: str, given: Any) -> Any:
        """Give a number, checked, or what may hold one for each array as it is."""
        foreign = hasattr(given, "__dlpack__") and not hasattr(given, "ndim")
        trees = isinstance(given, (list, tuple, dict, Iterator, ValuesView))
        if trees or foreign or getattr(given, "ndim", 0) > 0:
            return given
        return self._number(name, given)


@dataclass(frozen=True, kw_only=True)
class HeavyBall(Optimizer):
    """What moves on by momentum·(x − x_prev), with or without."""

    momentum: float = 0.0

    _RULE: ClassVar[str]

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_fraction("momentum")

    def _rule(self) -> str:
        return f"{self._RULE}_momentum" if self.momentum > 0.0 else self._RULE

    def _scalars(self) -> dict[str, float]:
        return {"momentum": self.momentum}


def _read_there(name: str, number: Any) -> bool:
    """Tell whether a number lives on a device, to be read when the step runs there."""
    if not hasattr(number, "__dlpack__") or not is_device(number):
        return False
    shape = tuple(number.shape)
    # An array of step sizes with one entry is for a list of one array.
    one = shape == () or (shape == (1,) and name != "lr")
    return one and "float" in dtype_name(number)


def _backends() -> list[str]:
    return [name for name, *_ in _core.backends()]
