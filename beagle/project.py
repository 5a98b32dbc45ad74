"""What a user asks for: the project definition, as read from its file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from beagle.experiment import Failure
from beagle.space import Parameter

RETRIES = {Failure.LAUNCH: 2, Failure.EXIT: 0, Failure.OUT_OF_MEMORY: 0, Failure.LOST: 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """`timeout` is seconds per attempt, None for none; `template` is a file name; `settings` the heuristic's own."""

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
