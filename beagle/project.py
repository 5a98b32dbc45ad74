"""What a user asks for: the project definition, as read from its file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from beagle.experiment import Failure
from beagle.space import Parameter

RETRIES = {Failure.LAUNCH: 2, Failure.EXIT: 0, Failure.OUT_OF_MEMORY: 0, Failure.LOST: 3}
MOST_EXPERIMENTS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """`timeout` is seconds per attempt, None for none; `template` is a file name; `settings` the heuristic's own.

    `places` says where fields stand (`parameters.EPOCHS` → `project.yml:12`), for sentences about them. It is no part
    of what is asked for: neither compared nor stored.
    """

    name: str
    template: str
    parameters: tuple[Parameter, ...]
    timeout: float | None = None
    accuracy_limit: float | None = None
    heuristic: str = "grid"
    settings: dict[str, str | int | float | bool] = field(default_factory=dict)
    objective: str = "accuracy"
    direction: Literal["min", "max"] = "max"
    summary: Literal["last", "best"] = "last"
    total: int | None = None
    seed: int = 0
    retries: dict[Failure, int] = field(default_factory=lambda: dict(RETRIES))
    pause_after_failures: int = 5
    places: Annotated[dict[str, str], Field(exclude=True)] = field(default_factory=dict, compare=False, repr=False)

    def sentence(self, place: str, what: str) -> str:
        """A mistake as users read it; where the definition did not come from a file, without file and line."""
        outer = place
        while outer not in self.places and outer:
            outer = outer.rpartition(".")[0]
        where = self.places.get(outer)
        return f"{where}: {place}: {what}" if where else f"{place}: {what}"
