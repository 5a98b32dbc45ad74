"""The parameters of a project and the space that they span: how many points, which is the n-th, and random draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from beagle.experiment import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of the listed values (`absolute`, `categorical`)."""

    kind: Literal["choice"] = "choice"
    name: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineal:
    """From initial to final, final excluded, every interval; uniform in the range for a random draw."""

    kind: Literal["lineal"] = "lineal"
    name: str
    initial: float
    final: float
    interval: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """Every sequence of `units` of each length in `lengths`, as a comma-joined string."""

    kind: Literal["layers"] = "layers"
    name: str
    lengths: tuple[int, ...]
    units: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Float:
    """A number between low and high, both included; `log` draws evenly over the logarithm, `step` makes it discrete."""

    kind: Literal["float"] = "float"
    name: str
    low: float
    high: float
    log: bool = False
    step: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Int:
    """A whole number between low and high, both included."""

    kind: Literal["int"] = "int"
    name: str
    low: int
    high: int
    log: bool = False
    step: int = 1


Parameter = Choice | Lineal | Layers | Float | Int
