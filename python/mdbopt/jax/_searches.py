"""Searches as transformations of optax: an update is as many judgements as it takes to move."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree

from mdbopt import _checks, searches
from mdbopt.jax._ffi import call
from mdbopt.searches._base import Search

# Of a state's table, before the search's own numbers.
_ROWS = 2
_RUNNING = -1


class SearchState(NamedTuple):
    """The state of a search: a pytree of JAX's arrays, each of one size from the start.

    Attributes
    ----------
    value : array, shape ()
        The objective where the last update led, in the parameters' dtype; inf before the first.
        With l1 it is without the penalty. ``optax.value_and_grad_from_state`` takes it and `grad`
        from here.
    grad : pytree
        The gradient there.
    told : array, shape (5,), int32
        Whether the last judgement moved, `status`, `evaluations`, `accepted` and `ended`.
    numbers : array, shape (n, 2), uint32
        The search's numbers by their bits.
    arrays : dict of arrays
        Its arrays by their names in `mdbopt.SearchState`; pairs are the rows of ``s`` and ``y``.
        What is float64 beside float32 parameters is kept by its bits, as two uint32.
    """

    value: Any
    grad: Any
    told: Any
    numbers: Any
    arrays: dict[str, Any]

    @property
    def status(self) -> Any:
        """-1 running, 2 no further progress in this precision, 3 f or g not finite."""
        return self.told[..., 1]

    @property
    def evaluations(self) -> Any:
        """How often the objective and its gradient were told, the start included."""
        return self.told[..., 2]

    @property
    def accepted(self) -> Any:
        """How often the search has moved."""
        return self.told[..., 3]

    @property
    def ended(self) -> Any:
        """Whether no update moves any more: by the status, or at a gradient of 0."""
        return self.told[..., 4] == 1


class _Search:
    """A search with the attributes of its calls."""

    def __init__(self, name: str, search: Search) -> None:
        self._name = name
        self._search = search
        options = search._options()
        if options.get("memory") == _checks.NO_LIMIT:
            raise ValueError(
                f'{name}: memory: expected a whole number or "auto", since a state has one size '
                "under jit, got inf"
            )
        if options.get("noise") is not None:
            raise ValueError(
                f"{name}: noise: expected none, as compiled calls do not pass it on, got "
                f"{options['noise']}"
            )
        self._known_shapes: dict[tuple[int, str], tuple[Any, Any, dict[str, Any]]] = {}
        self._attributes = {"method": search._core_method()}
        for key, value in options.items():
            self._attributes[key] = _attribute(key, value)

    def _flat(self, which: str, tree: Any) -> tuple[Any, Callable[[Any], Any]]:
        """Give the one array that a search works on, and what makes a tree of it again."""
        dtypes = {str(jnp.asarray(leaf).dtype) for leaf in jax.tree.leaves(tree)}
        if len(dtypes) != 1 or not dtypes <= {"float32", "float64"}:
            raise TypeError(
                f"{self._name}: {which}: expected arrays of one dtype, float32 or float64, "
                f"got {', '.join(sorted(dtypes)) or 'none'}"
            )
        flat, unravel = ravel_pytree(tree)
        if flat.size == 0:
            raise ValueError(f"{self._name}: {which}: expected at least one element, got none")
        return flat, unravel

    # --- optax's two functions -------------------------------------------------------------------
    def init(self, params: Any) -> SearchState:
        """Make the state of a search that has not started."""
        if not jax.tree.leaves(params):  # a placeholder of optax.tree.map_params
            return SearchState(params, params, params, params, {})
        x, _ = self._flat("params", params)
        self._search._check_size(x.size)
        told, numbers, arrays = self._shapes(x)
        return SearchState(
            jnp.asarray(jnp.inf, x.dtype),
            jax.tree.map(jnp.zeros_like, params),
            jnp.zeros(told.shape, told.dtype).at[1].set(_RUNNING),
            jnp.zeros(numbers.shape, numbers.dtype),
            {name: jnp.zeros(like.shape, like.dtype) for name, like in arrays.items()},
        )

    def _shapes(self, x: Any) -> tuple[Any, Any, dict[str, Any]]:
        """Give what `told`, `numbers` and `arrays` are like, for so many variables."""
        key = x.size, str(x.dtype)
        if key not in self._known_shapes:
            count, layout = self._search._new().layout(*key)
            self._known_shapes[key] = (
                jax.ShapeDtypeStruct((5,), jnp.int32),
                jax.ShapeDtypeStruct((_ROWS + count, 2), jnp.uint32),
                {name: _like(*of, x.dtype) for name, of in layout.items()},
            )
        return self._known_shapes[key]

    def _check_state(self, state: SearchState, x: Any) -> None:
        """Raise unless a state's arrays are what the core reads: it trusts their sizes."""
        told, numbers, arrays = self._shapes(x)
        expected = {"told": told, "numbers": numbers, **arrays}
        found = {"told": state.told, "numbers": state.numbers, **state.arrays}
        for name in dict.fromkeys((*expected, *found)):
            like, leaf = (
                "nothing" if of is None else f"{of.dtype} of shape {of.shape}"
                for of in (expected.get(name), found.get(name))
            )
            if leaf != like:
                raise TypeError(f"{self._name}: state: {name}: expected {like}, got {leaf}")

    def update(
        self,
        grads: Any,
        state: SearchState,
        params: Any = None,
        *,
        value: Any = None,
        grad: Any = None,
        value_fn: Callable[..., Any] | None = None,
        **extra: Any,
    ) -> tuple[Any, SearchState]:
        """Judge trials until one moves; give the way there, and the state."""
        if params is None:
            raise ValueError(f"{self._name}: params: expected the parameters, got None")
        if value is None:
            raise TypeError(f"{self._name}: value: expected the objective at params, got None")
        if not callable(value_fn):
            raise TypeError(
                f"{self._name}: value_fn: expected the objective as a function of params, "
                f"got {type(value_fn).__name__}"
            )
        if not isinstance(state, SearchState):
            raise TypeError(
                f"{self._name}: state: expected the state that init makes, got "
                f"{type(state).__name__}"
            )
        x, unravel = self._flat("params", params)
        g, _ = self._flat("grads" if grad is None else "grad", grads if grad is None else grad)
        if g.shape != x.shape or g.dtype != x.dtype:
            raise ValueError(
                f"{self._name}: grad: expected {x.size} elements of {x.dtype} (as params), "
                f"got {g.size} of {g.dtype}"
            )
        self._check_state(state, x)
        evaluate = jax.value_and_grad(_with(value_fn, extra))
        begun = self._call(True, value, g, x, state)

        def goes_on(at: SearchState) -> Any:
            return (at.told[0] == 0) & (at.told[4] == 0)

        def judged(at: SearchState) -> SearchState:
            trial = at.arrays["trial"]
            f, slope = evaluate(unravel(trial))
            now = self._call(False, f, ravel_pytree(slope)[0], trial, at)
            moved = now.told[0] == 1
            return now._replace(value=jnp.where(moved, f, at.value).astype(at.value.dtype))

        known = begun._replace(
            value=jnp.where(jnp.isinf(state.value), value, state.value).astype(state.value.dtype)
        )
        # Without a trace there is nothing to compile a loop for, anew at each call.
        ended = known
        while not isinstance(ended.told, jax.core.Tracer) and goes_on(ended):
            ended = judged(ended)
        if isinstance(ended.told, jax.core.Tracer):
            ended = jax.lax.while_loop(goes_on, judged, ended)
        updates = unravel(ended.arrays["x"] - x)
        return updates, ended._replace(grad=unravel(ended.arrays["g"]))

    def _call(self, begin: bool, f: Any, g: Any, x: Any, state: SearchState) -> SearchState:
        names = list(state.arrays)
        operands = [
            _number(f),
            g,
            x,
            state.numbers,
            *(state.arrays[name] for name in names),
            state.told,
        ]
        shapes = [jax.ShapeDtypeStruct(array.shape, array.dtype) for array in operands[3:]]
        aliases = {3 + k: k for k in range(len(shapes))}
        attributes = {**self._attributes, "begin": np.bool_(begin), "arrays": ",".join(names)}
        numbers, *arrays, told = call("mdbopt_search", operands, shapes, aliases, attributes)
        return state._replace(
            told=told, numbers=numbers, arrays=dict(zip(names, arrays, strict=True))
        )


def _attribute(name: str, value: Any) -> Any:
    """Give an option of the type that the compiled call reads."""
    if name in ("cocoercive", "gradient_direction"):
        return np.bool_(value)
    if name == "groups":
        return np.asarray(value, np.int64)
    if name in ("lower", "upper", "l1"):
        return np.asarray(value, np.float64)
    if name in ("memory", "threads"):
        return np.int64(value)
    if name == "refine":
        return np.int32(value)
    return value if isinstance(value, str) else np.float64(value)


def _number(f: Any) -> Any:
    """Give the objective in a dtype that the compiled call reads."""
    f = jnp.asarray(f)
    if f.shape != ():
        raise ValueError(f"value: expected a number, got an array of shape {f.shape}")
    return f if f.dtype == "float64" else f.astype(jnp.float32)


def _like(dtype: str, rows: int, columns: int, beside: Any) -> Any:
    shape = (columns,) if rows == 1 else (rows, columns)
    if dtype == "float64" and beside != dtype:
        return jax.ShapeDtypeStruct((*shape, 2), jnp.uint32)
    return jax.ShapeDtypeStruct(shape, dtype)


def _with(value_fn: Callable[..., Any], extra: dict[str, Any]) -> Callable[[Any], Any]:
    """Bind what of the extra arguments the objective takes, as optax's line searches do."""
    taken = inspect.signature(value_fn).parameters
    all_of_them = any(p.kind is p.VAR_KEYWORD for p in taken.values())
    bound = {name: given for name, given in extra.items() if all_of_them or name in taken}
    return lambda at: value_fn(at, **bound)


def _transformation(
    name: str, kind: type[Search], options: dict[str, Any]
) -> optax.GradientTransformationExtraArgs:
    owner = _Search(name, kind(**options))
    return optax.GradientTransformationExtraArgs(owner.init, owner.update)


def guarded(**options: Any) -> optax.GradientTransformationExtraArgs:
    """L-BFGS on the scale that a box of step sizes has learnt, guarded by it: the default search.

    x⁺ = x + t·δ with δ = −H·g is taken when f(x⁺) ≤ f(x) + min(c₁ t⟨g, δ⟩, −½⟨g², γb⟩), where the
    second is asked of ten steps together; every evaluation cuts the box {0 ≤ q ≤ b} by
    co-coercivity. An update evaluates ``value_fn`` and its gradient until x moves.

    Parameters
    ----------
    **options
        Those of `mdbopt.Guarded`; ``memory`` is finite.

    Returns
    -------
    optax.GradientTransformationExtraArgs
        Its ``update(grads, state, params, *, value, grad, value_fn, **extra)`` is that of optax's
        line searches: ``value`` and ``grad`` are the objective and its gradient at ``params``,
        ``grad`` the same as ``grads`` unless given; ``value_fn(params, **extra)`` is the objective,
        which takes what it has a name for. Only the first update reads ``value`` and ``grad``; the
        later ones have them in the state, and start where the one before has led.

    Raises
    ------
    TypeError, ValueError
        When an option has no meaning, parameters are not all float32 or all float64, or an argument
        of ``update`` is missing. While compiled code runs, as JAX's own error: when parameters are
        not where the last update led, or the state is not one of this search.

    Notes
    -----
    The judgement is a pure function of the state's arrays: updates may be repeated, dropped, mapped
    by ``jax.vmap`` (one problem after the other) and put into ``jax.lax.while_loop`` and ``scan``.
    The price is that a judgement copies the search's arrays into place and back, of the pairs the
    new one alone, which takes a few times as long as the judgement, and that ``arrays`` has room
    for all pairs from the start, 8·memory bytes a variable. Entries of
    ``bounds`` and ``l1`` are those of ``jax.flatten_util.ravel_pytree``; with them all pairs are
    copied back. ``state.arrays["x"]`` is within the bounds; parameters are, but for the rounding of
    the addition of an update, which leaves zeros zero. Outside of jit ``value_fn`` runs
    operation by operation. The path is that of `mdbopt.minimize` on the same values and gradients,
    bit for bit.

    See Also
    --------
    mdbopt.Guarded : the search, its references and its options.

    Examples
    --------
    >>> import jax, jax.numpy as jnp, optax, mdbopt.jax
    >>> def f(x):
    ...     return jnp.sum(jnp.array([1.0, 1e4]) * (x - 1) ** 2)
    >>> solver = mdbopt.jax.guarded()
    >>> x = jnp.zeros(2)
    >>> state = solver.init(x)
    >>> value_and_grad = optax.value_and_grad_from_state(f)
    >>> for _ in range(20):
    ...     value, grad = value_and_grad(x, state=state)
    ...     updates, state = solver.update(grad, state, x, value=value, grad=grad, value_fn=f)
    ...     x = optax.apply_updates(x, updates)
    >>> bool(jnp.abs(x - 1).max() < 1e-4)
    True
    """
    return _transformation("guarded", searches.Guarded, options)


def box(**options: Any) -> optax.GradientTransformationExtraArgs:
    """Multidimensional backtracking over the box {0 ≤ q ≤ b}: x⁺ = x − γ·b∘g.

    Parameters
    ----------
    **options
        Those of `mdbopt.Box`.

    Returns
    -------
    optax.GradientTransformationExtraArgs
        As `guarded`.

    Raises
    ------
    TypeError, ValueError
        As `guarded`.

    See Also
    --------
    mdbopt.Box : the search, its references and its options.

    Examples
    --------
    >>> import jax.numpy as jnp, mdbopt.jax
    >>> def f(x):
    ...     return jnp.sum(x**2)
    >>> solver, x = mdbopt.jax.box(), jnp.ones(2)
    >>> updates, state = solver.update(
    ...     2 * x, solver.init(x), x, value=f(x), grad=2 * x, value_fn=f
    ... )
    >>> bool(state.value < f(x)), int(state.accepted)
    (True, 1)
    """
    return _transformation("box", searches.Box, options)


def ellipsoid(**options: Any) -> optax.GradientTransformationExtraArgs:
    """Multidimensional backtracking over the ellipsoid {q ≥ 0 : Σ q²/a ≤ 1}.

    x⁺ = x − p∘g with p = γ·a∘g²/‖√a∘g²‖, the point of the set that promises most.

    Parameters
    ----------
    **options
        Those of `mdbopt.Ellipsoid`.

    Returns
    -------
    optax.GradientTransformationExtraArgs
        As `guarded`.

    Raises
    ------
    TypeError, ValueError
        As `guarded`.

    See Also
    --------
    mdbopt.Ellipsoid : the search, its references and its options.

    Examples
    --------
    >>> import jax.numpy as jnp, mdbopt.jax
    >>> def f(x):
    ...     return jnp.sum(x**2)
    >>> solver, x = mdbopt.jax.ellipsoid(refine=2), jnp.ones(2)
    >>> updates, state = solver.update(
    ...     2 * x, solver.init(x), x, value=f(x), grad=2 * x, value_fn=f
    ... )
    >>> bool(state.value < f(x)), int(state.accepted)
    (True, 1)
    """
    return _transformation("ellipsoid", searches.Ellipsoid, options)


def simplex(**options: Any) -> optax.GradientTransformationExtraArgs:
    """Multidimensional backtracking over the simplex {q ≥ 0 : Σ q/b ≤ d}: x⁺ = x − γ·b∘g.

    Parameters
    ----------
    **options
        Those of `mdbopt.Simplex`.

    Returns
    -------
    optax.GradientTransformationExtraArgs
        As `guarded`.

    Raises
    ------
    TypeError, ValueError
        As `guarded`.

    See Also
    --------
    mdbopt.Simplex : the search, its references and its options.

    Examples
    --------
    >>> import jax.numpy as jnp, mdbopt.jax
    >>> def f(x):
    ...     return jnp.sum(x**2)
    >>> solver, x = mdbopt.jax.simplex(), jnp.ones(2)
    >>> updates, state = solver.update(
    ...     2 * x, solver.init(x), x, value=f(x), grad=2 * x, value_fn=f
    ... )
    >>> bool(state.value < f(x)), int(state.accepted)
    (True, 1)
    """
    return _transformation("simplex", searches.Simplex, options)


def backtracking(**options: Any) -> optax.GradientTransformationExtraArgs:
    """Classic backtracking with one step size for all coordinates: x⁺ = x − γ·b·g.

    Parameters
    ----------
    **options
        Those of `mdbopt.Backtracking`.

    Returns
    -------
    optax.GradientTransformationExtraArgs
        As `guarded`.

    Raises
    ------
    TypeError, ValueError
        As `guarded`.

    See Also
    --------
    mdbopt.Backtracking : the search, its references and its options.

    Examples
    --------
    >>> import jax.numpy as jnp, mdbopt.jax
    >>> def f(x):
    ...     return jnp.sum(x**2)
    >>> solver, x = mdbopt.jax.backtracking(), jnp.ones(2)
    >>> updates, state = solver.update(
    ...     2 * x, solver.init(x), x, value=f(x), grad=2 * x, value_fn=f
    ... )
    >>> bool(state.value < f(x)), int(state.accepted)
    (True, 1)
    """
    return _transformation("backtracking", searches.Backtracking, options)
