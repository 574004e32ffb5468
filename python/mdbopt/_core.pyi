from typing import Any

import numpy as np
from numpy.typing import NDArray

__version__: str

def run(
    rule: int,
    /,
    *streams: Any,
    scalars: tuple[float, ...],
    backend: str | None = ...,
    threads: int = ...,
    lr: Any = ...,
    copy: Any = ...,
    dtype: str | None = ...,
    flush_subnormals: bool = ...,
    seed: int | None = ...,
) -> tuple[Any, ...]: ...
def rules() -> list[dict[str, Any]]: ...
def backends() -> list[tuple[str, bool, bool]]: ...
def threads() -> int: ...
def take_traffic() -> tuple[int, int]: ...

class State:
    def __init__(
        self,
        *,
        method: str,
        gamma: float = ...,
        initial_scale: float = ...,
        forward: float = ...,
        cocoercive: bool = ...,
        refine: int = ...,
        gradient_direction: bool = ...,
        groups: list[int] = ...,
        memory: int = ...,
        proposer: str = ...,
        backend: str | None = ...,
        threads: int = ...,
    ) -> None: ...
    def init(self, x: Any, f: float, g: Any) -> None: ...
    def propose(self) -> NDArray[np.floating[Any]]: ...
    def judge(self, f: float, g: Any) -> bool: ...
    def converged(self, gtol: float) -> bool: ...
    def save(self) -> dict[str, Any]: ...
    def load(self, saved: dict[str, Any]) -> None: ...
    def step_sizes(self) -> NDArray[np.float64]: ...
    @property
    def x(self) -> NDArray[np.floating[Any]]: ...
    @property
    def g(self) -> NDArray[np.floating[Any]]: ...
    @property
    def f(self) -> float: ...
    @property
    def gmax(self) -> float: ...
    @property
    def trial_gmax(self) -> float: ...
    @property
    def ncut(self) -> int: ...
    @property
    def accepted(self) -> int: ...
    @property
    def evaluations(self) -> int: ...
    @property
    def status(self) -> int: ...

class Update:
    t: int
    def __init__(
        self,
        options: dict[str, Any],
        optimizer: str,
        state: dict[str, Any],
        dtype: str | None = ...,
    ) -> None: ...
    def configure(self, options: dict[str, Any]) -> None: ...
    def step(
        self,
        params: Any,
        grads: Any,
        lr: Any,
        grad_scale: float,
        skip: bool,
        max_norm: float,
        copy: Any,
        scalars: dict[str, float] | None = ...,
    ) -> bool: ...
    def numbers(self) -> dict[str, float]: ...
    def set_number(self, name: str, value: float) -> None: ...
