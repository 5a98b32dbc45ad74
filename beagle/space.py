"""The parameters of a project and the space that they span: how many points, which is the n-th, and random draws.

Grid values are computed as exact fractions of the numbers as written, so that rounding neither adds nor loses one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from random import Random
from typing import Literal

from beagle.experiment import Value

Number = int | float


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of the listed values (`absolute`, `categorical`)."""

    kind: Literal["choice"] = "choice"
    name: str
    values: tuple[Value, ...]

    def size(self) -> int:
        return len(self.values)

    def outcomes(self) -> int:
        return self.size()

    def value(self, index: int) -> Value:
        return self.values[index]

    def draw(self, random: Random) -> Value:
        return random.choice(self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineal:
    """From initial to final, final excluded, every interval (a negative one descends).

    Whole numbers in a grid when all three are. Uniform in the range, and continuous, for a random draw.
    """

    kind: Literal["lineal"] = "lineal"
    name: str
    initial: Number
    final: Number
    interval: Number

    def size(self) -> int:
        steps = (_exact(self.final) - _exact(self.initial)) / _exact(self.interval)
        return max(0, math.ceil(steps))

    def outcomes(self) -> None:
        return None

    def value(self, index: int) -> Number:
        exact = _exact(self.initial) + index * _exact(self.interval)
        whole = all(isinstance(number, int) for number in (self.initial, self.final, self.interval))
        return int(exact) if whole else float(exact)

    def draw(self, random: Random) -> float:
        drawn = _between(self.initial, self.final, random.random())
        return math.nextafter(self.final, self.initial) if drawn == self.final else drawn


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """Every sequence of `units` of each length in `lengths`, as a comma-joined string."""

    kind: Literal["layers"] = "layers"
    name: str
    lengths: tuple[int, ...]
    units: tuple[int, ...]

    def size(self) -> int:
        return sum(len(self.units) ** length for length in self.lengths)

    def outcomes(self) -> int:
        return self.size()

    def value(self, index: int) -> str:
        for length in self.lengths:
            block = len(self.units) ** length
            if index < block:
                return ",".join(str(unit) for unit in self._sequence(index, length))
            index -= block
        raise IndexError(index)

    def draw(self, random: Random) -> str:
        return self.value(random.randrange(self.size()))

    def _sequence(self, index: int, length: int) -> list[int]:
        sequence = []
        for _ in range(length):
            index, digit = divmod(index, len(self.units))
            sequence.append(self.units[digit])
        return sequence[::-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Float:
    """A number between low and high, both included; `log` draws evenly over the logarithm, `step` makes it discrete."""

    kind: Literal["float"] = "float"
    name: str
    low: float
    high: float
    log: bool = False
    step: float | None = None

    def size(self) -> int | None:
        if self.step is None:
            return None
        return math.floor((_exact(self.high) - _exact(self.low)) / _exact(self.step)) + 1

    def outcomes(self) -> int | None:
        return self.size()

    def value(self, index: int) -> float:
        return float(_exact(self.low) + index * _exact(self.step or 0))

    def draw(self, random: Random) -> float:
        size = self.size()
        if size is not None:
            return self.value(random.randrange(size))
        if not self.log:
            return _between(self.low, self.high, random.random())
        drawn = math.exp(_between(math.log(self.low), math.log(self.high), random.random()))
        return min(max(drawn, self.low), self.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Int:
    """A whole number between low and high, both included."""

    kind: Literal["int"] = "int"
    name: str
    low: int
    high: int
    log: bool = False
    step: int = 1

    def size(self) -> int:
        return (self.high - self.low) // self.step + 1

    def outcomes(self) -> int:
        return self.size()

    def value(self, index: int) -> int:
        return self.low + index * self.step

    def draw(self, random: Random) -> int:
        if not self.log:
            return self.value(random.randrange(self.size()))
        # Half a unit more on either side: low and high are then as likely as their neighbours.
        drawn = math.exp(_between(math.log(self.low - 0.5), math.log(self.high + 0.5), random.random()))
        return min(max(round(drawn), self.low), self.high)


Parameter = Choice | Lineal | Layers | Float | Int


def combinations(parameters: Sequence[Parameter]) -> int | None:
    """How many points a grid has; None when a parameter is continuous."""
    return _product([parameter.size() for parameter in parameters])


def outcomes(parameters: Sequence[Parameter]) -> int | None:
    """How many points random draws can give; None when a parameter is drawn from a continuous range."""
    return _product([parameter.outcomes() for parameter in parameters])


def point(parameters: Sequence[Parameter], index: int) -> dict[str, Value]:
    """The combination at `index`, from 0: the parameter named last varies slowest."""
    values: dict[str, Value] = {}
    for parameter in parameters:
        index, digit = divmod(index, parameter.size() or 1)
        values[parameter.name] = parameter.value(digit)
    return values


def draw(parameters: Sequence[Parameter], random: Random) -> dict[str, Value]:
    return {parameter.name: parameter.draw(random) for parameter in parameters}


def as_text(value: Value) -> str:
    """A value as a program finds it in its environment."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _product(sizes: list[int | None]) -> int | None:
    known = [size for size in sizes if size is not None]
    return math.prod(known) if len(known) == len(sizes) else None


def _exact(number: Number) -> Fraction:
    """The decimal that was written, not the nearest binary fraction."""
    return Fraction(repr(number))


def _between(low: float, high: float, share: float) -> float:
    drawn = low * (1 - share) + high * share  # `high - low` could be infinite
    return min(max(drawn, min(low, high)), max(low, high))
