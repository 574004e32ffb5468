"""_options – how a file is to be read, checked before it is opened."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from mdbopt.data._frame import NAMED_DELIMITERS, WHITESPACE

TEXT, LIBSVM, NPZ, NPY = "text with columns", "LIBSVM text", ".npz", ".npy"
# The formats that know an option.
KNOWN_BY: dict[str, tuple[str, ...]] = {
    "target": (TEXT, NPY),
    "header": (TEXT,),
    "sep": (TEXT,),
    "decimal": (TEXT,),
    "thousands": (TEXT,),
    "encoding": (TEXT, LIBSVM),
    "one_hot": (TEXT,),
    "missing": (TEXT,),
    "zero_based": (LIBSVM,),
    "n_features": (LIBSVM,),
}


@dataclass
class Options:
    """The keywords of `mdbopt.data.load`; errors name them."""

    target: str | int | None = None
    header: Any = "auto"
    sep: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    encoding: str | None = None
    one_hot: bool = False
    missing: str = "error"
    zero_based: bool | str = "auto"
    n_features: int | None = None

    def __post_init__(self) -> None:
        if isinstance(self.target, bool) or not isinstance(self.target, (str, int, type(None))):
            raise TypeError(f"load: target is {self.target!r}, expected a column's name or index")
        self.header = _header(self.header)
        self.sep = NAMED_DELIMITERS.get(self.sep or "", self.sep)
        if self.sep is not None and self.sep != WHITESPACE:
            _check_character("sep", self.sep, "one character, 'tab' or 'whitespace'")
        for name in ("decimal", "thousands"):
            if getattr(self, name) is not None:
                _check_character(name, getattr(self, name), "one character such as ','")
        if self.thousands == "." and self.decimal is None:
            self.decimal = ","
        if self.thousands is not None and self.thousands == (self.decimal or "."):
            raise ValueError(f"load: decimal and thousands are both {self.thousands!r}")
        if self.missing not in ("error", "mean"):
            raise ValueError(f"load: missing is {self.missing!r}, expected 'error' or 'mean'")
        if self.zero_based != "auto" and not isinstance(self.zero_based, bool):
            raise ValueError(
                f"load: zero_based is {self.zero_based!r}, expected 'auto', True or False"
            )
        width = self.n_features
        if width is not None and (isinstance(width, bool) or not isinstance(width, int)):
            raise TypeError(f"load: n_features is {width!r}, expected a whole number")
        if width is not None and width < 1:
            raise ValueError(f"load: n_features is {width}, expected at least 1")

    def given(self) -> list[str]:
        """Return the names of those that are not at their defaults."""
        return [each.name for each in fields(self) if getattr(self, each.name) != each.default]


def _header(header: Any) -> str | bool:
    """Return "auto", True or False; "infer", 0 and None as pandas has them."""
    if isinstance(header, str) and header in ("auto", "infer"):
        return "auto"
    if header is None or header is False:
        return False
    if header is True or (isinstance(header, int) and header == 0):
        return True
    raise ValueError(f"load: header is {header!r}, expected 'auto', True or False")


def _check_character(name: str, mark: Any, expected: str) -> None:
    if not isinstance(mark, str):
        raise TypeError(f"load: {name} is {mark!r}, expected {expected}")
    if len(mark) != 1 or mark.isalnum() or mark in '"\n\r':
        raise ValueError(f"load: {name} is {mark!r}, expected {expected}")
