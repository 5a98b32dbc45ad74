"""What the store keeps besides experiments. Every record has an `id` and a `version` that counts its changes.

Each kind is written by one module: `Place` by `places`, `Project` and `Plan` by `projects`, `System` by `system`,
`Summary` and `Metric` by the monitor, `Observation` by the heuristic, `Applied` by the gateway, `Member` by `members`,
`Model` by `models`, `Deployment` by `deployment`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from beagle.experiment import State
from beagle.project import Definition
from beagle.template import Template


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """The one system of a store. `limit` is `experimentsLimit`; projects created until `reset_at` are deleted.

    `orders` are the ids of the last orders that changed it: so a repeat of one is known for that.
    """

    id: str = "system"
    version: int = 0
    running: bool = False
    limit: int = 1
    reset_at: float = 0.0
    orders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """Of a store there is one: `identity` (12 hexadecimal digits) labels what it runs, `secret` is told to nobody."""

    id: str = "deployment"
    version: int = 0
    identity: str
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Room for one running experiment. `of` is the version of the system record that opened or closed it.

    `site` is where the attempt that holds it runs, or is to: only the launchers there know when nothing of it does.
    """

    id: str
    version: int = 0
    number: int
    open: bool
    of: int
    experiment: str = ""
    attempt: int = 0
    site: str = ""
    taken_at: float | None = None


class ProjectState(StrEnum):
    """`running` may start experiments; in all others none starts.

    What runs goes on in `paused` and `stopping`, and is being stopped in `cancelling`; these two end as `stopped`. A
    `deleted` one is shown to nobody, and is being removed.
    """

    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    CANCELLING = "cancelling"
    STOPPED = "stopped"
    COMPLETED = "completed"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a project asked for, under the project's id. It never changes, so that every process reads it once."""

    id: str
    version: int = 0
    definition: Definition
    template: Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """How far a project's search is: `sent` experiments of `planned` (None: open end) have been queued.

    `digest` identifies its plan; `source` is the file it came from; `forgiven` is how many failures the user has seen
    and resumed; `ordered_by` is the id of the order that changed it last. `hidden` is what `deleted` means to lists.
    """

    id: str
    version: int = 0
    name: str
    state: ProjectState = ProjectState.RUNNING
    reason: str = ""
    digest: str
    source: str = ""
    objective: str
    direction: Literal["min", "max"]
    pause_after_failures: int
    created_at: float
    ended_at: float | None = None
    sent: int = 0
    planned: int | None = None
    forgiven: int = 0
    ordered_by: str = ""
    hidden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The metrics of an experiment's current attempt in short; `id` is the experiment's.

    `objective` is None until reported. `tie` orders equal objectives: the lowest number is the best in either
    direction. `last`, `lowest`, `highest` are by name. `refused` counts values that were no metric, `refusal` is the
    sentence about the last one.
    """

    id: str
    version: int = 0
    project: str
    attempt: int
    objective: float | None = None
    tie: int = 0
    last: dict[str, float] = field(default_factory=dict)
    lowest: dict[str, float] = field(default_factory=dict)
    highest: dict[str, float] = field(default_factory=dict)
    count: int = 0
    refused: int = 0
    refusal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a heuristic learnt from one ended experiment, in the order in which it learnt."""

    id: str
    version: int = 0
    project: str
    ordinal: int
    experiment: str
    number: int
    attempt: int
    state: State
    objective: float | None
    ended_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """A command that was begun at `at`, on the record `subject`. `answer` (JSON) is what a repeat gets too; it is empty
    until the effect is stored.
    """

    id: str
    version: int = 0
    answer: str
    at: float
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """An uploaded model template: `name` is its metadata name, `text` the file as it was."""

    id: str
    version: int = 0
    filename: str
    name: str
    text: str
    template: Template
    created_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A replica of an actor. Its version grows every second while it lives. `site` is a launcher's, and `trouble` what
    keeps it from starting what it should, if anything does."""

    id: str
    version: int = 0
    kind: str
    site: str = ""
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One report. Unique per (experiment, attempt, source, sequence); for files the sequence is the byte offset.

    `time` is seconds since the epoch at which Beagle read it. `refusals` are sentences on values that are no metric.
    """

    experiment: str
    attempt: int
    source: str
    sequence: int
    time: float
    values: dict[str, float]
    step: int | None = None
    refusals: tuple[str, ...] = ()
