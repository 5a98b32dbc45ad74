"""Random search: suggestion n depends on (seed, n) alone. Over a finite space no point comes twice."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from random import Random as Generator

from beagle.errors import InvalidInput
from beagle.experiment import Value
from beagle.permutation import shuffled
from beagle.project import MOST_EXPERIMENTS, Definition
from beagle.records import Observation
from beagle.sentences import counted
from beagle.space import Int, Parameter, as_text, draw, outcomes, point

_TRIES = 32


class Random:
    """Needs no observations. Ends with `total_n_experiments`, or when a finite space is exhausted."""

    def __init__(self, definition: Definition, sent: int) -> None:
        if problems := self.check(definition):
            raise InvalidInput(problems)
        self._points = _points(definition)
        self._next = sent
        size = outcomes(definition.parameters)
        self._total = min(total for total in (size, definition.total) if total is not None)

    @staticmethod
    def check(definition: Definition) -> list[str]:
        size = outcomes(definition.parameters)
        if definition.total is not None or (size is not None and size <= MOST_EXPERIMENTS):
            return []
        points = "no end of" if size is None else counted(size)
        what = f"is missing, and the space has {points} points; give how many to try, at most {MOST_EXPERIMENTS:,}"
        return [definition.sentence("optimization.total_n_experiments", what)]

    @property
    def total(self) -> int | None:
        return self._total

    def observe(self, observation: Observation) -> None:
        """A random search learns nothing."""

    def suggest(self, count: int) -> list[dict[str, Value]]:
        first, self._next = self._next, max(self._next, min(self._total, self._next + count))
        return [self._points(index) for index in range(first, self._next)]


def _points(definition: Definition) -> Callable[[int], dict[str, Value]]:
    """Gives the n-th point; asked in rising order."""
    parameters, seed = definition.parameters, definition.seed
    size = outcomes(parameters)
    if size is None:
        return lambda number: draw(parameters, _generator(seed, number))
    if any(isinstance(parameter, Int) and parameter.log for parameter in parameters):
        return _Weighted(parameters, seed, size)
    return lambda number: point(parameters, shuffled(number, size, seed))


class _Weighted:
    """A finite space in which some points are likelier: draws again what came before, so it keeps what came.

    A restart repeats the earlier draws. After `_TRIES` known points the next new one of the shuffle is taken.
    """

    def __init__(self, parameters: tuple[Parameter, ...], seed: int, size: int) -> None:
        self._parameters, self._seed, self._size = parameters, seed, size
        self._known: set[tuple[str, ...]] = set()
        self._place = 0

    def __call__(self, number: int) -> dict[str, Value]:
        while len(self._known) < number:
            self._new()
        return self._new()

    def _new(self) -> dict[str, Value]:
        generator = _generator(self._seed, len(self._known))
        for _ in range(_TRIES):
            drawn = draw(self._parameters, generator)
            if self._is_new(drawn):
                return drawn
        while not self._is_new(found := point(self._parameters, shuffled(self._place, self._size, self._seed))):
            self._place += 1
        return found

    def _is_new(self, values: dict[str, Value]) -> bool:
        before = len(self._known)
        self._known.add(tuple(as_text(value) for value in values.values()))
        return len(self._known) > before


def _generator(seed: int, number: int) -> Generator:
    return Generator(int.from_bytes(sha256(f"{seed}/{number}".encode()).digest()))  # noqa: S311  no secret is drawn
