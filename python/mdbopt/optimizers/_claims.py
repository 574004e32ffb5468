"""Which arrays of a tree belong to which group."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

from mdbopt.optimizers import _argument_tree

# What a group claims: names and predicates, or None for the rest.
Claim = str | Callable[[str, Any], bool]
Claims = tuple[Claim, ...] | None


def checked_claims(where: str, given: Any) -> Claims:
    """Return the claims of a group as a tuple, or None, or raise."""
    if given is None:
        return None
    several = isinstance(given, (list, tuple, set, frozenset))
    claims = tuple(given) if several else (given,)
    if isinstance(given, (set, frozenset)):
        claims = tuple(sorted(claims, key=str))
    if not claims:
        raise ValueError(f"{where}: expected a name or a predicate, got an empty list")
    for claim in claims:
        if not isinstance(claim, str) and not callable(claim):
            raise TypeError(
                f"{where}: expected names, predicates of a name and an array, or None for the "
                f"rest, got {type(claim).__name__}"
            )
    return claims


def masks_of(groups: list[Claims], params: Any) -> list[Any]:
    """Give each group the tree of the parameters with True at its arrays and None elsewhere.

    Raises
    ------
    ValueError
        When no group, or two, claim an array, a name matches none, or a group is left without.
    """
    leaves = [
        (keys, leaf) for keys, leaf in _argument_tree.leaves(params) if leaf is not None or not keys
    ]
    names = [".".join(map(str, keys)) for keys, _ in leaves]
    owners: dict[_argument_tree.Keys, int] = {}
    for k, claims in enumerate(groups):
        for claim in claims or ():
            claimed = [
                keys
                for (keys, leaf), name in zip(leaves, names, strict=True)
                if _holds(claim, name, leaf)
            ]
            if isinstance(claim, str) and not claimed:
                raise ValueError(
                    f"Groups: members[{k}]: {claim!r} matches no array; their names are "
                    f"{_listed(names)}"
                )
            for keys in claimed:
                if owners.setdefault(keys, k) != k:
                    raise ValueError(
                        f"Groups: params{_argument_tree.text(keys)}: claimed by members"
                        f"[{owners[keys]}] and members[{k}], expected one"
                    )
    if None in groups:
        rest = groups.index(None)
        for keys, _ in leaves:
            owners.setdefault(keys, rest)
    for keys, _ in leaves:
        if keys not in owners:
            raise ValueError(
                f"Groups: params{_argument_tree.text(keys)}: claimed by no group; a group of None "
                "claims the rest"
            )
    for k in range(len(groups)):
        if k not in owners.values():
            raise ValueError(f"Groups: members[{k}]: has no array, expected one at least")
    return [_mask(params, owners, k) for k in range(len(groups))]


def _holds(claim: Claim, name: str, leaf: Any) -> bool:
    """Tell whether an array is claimed: by its dotted name, or a run of whole keys in it."""
    if not isinstance(claim, str):
        return bool(claim(name, leaf))
    return fnmatchcase(f".{name}.", f"*.{claim}.*")


def _listed(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:8]))
    return shown if len(names) <= 8 else f"{shown} and {len(names) - 8} more"


def _mask(
    tree: Any, owners: dict[_argument_tree.Keys, int], k: int, keys: _argument_tree.Keys = ()
) -> Any:
    if isinstance(tree, dict):
        mask: Any = {key: _mask(item, owners, k, (*keys, key)) for key, item in tree.items()}
        return mask if any(part is not None for part in mask.values()) else None
    if isinstance(tree, (list, tuple)):
        mask = [_mask(item, owners, k, (*keys, i)) for i, item in enumerate(tree)]
        return mask if any(part is not None for part in mask) else None
    return True if owners.get(keys) == k else None


def selected(mask: Any, tree: Any) -> Any:
    """Return a tree with None in place of all that is not the group's.

    What holds for all below a place, such as a number, is returned as it is.
    """
    if mask is None:
        return None
    if mask is True or not isinstance(tree, (list, tuple, dict)):
        return tree
    if isinstance(mask, dict):
        return {key: selected(part, tree[key]) for key, part in mask.items()}
    return [selected(part, item) for part, item in zip(mask, tree, strict=True)]


def merged(masks: list[Any]) -> Any:
    """Give the tree of all parameters with True at its arrays and None elsewhere."""
    present = [mask for mask in masks if mask is not None]
    if not present:
        return None
    first = present[0]
    if isinstance(first, dict):
        return {key: merged([mask[key] for mask in present]) for key in first}
    if isinstance(first, list):
        return [merged(list(parts)) for parts in zip(*present, strict=True)]
    return True


def check_structure(tree: Any, params: Any, keys: _argument_tree.Keys = ()) -> None:
    """Raise unless parameters are built like those that a tree of `merged` is of."""
    where = f"Groups: params{_argument_tree.text(keys)}"
    if isinstance(tree, dict):
        if not isinstance(params, dict) or params.keys() != tree.keys():
            came = str(list(params)) if isinstance(params, dict) else type(params).__name__
            raise ValueError(f"{where}: expected the keys of init, {list(tree)}, got {came}")
        for key, part in tree.items():
            check_structure(part, params[key], (*keys, key))
    elif isinstance(tree, list):
        if not isinstance(params, (list, tuple)) or len(params) != len(tree):
            several = isinstance(params, (list, tuple))
            came = str(len(params)) if several else type(params).__name__
            raise ValueError(f"{where}: expected the {len(tree)} items of init, got {came}")
        for k, part in enumerate(tree):
            check_structure(part, params[k], (*keys, k))
    elif tree is None and any(
        True for _, leaf in _argument_tree.leaves(params) if leaf is not None
    ):
        raise ValueError(f"{where}: expected nothing, as at init, got {type(params).__name__}")
    elif tree is True and (params is None or isinstance(params, (list, tuple, dict))):
        raise ValueError(f"{where}: expected an array, as at init, got {type(params).__name__}")
