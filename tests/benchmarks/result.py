"""What a benchmark found: figures, how they stand to the aim, and whether it did the work that it timed."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table; `values` has one for each repetition."""

    what: str
    unit: str
    values: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The ratio that a benchmark is about. `aim` is what it should be, `least` what it must be, `most` a bound from
    above; without any of them there is no aim."""

    what: str
    values: Sequence[float]
    unit: str = ""
    aim: float | None = None
    least: float | None = None
    most: float | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def met(self) -> bool:
        above = self.aim is None or self.median >= self.aim
        return above and (self.most is None or self.median <= self.most)

    @property
    def sentence(self) -> str:
        if self.most is not None:
            return f"aim: at most {shown(self.most)}{self.unit}, {'met' if self.met else 'missed'}"
        if self.aim is None:
            return "no aim is set"
        word = "met" if self.met else "missed"
        if self.least is None:
            return f"aim: {shown(self.aim)}{self.unit}, {word}"
        least = "met" if self.median >= self.least else "missed"
        return f"aim: {shown(self.aim)}{self.unit}, {word}; at least {shown(self.least)}{self.unit}, {least}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Something that must have happened so often for the times to mean anything."""

    what: str
    found: int
    expected: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """`limits` is one sentence on what keeps it from being faster."""

    name: str
    measured: str
    verdicts: Sequence[Verdict]
    figures: Sequence[Figure]
    counts: Sequence[Count]
    limits: str = field(default="")

    @property
    def met(self) -> bool:
        return all(verdict.met for verdict in self.verdicts)

    @property
    def wrong(self) -> list[str]:
        """One sentence for each count that is off; empty when the work was done."""
        return [f"{c.what}: {c.found} instead of {c.expected}" for c in self.counts if c.found != c.expected]


def shown(number: float) -> str:
    """Three digits that say something, thousands with commas."""
    if abs(number) >= 1000:
        return f"{number:,.0f}"
    return f"{number:.3g}"


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent of them do not exceed."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(len(ranked) * percent / 100) - 1)]
