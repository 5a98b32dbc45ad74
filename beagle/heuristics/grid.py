"""Grid search: every combination, the parameter named last varying slowest."""

from __future__ import annotations

from beagle.errors import InvalidInput
from beagle.experiment import Value
from beagle.project import MOST_EXPERIMENTS, Definition
from beagle.records import Observation
from beagle.sentences import counted
from beagle.space import combinations, point


class Grid:
    """Needs no observations. `total_n_experiments` ends it early."""

    def __init__(self, definition: Definition, sent: int) -> None:
        if problems := self.check(definition):
            raise InvalidInput(problems)
        self._parameters = definition.parameters
        self._next = sent
        size = combinations(definition.parameters) or 0
        self._total = min(size, definition.total or size)

    @staticmethod
    def check(definition: Definition) -> list[str]:
        continuous = [parameter.name for parameter in definition.parameters if parameter.size() is None]
        if continuous:
            what = "is continuous, and a grid has no end of values in it; give it a step, or search with type: random"
            return [definition.sentence(f"parameters.{name}", what) for name in continuous]
        size = combinations(definition.parameters) or 0
        if definition.total is None and size > MOST_EXPERIMENTS:
            what = f"the grid has {counted(size)} combinations; {MOST_EXPERIMENTS:,} is the most: "
            return [definition.sentence("optimization", f"{what}cap it with total_n_experiments, or search at random")]
        return []

    @property
    def total(self) -> int | None:
        return self._total

    def observe(self, observation: Observation) -> None:
        """A grid learns nothing."""

    def suggest(self, count: int) -> list[dict[str, Value]]:
        first, self._next = self._next, max(self._next, min(self._total, self._next + count))
        return [point(self._parameters, index) for index in range(first, self._next)]
