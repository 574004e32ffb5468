"""The state of a first-order optimizer: arrays beside the parameters, and a few numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mdbopt import _checks, _core
from mdbopt._arrays import Library, dtype_name, is_device, real_value
from mdbopt.optimizers import _argument_tree, _average, _storage
from mdbopt.optimizers._rows import why_not_by_rows
from mdbopt.optimizers._storage import NOT_NEGATIVE

DTYPES = ("float64", "float32", "bfloat16", "float16")


class Hyperparameters(Protocol):
    """What a state asks of the optimizer that it belongs to."""

    @property
    def average(self) -> float | None: ...

    def _rule(self) -> str: ...

    def _arrays(self) -> dict[str, float | None]: ...

    def _extra(self) -> dict[str, float]: ...

    def _formats(self) -> dict[str, str]: ...

    def _options(self) -> dict[str, Any]: ...


Shapes = dict[_argument_tree.Keys, tuple[int, ...]]


class OptimizerState(Mapping[str, Any]):
    """An optimizer at work on some parameters.

    Attributes are the trees of the optimizer's arrays (``state.m``, with the structure of the
    parameters and in their library), its numbers (``state.alpha``; a tuple, in the order of the
    arrays, where there is one for each), and ``t``, the steps taken. It
    is also a flat mapping of names to arrays and numbers, so ``numpy.savez(file, **state)`` and
    ``torch.save(dict(state), file)`` save it, and `Optimizer.restore` continues from what they
    load to the same bits; it can be pickled and copied. Arrays are copies in the mapping, and the
    state's own memory as attributes. Arrays on a device stay there: ``torch.save`` takes them, and
    NumPy what their library copies to the host.
    """

    # By identity: arrays have no truth value that a mapping's comparison could use.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __init__(
        self, optimizer: Hyperparameters, arrays: dict[str, Any], dtype: str | None, shapes: Shapes
    ) -> None:
        self._optimizer = optimizer
        self._arrays = arrays
        self._dtype = dtype
        self._shapes = shapes
        self._extra = optimizer._extra()
        # The step that touched each row last, of arrays that were stepped by rows.
        self._row_t: dict[_argument_tree.Keys, NDArray[np.int64]] = {}
        self._places: dict[str, tuple[str, _argument_tree.Keys]] = {}
        self._find_places()
        self._core = _core.Update(
            optimizer._options(),
            type(optimizer).__name__,
            arrays,
            dtype=dtype,
        )
        starts = optimizer._options()["scalars"]
        for name, value in self._core.numbers().items():
            if isinstance(value, tuple):
                self._core.set_numbers(name, [starts.get(name, 0.0)] * len(shapes))

    def _find_places(self) -> None:
        self._places = {
            f"{name}{_argument_tree.text(keys)}": (name, keys)
            for name, tree in self._arrays.items()
            for keys, _ in _argument_tree.leaves(tree)
        }

    @property
    def t(self) -> int:
        """How many steps were taken; skipped ones do not count."""
        return self._core.t

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        for found in (self._arrays, self._core.numbers(), self._extra):
            if name in found:
                return found[name]
        raise AttributeError(
            f"the state of {type(self._optimizer).__name__} has no {name!r}; it has "
            f"{', '.join(['t', *self._arrays, *self._numbers()])}"
        )

    def _numbers(self) -> dict[str, Any]:
        return {**self._core.numbers(), **self._extra}

    def _set_numbers(self, t: int, numbers: Mapping[str, Any]) -> None:
        self._core.t = t
        for name, value in numbers.items():
            if name in self._extra:
                self._extra[name] = value
            elif isinstance(value, tuple):
                self._core.set_numbers(name, value)
            else:
                self._core.set_number(name, value)

    def _adopt(self, optimizer: Hyperparameters) -> None:
        """Go on with other hyperparameters of the same optimizer."""
        label, former = type(optimizer).__name__, self._optimizer
        if type(former) is not type(optimizer):
            raise ValueError(
                f"{label}: state: made by {type(former).__name__}, expected a state of {label}"
            )
        if former._rule() != optimizer._rule():
            raise ValueError(
                f"{label}: state: holds {', '.join(self._arrays) or 'no arrays'}, which does not "
                "fit these options; expected a state made with them"
            )
        if (former.average is None) != (optimizer.average is None):
            raise ValueError(
                f"{label}: average: expected {former.average} as of the state, which was made with "
                f"it, got {optimizer.average}"
            )
        if former._formats() != optimizer._formats():
            raise ValueError(
                f"{label}: state: stored as {_in_words(former)}, expected {_in_words(optimizer)} "
                "as by these options; restore converts one"
            )
        self._core.configure(optimizer._options())
        self._optimizer = optimizer

    def _set_aside(self, params: Any) -> None:
        """Keep copies of the parameters, in whose place the average is put."""
        self._arrays[_average.ASIDE] = _average.copies(params)
        self._extra["averaged"] = 1.0
        self._find_places()

    def _show_average(self, params: Any) -> None:
        """Put the average in the place of the parameters, unless it is there."""
        if self._extra["averaged"]:
            return
        self._check_writable(params)
        self._set_aside(params)
        _average.put(params, self._arrays["average"], self._dtype)

    def _hide_average(self, params: Any) -> None:
        """Put the parameters back in their place, unless they are there."""
        if not self._extra["averaged"]:
            return
        self._check_writable(params)
        _average.put(params, self._arrays.pop(_average.ASIDE), self._dtype)
        self._extra["averaged"] = 0.0
        self._find_places()

    def _check_writable(self, params: Any) -> None:
        """Raise for parameters that are not of this state, or may not be written."""
        label = f"{type(self._optimizer).__name__}: params"
        found = {
            keys: tuple(getattr(leaf, "shape", ())) for keys, leaf in _argument_tree.leaves(params)
        }
        if found.keys() != self._shapes.keys():
            raise ValueError(f"{label}: are built in another way than those of the state")
        for keys, shape in found.items():
            where = f"{label}{_argument_tree.text(keys)}"
            if shape != self._shapes[keys]:
                raise ValueError(f"{where}: has shape {shape}, expected {self._shapes[keys]}")
            leaf = _argument_tree.leaf_at(params, keys)
            parameter_dtype(where, leaf, self._dtype)
            if not getattr(getattr(leaf, "flags", None), "writeable", True):
                raise ValueError(f"{where}: is read-only, expected a writable array")

    def decoded(self, name: str) -> Any:
        """Return an array of the state as numbers, whatever it is stored as.

        Parameters
        ----------
        name : str
            Such as ``"m"``.

        Returns
        -------
        tree of numpy.ndarray
            Of the structure and shapes of the parameters; copies, of float32 where ``state_dtype``
            or ``master`` stores them in another way.

        Raises
        ------
        KeyError
            When the state has no such array.
        """
        format_ = self._optimizer._formats().get(name)

        def one(keys: _argument_tree.Keys, stored: Any) -> Any:
            where = f"{name}{_argument_tree.text(keys)}"
            if format_ is None:
                return np.array(Library(stored).to_host(stored, where))
            return _storage.decoded(where, stored, self._shapes[keys], format_)

        return _argument_tree.mapped(one, self._arrays[name])

    def master(self, params: Any) -> Any:
        """Return the float32 numbers that bfloat16 parameters and the state's ``low`` make up.

        Parameters
        ----------
        params : array, or nested lists, tuples or dicts of arrays
            Those of the state.

        Returns
        -------
        tree of numpy.ndarray
            Of float32; copies.

        Raises
        ------
        ValueError
            When the optimizer keeps no ``master``.
        """
        if "low" not in self._arrays:
            raise ValueError(
                f"{type(self._optimizer).__name__}: master: expected an optimizer with "
                "master='remainder', got a state without low bits"
            )

        def one(keys: _argument_tree.Keys, param: Any) -> Any:
            return _storage.joined(param, _argument_tree.leaf_at(self._arrays["low"], keys))

        return _argument_tree.mapped(one, params)

    def not_finite(self) -> list[str]:
        """Name the arrays that hold NaN or inf, at the cost of reading all of them.

        Returns
        -------
        list of str
            Keys of the mapping, such as ``"m['w']"``. Of codes of 8 bits the units of the blocks
            are read alone. Arrays on a device are waited for and copied.

        Examples
        --------
        >>> import numpy as np, mdbopt
        >>> x, g = np.ones(600, np.float32), np.ones(600, np.float32)
        >>> g[300] = np.inf
        >>> optimizer = mdbopt.AdamW(flush_subnormals=False)
        >>> state = optimizer.init({"w": x})
        >>> optimizer.step({"w": x}, {"w": g}, state)
        True
        >>> state.not_finite()
        ["m['w']", "v['w']"]
        """
        formats = self._optimizer._formats()

        def wild(name: str, array: str, keys: _argument_tree.Keys) -> bool:
            stored = _argument_tree.leaf_at(self._arrays[array], keys)
            numbers = _storage.magnitudes(name, stored, formats.get(array))
            return not np.all(np.isfinite(numbers))

        return [
            name
            for name, (array, keys) in self._places.items()
            if array != "low" and wild(name, array, keys)
        ]

    def __getitem__(self, name: str) -> Any:
        numbers = {"optimizer": type(self._optimizer).__name__, "t": self.t, **self._numbers()}
        if name in numbers:
            return numbers[name]
        for keys, last in self._row_t.items():
            if name == _rows_name(keys):
                return last.copy()
        array, keys = self._places[name]
        leaf = _argument_tree.leaf_at(self._arrays[array], keys)
        return leaf.clone() if hasattr(leaf, "clone") else leaf.copy()

    def __iter__(self) -> Iterator[str]:
        rows = map(_rows_name, self._row_t)
        return iter(["optimizer", "t", *self._numbers(), *self._places, *rows])

    def __len__(self) -> int:
        return 2 + len(self._numbers()) + len(self._places) + len(self._row_t)

    def __reduce__(self) -> tuple[Any, ...]:
        numbers = self._numbers()
        return _rebuilt, (
            self._optimizer,
            self._arrays,
            self._dtype,
            self._shapes,
            self.t,
            numbers,
            self._row_t,
        )

    def __repr__(self) -> str:
        numbers = "".join(
            f" {name}" if isinstance(value, tuple) else f" {name}={value:.6g}"
            for name, value in self._numbers().items()
        )
        arrays = ", ".join(self._arrays) or "no arrays"
        return f"<state of {type(self._optimizer).__name__}: t={self.t}{numbers}, {arrays}>"


def _rebuilt(
    optimizer: Hyperparameters,
    arrays: dict[str, Any],
    dtype: str | None,
    shapes: Shapes,
    t: int,
    numbers: Mapping[str, Any],
    row_t: dict[_argument_tree.Keys, NDArray[np.int64]],
) -> OptimizerState:
    state = OptimizerState(optimizer, arrays, dtype, shapes)
    state._set_numbers(t, numbers)
    state._row_t = row_t
    return state


def _rows_name(keys: _argument_tree.Keys) -> str:
    return f"row_t{_argument_tree.text(keys)}"


def _in_words(optimizer: Hyperparameters) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in optimizer._formats().items()) or "floats"


def not_a_state(optimizer: object, given: Any) -> TypeError:
    """Word the error for what is given in place of a state."""
    return TypeError(
        f"{type(optimizer).__name__}: state: expected a state from init or restore, got "
        f"{type(given).__name__}"
    )


def parameter_dtype(where: str, leaf: Any, dtype: str | None) -> str:
    """Name the dtype of such parameters, or raise."""
    try:
        is_array = hasattr(leaf, "shape") and hasattr(leaf, "dtype")
    except RuntimeError:  # PyTorch's nested tensors have no shape and say so
        is_array = False
    if not is_array or isinstance(leaf, np.generic):
        model = callable(getattr(leaf, "parameters", None))
        hint = "; pass list(model.parameters())" if model else ""
        raise TypeError(f"{where}: expected an array, got {type(leaf).__name__}{hint}")
    if getattr(getattr(leaf, "device", None), "type", "") == "meta":
        raise TypeError(f"{where}: has no memory (device meta), expected an array on the CPU")
    if isinstance(leaf, np.ma.MaskedArray):
        raise TypeError(f"{where}: expected an array without a mask, got {type(leaf).__name__}")
    root = type(leaf).__module__.partition(".")[0]
    if root in ("jax", "jaxlib"):
        raise TypeError(f"{where}: JAX arrays cannot be written in place, expected a mutable array")
    name = dtype_name(leaf)
    if name == "uint16" and dtype is not None:
        name = dtype
    if name not in DTYPES:
        hint = "; arrays of uint16 need dtype='bfloat16' or 'float16'" if name == "uint16" else ""
        raise TypeError(f"{where}: has dtype {name}, expected one of {', '.join(DTYPES)}{hint}")
    return name


def fresh(optimizer: Hyperparameters, params: Any, dtype: str | None) -> OptimizerState:
    """Make the state of an optimizer that has taken no step."""
    label = type(optimizer).__name__
    if dtype is not None:
        _checks.choice(f"{label}: dtype", dtype, ("bfloat16", "float16"))
    kinds = {
        keys: parameter_dtype(f"{label}: params{_argument_tree.text(keys)}", leaf, dtype)
        for keys, leaf in _argument_tree.leaves(params)
    }

    formats = optimizer._formats()
    for keys, _ in _argument_tree.leaves(params) if formats else ():
        where = f"{label}: params{_argument_tree.text(keys)}"
        _storage.check_formats(where, kinds[keys], "x" in formats)

    def made(value: float | None, format_: str | None) -> Any:
        def one(keys: _argument_tree.Keys, leaf: Any) -> Any:
            place = f"params{_argument_tree.text(keys)}"
            _storage.check_start(f"{label}: initial", value, place, kinds[keys])
            if format_ is not None and value is not None:
                return _storage.stored_like(leaf, format_, value)
            library = Library(leaf)
            arithmetic = "float64" if kinds[keys] == "float64" else "float32"
            if value is None and dtype_name(leaf) == "uint16":
                numbers = _from_bits(library.to_host(leaf, "params"), dtype)
                leaf = library.from_host(numbers, leaf)
            try:
                return library.full_like(leaf, arithmetic, value)
            except (AttributeError, NotImplementedError, RuntimeError) as error:
                reason = str(error).partition("\n")[0]
                if "alloc" in reason or "memory" in reason:  # PyTorch's own kind of RuntimeError
                    raise MemoryError(f"{label}: {place}: no room for a state: {reason}") from error
                raise TypeError(f"{label}: {place}: no state like it: {reason}") from error

        return _argument_tree.mapped(one, params)

    arrays = {name: made(value, formats.get(name)) for name, value in optimizer._arrays().items()}
    if "x" in formats:
        arrays["low"] = _argument_tree.mapped(lambda _, leaf: _storage.low_like(leaf), params)
    shapes = {keys: tuple(leaf.shape) for keys, leaf in _argument_tree.leaves(params)}
    return OptimizerState(optimizer, arrays, dtype, shapes)


def _from_bits(bits: NDArray[Any], dtype: str | None) -> NDArray[Any]:
    """Read an array of uint16 as the half-precision numbers it stands for, as float32."""
    if dtype == "float16":
        return bits.view(np.float16).astype(np.float32)
    return (bits.astype(np.uint32) << 16).view(np.float32)


def restored(
    optimizer: Hyperparameters, params: Any, saved: Mapping[str, Any], dtype: str | None
) -> OptimizerState:
    """Make a state from what was saved, in the dtype and library of these parameters."""
    label = type(optimizer).__name__
    if not isinstance(saved, Mapping):
        raise TypeError(f"{label}: saved: expected a mapping, got {type(saved).__name__}")
    state = fresh(optimizer, params, dtype)
    if any(str(name).startswith(_average.ASIDE) for name in saved) and "average" in state._arrays:
        state._set_aside(params)
    # Parameters that had no low bits are what they stand for.
    lows = {name for name, (array, _) in state._places.items() if array == "low"}
    expected = set(state)
    given = set(saved)
    if not lows & given:
        expected -= lows
    for name in sorted(expected - given):
        raise ValueError(f"{label}: saved: {name!r} is missing")
    rows = {_rows_name(keys): keys for keys, shape in state._shapes.items() if shape}
    for name in sorted(given - expected - rows.keys(), key=str):
        raise ValueError(f"{label}: saved: {name!r} is not part of this optimizer's state")
    if str(saved["optimizer"]) != label:
        raise ValueError(
            f"{label}: saved: made by {saved['optimizer']}, expected a state of {label}"
        )
    steps = _steps(f"{label}: saved: 't'", saved["t"])
    numbers: dict[str, Any] = {}
    for name, fresh_value in state._numbers().items():
        where = f"{label}: saved: {name!r}"
        if isinstance(fresh_value, tuple):
            numbers[name] = _saved_numbers(where, name, saved[name], len(fresh_value))
            continue
        numbers[name] = real_value(where, saved[name])
        # The lowest value so far is inf before the first.
        if numbers[name] != math.inf or name != "value":
            _check_range(where, name, numbers[name])
    formats = optimizer._formats()
    for name, (array, keys) in state._places.items():
        if name not in expected:
            continue
        leaf = _argument_tree.leaf_at(state._arrays[array], keys)
        where = f"{label}: saved: {name!r}"
        shape = state._shapes[keys]
        if array == _average.ASIDE:
            _assign_parameters(where, saved[name], leaf)
            continue
        if array == "low":
            Library(leaf).assign(leaf, _saved_bits(where, saved[name], shape))
            continue
        kind, given_kind = formats.get(array), _storage.format_of(saved[name], array)
        if kind is not None or given_kind is not None:
            _assign_stored(where, array, saved[name], given_kind, leaf, kind, shape)
            continue
        source = _saved_array(where, saved[name], leaf)
        if isinstance(source, np.ndarray):
            _check_range(where, array, source)
            Library(leaf).assign(leaf, source)
        else:
            leaf[...] = source
    why_not = why_not_by_rows(optimizer)
    for name, keys in rows.items():
        if name in given:
            where, count = f"{label}: saved: {name!r}", state._shapes[keys][0]
            if why_not is not None:
                raise ValueError(f"{where}: expected no steps of rows {why_not}")
            state._row_t[keys] = _saved_rows(where, saved[name], count, steps)
    aside = _average.ASIDE in state._arrays
    if "average" in state._arrays and numbers["averaged"] != float(aside):
        raise ValueError(
            f"{label}: saved: 'averaged': expected 1 with the parameters that the average stands "
            f"for and 0 without, got {numbers['averaged']}"
        )
    state._set_numbers(steps, numbers)
    return state


def _assign_parameters(where: str, given: Any, leaf: Any) -> None:
    """Fill parameters that were set aside from saved ones of their dtype, or raise."""
    if dtype_name(given) != dtype_name(leaf):
        raise TypeError(f"{where}: has dtype {dtype_name(given)}, expected {dtype_name(leaf)}")
    if tuple(given.shape) != tuple(leaf.shape):
        raise ValueError(f"{where}: has shape {tuple(given.shape)}, expected {tuple(leaf.shape)}")
    if Library(given).name == Library(leaf).name:
        leaf[...] = given
    else:
        Library(leaf).assign(leaf, np.array(Library(given).to_host(given, where)))


def _saved_rows(where: str, given: Any, count: int, t: int) -> NDArray[np.int64]:
    """Return the steps that touched rows last, or raise."""
    last = Library(given).to_host(given, where)
    if last.dtype.kind not in "iu":
        raise TypeError(f"{where}: has dtype {last.dtype}, expected whole numbers")
    if last.shape != (count,):
        raise ValueError(f"{where}: has shape {last.shape}, expected {(count,)}")
    if ((last < 0) | (last > t)).any():
        raise ValueError(f"{where}: expected steps from 0 to {t}, the state's t")
    return np.array(last, np.int64)


def _steps(where: str, given: Any) -> int:
    """Return a number of steps, or raise."""
    one = given.item() if getattr(given, "size", None) == 1 and hasattr(given, "item") else given
    number = one if isinstance(one, int) else real_value(where, one)
    return _checks.steps(where, number)


def _check_range(where: str, name: str, values: Any) -> None:
    """Raise unless a saved number or array is finite and, where it has to be, not negative."""
    if not np.all(np.isfinite(values)):
        raise ValueError(f"{where}: expected finite values, got NaN or inf")
    if name == "averaged" and values not in (0.0, 1.0):
        raise ValueError(f"{where}: expected 0 or 1, got {values}")
    if name in NOT_NEGATIVE and np.any(np.less(values, 0.0)):
        raise ValueError(f"{where}: expected values >= 0, got {np.min(values)}")


def _saved_numbers(where: str, name: str, given: Any, count: int) -> tuple[float, ...]:
    """Return the saved numbers of so many arrays, or raise."""
    if isinstance(given, (list, tuple)):
        found = np.array([real_value(f"{where}[{k}]", one) for k, one in enumerate(given)])
    else:
        found = _saved_array(where, given, np.empty(count))
    if found.shape != (count,):
        raise ValueError(f"{where}: has shape {found.shape}, expected {(count,)}")
    _check_range(where, name, found)
    return tuple(found.tolist())


def _saved_bits(where: str, saved: Any, shape: tuple[int, ...]) -> NDArray[np.uint16]:
    bits = Library(saved).to_host(saved, where)
    if bits.dtype != np.uint16:
        raise TypeError(f"{where}: has dtype {bits.dtype}, expected uint16")
    if bits.shape != shape:
        raise ValueError(f"{where}: has shape {bits.shape}, expected {shape}")
    return np.array(bits)


def _assign_stored(
    where: str,
    name: str,
    saved: Any,
    given: str | None,
    leaf: Any,
    kind: str | None,
    shape: tuple[int, ...],
) -> None:
    """Fill an array of a state, in one format or none, from one that was saved in another."""
    if not hasattr(saved, "shape"):
        saved = Library(saved).to_host(saved, where)
    expected = _storage.shape_of(shape, given)
    if tuple(saved.shape) != expected:
        raise ValueError(f"{where}: has shape {tuple(saved.shape)}, expected {expected}")
    if given is None:
        plain = np.zeros(shape, np.float32)
        values = _saved_array(where, saved, plain)
        values = Library(values).to_host(values, where)
    else:
        values = _storage.decoded(where, saved, shape, given)
    _check_range(where, name, values)
    if kind == given and _storage.is_codes(kind):
        leaf[...] = Library(leaf).from_host(np.array(Library(saved).to_host(saved, where)), leaf)
    else:  # of bfloat16 that is exact, whether a library has that dtype or its bits
        _storage.assign(leaf, values, kind)


def _saved_array(where: str, saved: Any, like: Any) -> Any:
    """Return a saved array in the dtype of one of the state, or raise.

    It stays where it is when one of its own library takes it in there.
    """
    library = Library(saved)
    stays = is_device(saved) and is_device(like) and library.name == Library(like).name
    if stays:
        source = saved.detach() if hasattr(saved, "detach") else saved
    else:
        source = library.to_host(saved, where)
    if dtype_name(source) not in DTYPES and getattr(source.dtype, "kind", "") != "f":
        raise TypeError(f"{where}: has dtype {source.dtype}, expected floating point")
    if tuple(source.shape) != tuple(like.shape):
        raise ValueError(f"{where}: has shape {tuple(source.shape)}, expected {tuple(like.shape)}")
    if stays:
        return source
    with np.errstate(over="ignore", invalid="ignore"):  # inf and NaN are refused by name
        return np.array(source, dtype=dtype_name(like))
