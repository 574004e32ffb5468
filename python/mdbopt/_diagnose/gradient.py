"""gradient – whether g is the gradient of f: directional differences, and the worst coordinate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from mdbopt._arrays import Array
from mdbopt._diagnose.probe import Probe

DIRECTIONS = 3
# Shares of the lengths below; a right gradient agrees at one of them at least.
STEPS = (1e-3, 1e-5)
# Agreement of fewer digits than this is none.
WRONG = 1e-3
EVERY_COORDINATE = 50
# A coordinate whose share of the slope is less than this of the largest moves as if it were this.
LEAST_SHARE = 1e-4


@dataclass(frozen=True)
class GradientCheck:
    """How well g agrees with central differences of f.

    Attributes
    ----------
    error : float
        Largest abs(difference - slope) over the larger of both.
    coordinate : int or None
        The worst one, where the gradient is wrong.
    given, measured : float or None
        What g says there, and what differences of f say.
    """

    error: float
    coordinate: int | None = None
    given: float | None = None
    measured: float | None = None

    @property
    def right(self) -> bool:
        """Whether g agrees with f to three digits."""
        return self.error <= WRONG


def check_gradient(probe: Probe, diagonal: Array, noise: float | None) -> GradientCheck:
    """Compare slopes with differences of f: along each of up to 50 coordinates, else random sums.

    Parameters
    ----------
    probe : Probe
        The objective.
    diagonal : ndarray of shape (d,)
        Curvature along each coordinate, positive; it sets how far to go.
    noise : float or None
        Of f, relative, in which a difference may be lost.
    """
    d = probe.x.size
    root = np.sqrt(diagonal)
    share = np.abs(probe.g) / root
    largest = float(share.max())
    lengths = np.maximum(share, LEAST_SHARE * largest) / root if largest > 0.0 else probe.units
    if d <= EVERY_COORDINATE:
        return _checked(probe, [_along(lengths, place) for place in range(d)], noise)
    # each term of the slope alike, so that none is lost among larger ones
    lengths = lengths / np.maximum(np.abs(probe.g * lengths), LEAST_SHARE**2 * largest**2)
    lengths *= largest / float(np.linalg.norm(lengths * root))
    signs = np.random.default_rng(1).choice([-1.0, 1.0], (DIRECTIONS, d))
    found = _checked(probe, list(signs * lengths), noise)
    if found.right:
        return found
    place = _worst_coordinate(probe, lengths, noise)
    return GradientCheck(found.error, place, *_both(probe, _along(lengths, place), noise))


def _checked(probe: Probe, directions: list[Array], noise: float | None) -> GradientCheck:
    errors = [_error(probe, direction, noise)[0] for direction in directions]
    worst = int(np.argmax(errors))
    if errors[worst] <= WRONG:
        return GradientCheck(errors[worst])
    return GradientCheck(errors[worst], worst, *_both(probe, directions[worst], noise))


def _along(lengths: Array, place: int) -> Array:
    direction = np.zeros_like(lengths)
    direction[place] = lengths[place]
    return direction


def _both(probe: Probe, direction: Array, noise: float | None) -> tuple[float, float]:
    """Return g and the difference per unit, along a direction of one coordinate."""
    length = float(direction.sum())
    return float(probe.g @ direction) / length, _error(probe, direction, noise)[1] / length


def _error(probe: Probe, direction: Array, noise: float | None) -> tuple[float, float]:
    """Return how far slope and difference are apart, relative, and the difference."""
    slope = float(probe.g @ direction)
    floor = (noise or 0.0) + probe.epsilon
    best, measured = math.inf, math.nan
    for step in STEPS:
        ahead = probe.at(probe.x + step * direction)[0]
        behind = probe.at(probe.x - step * direction)[0]
        difference = (ahead - behind) / (2.0 * step)
        lost = 10.0 * floor * max(abs(ahead), abs(behind)) / step
        # in a sum that cancels, digits are lost on both sides
        size = max(abs(slope), abs(difference), 0.1 * float(np.linalg.norm(probe.g * direction)))
        apart = max(0.0, abs(difference - slope) - lost)
        error = apart / size if size > 0.0 else 0.0
        if math.isfinite(error) and error < best:
            best, measured = error, difference
        if best <= WRONG / 10.0:
            break
    return best, measured


def _worst_coordinate(probe: Probe, lengths: Array, noise: float | None) -> int:
    """Find a coordinate in which g is wrong, by halves of all of them."""
    places = np.arange(lengths.size)
    while places.size > 1:
        halves = np.array_split(places, 2)
        places = max(halves, key=lambda half: _gap(probe, lengths, half, noise))
    return int(places[0])


def _gap(probe: Probe, lengths: Array, places: Any, noise: float | None) -> float:
    """Return by how much f's change along these coordinates differs from what g says."""
    part = np.zeros_like(lengths)
    part[places] = lengths[places]
    return abs(_error(probe, part, noise)[1] - float(probe.g @ part))
