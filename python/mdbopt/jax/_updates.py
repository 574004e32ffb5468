"""First-order optimizers as transformations of optax."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from mdbopt import _core, _rules, optimizers
from mdbopt.jax._ffi import call
from mdbopt.optimizers._base import Optimizer
from mdbopt.optimizers._storage import (
    check_formats,
    check_start,
    decoded,
    encoded,
    format_of,
    joined,
    shape_of,
)

# It stands for a number that is known when the step runs, and is valid for every hyperparameter.
_PLACEHOLDER = 0.5


class UpdateState(NamedTuple):
    """The state of an optimizer: a pytree of JAX's arrays.

    Attributes
    ----------
    count : array, shape (), int32
        The steps taken; it stays at 2³¹ − 1.
    numbers : dict of arrays
        The optimizer's own numbers, such as a learned step size: the bits of a float64 as two
        uint32, or as many of these as leaves where there is a number for each, since JAX has that
        dtype only where it is enabled. `number` reads them.
    arrays : dict of pytrees
        Arrays like the parameters, by their names in `mdbopt.OptimizerState`: float64 for float64
        parameters, else float32, or as ``state_dtype`` says: bfloat16, or uint8 of shape (blocks,
        260) for each array. With ``master``, ``low`` among them, of uint16.
    """

    count: Any
    numbers: dict[str, Any]
    arrays: dict[str, Any]

    def number(self, name: str) -> Any:
        """Give one of the optimizer's own numbers.

        Parameters
        ----------
        name : str
            As an attribute of `mdbopt.OptimizerState`.

        Returns
        -------
        float or numpy.ndarray
            Its value; those of all leaves, in their order, where there is one for each.

        Raises
        ------
        KeyError
            When the optimizer has no such number.

        Examples
        --------
        >>> import jax.numpy as jnp, mdbopt.jax
        >>> mdbopt.jax.nadam(0.1).init(jnp.ones(2)).number("mu_product")
        1.0
        """
        held = np.asarray(self.numbers[name])
        if held.dtype != np.uint32:
            return float(held)
        values = np.ascontiguousarray(held).view(np.float64)[..., 0]
        return values if values.ndim else float(values)

    def decoded(self, name: str, params: Any) -> Any:
        """Give an array of the state as numbers, whatever it is stored as.

        Parameters
        ----------
        name : str
            A key of ``arrays``, such as ``"m"``.
        params : pytree of arrays
            Those of the state, which say the shapes.

        Returns
        -------
        pytree of numpy.ndarray
            Of float32, or float64 for float64 parameters; copies.

        Raises
        ------
        KeyError
            When the state has no such array.

        Examples
        --------
        >>> import jax.numpy as jnp, mdbopt.jax
        >>> x = jnp.ones(3)
        >>> transformation = mdbopt.jax.adagrad(0.1, initial=0.5, state_dtype="8bit")
        >>> transformation.init(x).decoded("sum_of_squares", x)
        array([0.5, 0.5, 0.5], dtype=float32)
        """

        def one(x: Any, stored: Any) -> Any:
            array = np.asarray(stored)
            format_ = format_of(array, name)
            if format_ is None:
                return np.array(array)
            bits = array.view(np.uint16) if format_ == "bfloat16" else array
            return decoded(name, bits, x.shape, format_)

        return jax.tree.map(one, params, self.arrays[name])

    def master(self, params: Any) -> Any:
        """Give the float32 numbers that bfloat16 parameters and their low bits make up.

        Parameters
        ----------
        params : pytree of arrays
            Those of the state.

        Returns
        -------
        pytree of numpy.ndarray
            Of float32; copies.

        Raises
        ------
        KeyError
            When the optimizer keeps no ``master``.

        Examples
        --------
        >>> import jax.numpy as jnp, mdbopt.jax
        >>> x = jnp.ones(3, jnp.bfloat16)
        >>> transformation = mdbopt.jax.sgd(1e-4, master="remainder")
        >>> x, state = transformation.step(x, jnp.ones(3), transformation.init(x))
        >>> x, state.master(x)
        (Array([1, 1, 1], dtype=bfloat16), array([0.9999, 0.9999, 0.9999], dtype=float32))
        """

        def one(x: Any, low: Any) -> Any:
            return joined(np.asarray(x).view(np.uint16), np.asarray(low))

        return jax.tree.map(one, params, self.arrays["low"])


class UpdateTransformation(optax.GradientTransformationExtraArgs):
    """What optax takes, `init` and `update`, and a `step` that writes parameters in one pass."""

    def step(self, params: Any, grads: Any, state: UpdateState, **extra: Any) -> tuple[Any, Any]:
        """Step the parameters themselves: one pass over memory, without updates in between.

        Under ``jax.jit(step, donate_argnums=(0, 2))`` parameters and state keep their memory;
        otherwise they are copied first, and stay as they are.

        Parameters
        ----------
        params, grads, state, **extra
            As for ``update``.

        Returns
        -------
        params, state
            What the step has made of them.

        Raises
        ------
        TypeError, ValueError
            As ``update``.

        Examples
        --------
        >>> import jax, jax.numpy as jnp, mdbopt.jax
        >>> transformation = mdbopt.jax.sgd(0.5)
        >>> step = jax.jit(transformation.step, donate_argnums=(0, 2))
        >>> x = jnp.array([1.0, -2.0])
        >>> x, state = step(x, jnp.array([1.0, 1.0]), transformation.init(x))
        >>> x
        Array([ 0.5, -2.5], dtype=float32)
        """
        new, state = self._owner._stepped(params, grads, state, extra)
        return new, state


class _Update:
    """An optimizer, and what it is told at each step: traced numbers, or those of a schedule."""

    def __init__(
        self, kind: type[Optimizer], lr: Any, max_norm: Any, options: dict[str, Any]
    ) -> None:
        self._name = kind.__name__
        self._told: dict[str, Any] = {}
        decay = options.get("weight_decay")
        known = {
            name: self._known(name, value)
            for name, value in options.items()
            if name != "weight_decay" or not _is_tree(decay)
        }
        self._optimizer = kind(self._known("lr", lr), **known)
        if self._optimizer.decay != "adamw":
            raise ValueError(
                f"{self._name}: decay: expected 'adamw' in mdbopt.jax, whose schedules have no "
                f"highest lr, got {self._optimizer.decay!r}"
            )
        self._decay = decay if _is_tree(decay) else None
        if self._decay is not None:
            for leaf in jax.tree.leaves(self._decay):
                self._optimizer._number("weight_decay", leaf)
        self._check_told()
        bound = None if max_norm is None else self._known("max_norm", max_norm)
        self._max_norm = None if bound is None else self._optimizer._bound(bound)
        self._attributes = self._find_attributes()
        started = _core.Update(
            self._optimizer._options(), self._name, dict.fromkeys(self._arrays())
        )
        self._numbers = started.numbers()

    def _known(self, name: str, value: Any) -> Any:
        """Give a number as it is, or a placeholder for one that each step is told."""
        if (name == "lr" and callable(value)) or (
            isinstance(value, jax.Array) and value.ndim == 0 and _is_float(value)
        ):
            self._told[name] = value
        else:
            return value
        return _PLACEHOLDER

    def _check_told(self) -> None:
        decay = self._optimizer._options()["decay"]
        scalars = {**self._optimizer._scalars(), decay: _PLACEHOLDER}
        renamed = {"weight_decay": decay}
        for name in self._told.keys() - {"lr"}:
            scalar = renamed.get(name, name)
            if scalars.get(scalar) != _PLACEHOLDER:
                raise TypeError(
                    f"{self._name}: {name}: expected a number that is known when the step is "
                    f"traced, got {self._told[name]}; inject_hyperparams takes it as static_args"
                )
            self._told[scalar] = self._told.pop(name)

    def _find_attributes(self) -> dict[str, Any]:
        options = self._optimizer._options()
        rule = _rules.described()[options["rule"]]
        scalars = [options["scalars"].get(name, usual) for name, usual in rule["scalars"]]
        # An average is no stream of the rule.
        streams = [*(name for name, *_ in rule["streams"][:2]), *self._optimizer._arrays()]
        attributes = {
            "name": self._name,
            "rule": options["rule"],
            # Those without a value of their own are replaced in each step.
            "scalars": np.nan_to_num(np.array(scalars, np.float64), nan=0.0),
            "decay": options["decay"],
            "maximize": np.bool_(options["maximize"]),
            "seed": np.uint64(options["seed"]).view(np.int64),  # JAX refuses the larger half
            "stochastic": np.bool_(options["stochastic"]),
            "formats": ",".join(options["formats"].get(name, "plain") for name in streams),
            "stochastic_state": np.bool_(options["stochastic_state"]),
            "flush_subnormals": np.bool_(options["flush_subnormals"]),
            "threads": np.int64(options["threads"]),
            "lr": np.float64(self._optimizer.lr),
            "l1": np.float64(options["l1"]),
            "cautious": np.bool_(options["cautious"]),
            "cautious_weight_decay": np.bool_(options["cautious_weight_decay"]),
        }
        if options["backend"] is not None:
            attributes["backend"] = options["backend"]
        optional = {
            "max_norm": self._max_norm,
            "max_update": options["max_update"],
            "average": options["average"],
        }
        known = {name: np.float64(value) for name, value in optional.items() if value is not None}
        return attributes | known

    def _arrays(self) -> dict[str, float | None]:
        """Give the arrays of a state in the order of the call, and what they hold at first."""
        arrays = self._optimizer._arrays()
        return {**arrays, "low": 0.0} if self._optimizer.master else arrays

    def _form(self, name: str, leaf: Any) -> tuple[Any, tuple[int, ...]]:
        """Give the dtype and the shape of an array of a state for a parameter."""
        format_ = "remainder" if name == "low" else self._optimizer._formats().get(name)
        dtypes = {None: _state_dtype(leaf), "bfloat16": jnp.bfloat16, "remainder": jnp.uint16}
        return dtypes.get(format_, jnp.uint8), shape_of(jnp.shape(leaf), format_)

    @property
    def _kept(self) -> list[str]:
        """Name the numbers beside the core's; parameters are never written in place here."""
        return [name for name in self._optimizer._extra() if name != "averaged"]

    # --- optax's two functions -------------------------------------------------------------------
    def init(self, params: Any) -> UpdateState:
        """Make the state for some parameters."""
        self._check_leaves("params", params)
        self._check_formats(params)
        for path, leaf in jax.tree_util.tree_leaves_with_path(params):
            place = f"params{jax.tree_util.keystr(path)}"
            for value in self._arrays().values():
                check_start(f"{self._name}: initial", value, place, str(leaf.dtype))

        def made(name: str, value: float | None) -> Callable[[Any], Any]:
            def one(leaf: Any) -> Any:
                dtype, shape = self._form(name, leaf)
                if value is None:
                    return jnp.array(leaf, dtype, copy=True)
                if dtype != jnp.uint8:
                    return jnp.full_like(leaf, value, dtype)
                if value == 0.0:
                    return jnp.zeros(shape, dtype)
                same = np.full(jnp.shape(leaf), value, np.float32)
                return jnp.asarray(encoded(same, self._optimizer._formats()[name]))

            return one

        arrays = {
            name: jax.tree.map(made(name, value), params) for name, value in self._arrays().items()
        }
        leaves = len(jax.tree.leaves(params))
        numbers = {}
        for name, value in self._numbers.items():
            # None of an array is known yet.
            each = isinstance(value, tuple)
            numbers[name] = _bits(np.zeros((leaves, 1)) if each else np.array([value]))
        for name in self._kept:
            value = self._optimizer._extra()[name]
            numbers[name] = jnp.asarray(value, jnp.result_type(float))
        return UpdateState(jnp.zeros((), jnp.int32), numbers, arrays)

    def update(
        self, grads: Any, state: UpdateState, params: Any = None, **extra: Any
    ) -> tuple[Any, UpdateState]:
        """Give what is to be added to the parameters, and the state after the step."""
        if self._optimizer.master is not None:
            raise ValueError(
                f"{self._name}: update: expected step, which writes the parameters, with "
                "master='remainder': their low bits belong to the very numbers of the last step"
            )
        params = self._params_like(grads) if params is None else params
        new, state = self._stepped(params, grads, state, extra)
        return jax.tree.map(jnp.subtract, new, params), state

    # --- a step ----------------------------------------------------------------------------------
    def _params_like(self, grads: Any) -> Any:
        """Give zeros in the place of parameters, where the step does not depend on them."""
        arrays = self._optimizer._arrays()
        depends = {
            "weight decay": self._optimizer.weight_decay != 0.0 or self._decay is not None,
            "l1": self._attributes["l1"] != 0.0,
            **{name: name in arrays for name in ("x_prev", "x0", "z", "average")},
        }
        held = next((name for name, held in depends.items() if held), None)
        if held is not None:
            raise ValueError(
                f"{self._name}: params: expected the parameters, which {held} depends on, got None"
            )
        return jax.tree.map(jnp.zeros_like, grads)

    def _check_leaves(self, which: str, tree: Any) -> None:
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
            dtype = getattr(leaf, "dtype", None)
            if dtype is None or not _is_float(leaf):
                raise TypeError(
                    f"{self._name}: {which}{jax.tree_util.keystr(path)}: expected an array of "
                    "float64, float32, bfloat16 or float16, got "
                    f"{type(leaf).__name__ if dtype is None else dtype}"
                )

    def _check_formats(self, params: Any) -> None:
        """Raise for parameters whose state cannot be in the format of the options."""
        if not self._optimizer._formats():
            return
        for path, leaf in jax.tree_util.tree_leaves_with_path(params):
            where = f"{self._name}: params{jax.tree_util.keystr(path)}"
            check_formats(where, str(leaf.dtype), self._optimizer.master is not None)

    def _check_like(self, which: str, tree: Any, params: Any, name: str | None = None) -> list[Any]:
        """Raise unless a tree has the parameters' structure and shapes; give its leaves.

        Shapes are those of an array of a state where its name is given.
        """
        expected, found = jax.tree.structure(params), jax.tree.structure(tree)
        if found != expected:
            raise ValueError(f"{self._name}: {which}: expected {expected} (as params), got {found}")
        leaves: list[Any] = jax.tree.leaves(tree)
        for (path, like), leaf in zip(
            jax.tree_util.tree_leaves_with_path(params), leaves, strict=True
        ):
            shape = jnp.shape(like) if name is None else self._form(name, like)[1]
            if jnp.shape(leaf) != shape:
                raise ValueError(
                    f"{self._name}: {which}{jax.tree_util.keystr(path)}: expected shape "
                    f"{shape} (as params), got {jnp.shape(leaf)}"
                )
        return leaves

    def _gradients(self, grads: Any, params: Any) -> list[Any]:
        """Give the gradients in the parameters' dtypes, or those that these are computed in."""
        leaves = self._check_like("grads", grads, params)
        self._check_leaves("grads", grads)
        for k, ((path, x), g) in enumerate(
            zip(jax.tree_util.tree_leaves_with_path(params), leaves, strict=True)
        ):
            if jnp.promote_types(g.dtype, x.dtype) == x.dtype:
                leaves[k] = jnp.asarray(g, x.dtype)
            elif jnp.promote_types(g.dtype, _state_dtype(x)) != _state_dtype(x):
                raise TypeError(
                    f"{self._name}: grads{jax.tree_util.keystr(path)}: expected dtype {x.dtype} "
                    f"(as params) or one that widens to {jnp.dtype(_state_dtype(x))}, got {g.dtype}"
                )
        return leaves

    def _stepped(
        self, params: Any, grads: Any, state: Any, extra: Mapping[str, Any]
    ) -> tuple[Any, UpdateState]:
        found = list(state.arrays) if isinstance(state, UpdateState) else type(state).__name__
        if isinstance(found, str) or set(found) != set(self._arrays()):
            raise TypeError(f"{self._name}: state: expected the state that init makes, got {found}")
        self._check_leaves("params", params)
        self._check_formats(params)
        xs = jax.tree.leaves(params)
        gs = self._gradients(grads, params)
        arrays = {
            name: self._check_like(f"state.{name}", state.arrays[name], params, name)
            for name in self._arrays()
        }
        self._check_state(state, params)
        value = self._value(extra)
        told = {
            name: jnp.asarray(given(state.count) if callable(given) else given)
            for name, given in self._told.items()
        }
        structure = jax.tree.structure(params)
        stepped: tuple[Any, UpdateState]
        stepped = _run(self, structure, xs, gs, arrays, state, told, value)
        return stepped

    def _check_state(self, state: UpdateState, params: Any) -> None:
        """Raise unless a state's arrays are what the core reads: it trusts their sizes."""
        expected: dict[str, Any] = {"count": (state.count, jnp.int32, ())}
        leaves = len(jax.tree.leaves(params))
        for name, value in self._numbers.items():
            shape = (leaves, 2) if isinstance(value, tuple) else (2,)
            expected[f"numbers[{name!r}]"] = (state.numbers.get(name), jnp.uint32, shape)
        for name, tree in state.arrays.items():
            for (path, x), leaf in zip(
                jax.tree_util.tree_leaves_with_path(params), jax.tree.leaves(tree), strict=True
            ):
                where = f"{name}{jax.tree_util.keystr(path)}"
                expected[where] = (leaf, *self._form(name, x))
        for where, (leaf, dtype, shape) in expected.items():
            if getattr(leaf, "dtype", None) != dtype or leaf.shape != shape:
                raise TypeError(
                    f"{self._name}: state: {where}: expected {jnp.dtype(dtype)} of shape {shape}, "
                    f"got {getattr(leaf, 'dtype', type(leaf).__name__)} of shape {jnp.shape(leaf)}"
                )

    def _value(self, extra: Mapping[str, Any]) -> Any:
        """Give the objective's value, where the optimizer asks for it and it was given."""
        if "value" not in self._kept or extra.get("value") is None:
            return None
        return jnp.asarray(extra["value"], jnp.result_type(float))

    def _decays(self, params: Any) -> dict[str, Any]:
        if self._decay is None:
            return {}
        try:
            each = jax.tree.map(
                lambda decay, below: jax.tree.map(lambda _: float(decay), below),
                self._decay,
                params,
            )
        except ValueError as error:
            raise ValueError(
                f"{self._name}: weight_decay: expected a number for each of "
                f"{jax.tree.structure(params)} (as params), got {self._decay}"
            ) from error
        return {"decays": np.array(jax.tree.leaves(each), np.float64)}

    def _run(
        self,
        structure: Any,
        xs: list[Any],
        gs: list[Any],
        arrays: dict[str, list[Any]],
        state: UpdateState,
        told: dict[str, Any],
        value: Any,
    ) -> tuple[Any, UpdateState]:
        # JAX has sorted the dicts by their names.
        arrays = {name: arrays[name] for name in self._arrays()}
        numbers = {name: state.numbers[name] for name in (*self._numbers, *self._kept)}
        if "value" in self._kept:
            kept = numbers.pop("value")
            moved = jnp.array(True) if value is None else value < kept
            told = {**told, "moved": jnp.asarray(moved, kept.dtype)}
            value = kept if value is None else jnp.where(moved, value, kept)
        operands = [*told.values(), state.count, *numbers.values(), *xs, *gs]
        for leaves in arrays.values():
            operands += leaves
        # Results are what is carried on: all but what is told, and the gradients.
        first, gap = len(told), len(told) + 1 + len(numbers) + len(xs)
        carried = [*range(first, gap), *range(gap + len(gs), len(operands))]
        shapes = [jax.ShapeDtypeStruct(jnp.shape(operands[k]), operands[k].dtype) for k in carried]
        attributes = {
            **self._attributes,
            **self._decays(jax.tree.unflatten(structure, xs)),
            "told": ",".join(told),
            "leaves": np.int64(len(xs)),
        }
        aliases = {operand: result for result, operand in enumerate(carried)}
        count, *rest = call("mdbopt_update", operands, shapes, aliases, attributes)
        numbers = dict(zip(numbers, rest[: len(numbers)], strict=True))
        if value is not None:
            numbers["value"] = value
        rest = rest[len(numbers) - (value is not None) :]
        trees = [
            jax.tree.unflatten(structure, rest[k * len(xs) : (k + 1) * len(xs)])
            for k in range(1 + len(arrays))
        ]
        new = dict(zip(arrays, trees[1:], strict=True))
        return trees[0], UpdateState(count, numbers, new)


def schedule_free_eval_params(params: Any, state: UpdateState, momentum: float = 0.9) -> Any:
    """Give the average of a schedule-free optimizer, which is what has been learnt.

    Parameters
    ----------
    params : pytree of arrays
        Those that the optimizer steps, where gradients are taken.
    state : UpdateState
        Of `schedule_free_sgd` or `schedule_free_adamw`.
    momentum : float in (0, 1), default 0.9
        As the optimizer's ``momentum`` or ``beta1``.

    Returns
    -------
    pytree of arrays
        params + (1 − 1/momentum)·(z − params), like the parameters.

    Raises
    ------
    KeyError
        When the state is of another optimizer.

    Examples
    --------
    >>> import jax.numpy as jnp, optax, mdbopt.jax
    >>> transformation = mdbopt.jax.schedule_free_sgd(0.5)
    >>> x = jnp.array([1.0, -2.0])
    >>> state = transformation.init(x)
    >>> for _ in range(300):
    ...     updates, state = transformation.update(jnp.sign(x - 0.3), state, x)
    ...     x = optax.apply_updates(x, updates)
    >>> average = mdbopt.jax.schedule_free_eval_params(x, state)
    >>> bool(jnp.abs(average - 0.3).max() < 0.05)
    True
    """
    share = 1.0 - 1.0 / momentum

    def one(x: Any, z: Any) -> Any:
        return jnp.asarray(x + share * (z - x), x.dtype)

    return jax.tree.map(one, params, state.arrays["z"])


def average_eval_params(params: Any, state: UpdateState) -> Any:
    """Give the average of the parameters that an optimizer with ``average`` keeps.

    Parameters
    ----------
    params : pytree of arrays
        Those that the optimizer steps, which say the dtypes.
    state : UpdateState
        Of an optimizer with ``average=beta``: after each step average ← beta·average +
        (1 − beta)·params, from the parameters of ``init`` on, as ``optax.incremental_update`` with
        the step size 1 − beta.

    Returns
    -------
    pytree of arrays
        Like the parameters: half precision is rounded to nearest. ``state.arrays["average"]`` is
        not rounded.

    Raises
    ------
    KeyError
        When the state is of an optimizer without ``average``.
    ValueError
        When the parameters have another structure than those of the state.

    Examples
    --------
    >>> import jax.numpy as jnp, mdbopt.jax
    >>> transformation = mdbopt.jax.sgd(1.0, average=0.5)
    >>> x = jnp.array([1.0, -2.0])
    >>> x, state = transformation.step(x, jnp.array([1.0, 0.0]), transformation.init(x))
    >>> x, mdbopt.jax.average_eval_params(x, state)
    (Array([ 0., -2.], dtype=float32), Array([ 0.5, -2. ], dtype=float32))
    """

    def one(x: Any, average: Any) -> Any:  # a copy: the state may be donated
        return jnp.array(average, x.dtype)

    return jax.tree.map(one, params, state.arrays["average"])


# Outside of any jit, a step is compiled once for each optimizer and structure.
_run = jax.jit(_Update._run, static_argnums=(0, 1), inline=True)


def _is_tree(decay: Any) -> bool:
    return isinstance(decay, (list, tuple, dict))


def _is_float(leaf: Any) -> bool:
    return any(leaf.dtype == kind for kind in ("float64", "float32", "bfloat16", "float16"))


def _state_dtype(leaf: Any) -> Any:
    return jnp.float64 if leaf.dtype == "float64" else jnp.float32


def _bits(value: Any) -> Any:
    return jnp.asarray(np.asarray(value, np.float64).view(np.uint32))


_FACTORIES: dict[str, tuple[type[Optimizer], dict[str, Any]]] = {
    "sgd": (optimizers.SGD, {}),
    "normalized_gd": (optimizers.NormalizedGD, {}),
    "sign_sgd": (optimizers.SignDescent, {}),
    "signum": (optimizers.Signum, {}),
    "lion": (optimizers.Lion, {}),
    "adam": (optimizers.Adam, {}),
    "adamw": (optimizers.AdamW, {}),
    "amsgrad": (optimizers.AMSGrad, {}),
    "nadam": (optimizers.NAdam, {}),
    "nadamw": (optimizers.NAdam, {"decoupled": True, "weight_decay": 1e-2}),
    "radam": (optimizers.RAdam, {}),
    "madam": (optimizers.MAdam, {}),
    "adamax": (optimizers.Adamax, {}),
    "adabelief": (optimizers.AdaBelief, {}),
    "yogi": (optimizers.Yogi, {}),
    "adan": (optimizers.Adan, {}),
    "ademamix": (optimizers.AdEMAMix, {}),
    "laprop": (optimizers.LaProp, {}),
    "adopt": (optimizers.ADOPT, {}),
    "schedule_free_sgd": (optimizers.ScheduleFreeSGD, {}),
    "schedule_free_adamw": (optimizers.ScheduleFreeAdamW, {}),
    "stable_adamw": (optimizers.StableAdamW, {}),
    "lamb": (optimizers.LAMB, {}),
    "lars": (optimizers.LARS, {}),
    "novograd": (optimizers.NovoGrad, {}),
    "mars_adamw": (optimizers.MARSAdamW, {}),
    "mars_lion": (optimizers.MARSLion, {}),
    "agc": (optimizers.AGC, {}),
    "adagrad": (optimizers.AdaGrad, {}),
    "ftrl": (optimizers.FTRL, {}),
    "dog": (optimizers.DoG, {}),
    "dowg": (optimizers.DoWG, {}),
    "prodigy": (optimizers.Prodigy, {}),
    "adagrad_norm": (optimizers.AdaGradNorm, {}),
    "adadelta": (optimizers.Adadelta, {}),
    "rmsprop": (optimizers.RMSProp, {}),
    "rprop": (optimizers.Rprop, {}),
    "hypergradient_sgd": (optimizers.HypergradientSGD, {}),
    "hypergradient_adam": (optimizers.HypergradientAdam, {}),
    "diagonal_hypergradient": (optimizers.DiagonalHypergradient, {}),
    "osgm": (optimizers.OSGM, {}),
}

_DOCSTRING = """{formula}

{given}Parameters
----------
lr : float, array or callable, default {lr:g}
    The step size: a number, an array of shape (), or a schedule of optax, a function of the count
    of steps.
max_norm : float > 0 or array, optional
    Bounds the norm of all gradients together, as in `mdbopt.{kind}.step`.
**options
    Those of `mdbopt.{kind}`, which has their defaults, also for None. Numbers may be arrays of
    shape (), which are not checked then; ``weight_decay`` may be a pytree that the parameters begin
    with.

Returns
-------
UpdateTransformation
    ``init(params)``, ``update(grads, state, params)`` and `UpdateTransformation.step`.

Raises
------
TypeError, ValueError
    When a hyperparameter is unknown or out of its range.

See Also
--------
mdbopt.{kind} : the same on arrays that are updated in place, with the formula's references.

Examples
--------
>>> import jax.numpy as jnp, optax, mdbopt.jax
>>> params = {{"w": jnp.ones(3), "b": jnp.ones(())}}
>>> transformation = mdbopt.jax.{name}(lr=0.1)
>>> state = transformation.init(params)
>>> for _ in range(2):
...     updates, state = transformation.update(params, state, params)
...     params = optax.apply_updates(params, updates)
>>> bool(params["b"] < 1.0), int(state.count)
(True, 2)
"""


def _docstring(name: str, kind: type[Optimizer], preset: Mapping[str, Any], lr: float) -> str:
    formula = inspect.cleandoc(kind.__doc__ or "").partition("\nParameters\n")[0].strip()
    given = ", ".join(f"``{key}={value}``" for key, value in preset.items())
    return _DOCSTRING.format(
        formula=formula,
        given=f"With {given} unless told otherwise.\n\n" if given else "",
        lr=lr,
        kind=kind.__name__,
        name=name,
    )


def _factory(
    name: str, kind: type[Optimizer], preset: Mapping[str, Any]
) -> Callable[..., UpdateTransformation]:
    usual: Any = kind.__dataclass_fields__["lr"].default

    def factory(lr: Any = usual, *, max_norm: Any = None, **options: Any) -> UpdateTransformation:
        given = {key: value for key, value in options.items() if value is not None}
        owner = _Update(kind, lr, max_norm, {**preset, **given})
        made = UpdateTransformation(owner.init, owner.update)
        made._owner = owner
        return made

    # optax.inject_hyperparams binds arguments by it, and injects every number among the defaults.
    keyword = inspect.Parameter.KEYWORD_ONLY
    names = [name for name in kind.__dataclass_fields__ if name != "lr"]
    factory.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter("lr", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=usual),
            *(inspect.Parameter(name, keyword, default=None) for name in ("max_norm", *names)),
        ]
    )
    factory.__name__ = factory.__qualname__ = name
    factory.__doc__ = _docstring(name, kind, preset, usual)
    return factory


FACTORIES = {name: _factory(name, kind, preset) for name, (kind, preset) in _FACTORIES.items()}
globals().update(FACTORIES)
