"""The compiled calls, registered with XLA, or why there are none."""

from __future__ import annotations

from typing import Any

from mdbopt import _core

try:
    import jax
    import optax  # noqa: F401  (what the package cannot do without is asked for in one place)
except ImportError as error:
    raise ImportError(
        "mdbopt.jax: needs JAX and optax; pip install 'mdbopt[jax]' brings both"
    ) from error

TARGETS: dict[str, Any] = _core.xla_targets()
if not TARGETS:
    raise ImportError(
        "mdbopt.jax: this mdbopt was built without the headers of jaxlib. In the folder of its "
        "sources: pip install . -C cmake.define.MDBOPT_JAX_INCLUDE_DIR=FOLDER, with the folder "
        "that jax.ffi.include_dir() names"
    )
for name, target in TARGETS.items():
    jax.ffi.register_ffi_target(name, target, platform="cpu")


def call(
    name: str,
    operands: list[Any],
    shapes: list[Any],
    aliases: dict[int, int],
    attributes: dict[str, Any],
) -> list[Any]:
    """Call the compiled function on the arrays of one problem; under vmap, on one after the other.

    Parameters
    ----------
    name : str
        One of the targets.
    operands : list of arrays
        What it reads.
    shapes : list of ShapeDtypeStruct
        What its results are like.
    aliases : dict of int
        Which operands the results take the place of, by their numbers.
    attributes : dict
        Its options, of NumPy's types.

    Returns
    -------
    list of arrays
        The results.
    """
    function = jax.ffi.ffi_call(
        name, shapes, vmap_method="sequential", input_output_aliases=aliases
    )
    return list(function(*operands, **attributes))
