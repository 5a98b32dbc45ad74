"""Everything that travels on the bus, as types. `bus/routes.py` says where each goes; `docs/messages.md` lists them.

Orders are imperatives, what happened is a past participle. A body is one JSON object with `type`, `id` (24 hexadecimal
digits), `time` (seconds since the epoch) and `v`; further fields are the message's own.
"""

from __future__ import annotations

import os
import time
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from beagle.errors import InvalidInput

Answer = dict[str, Any]


def new_id() -> str:
    """24 lower-case hexadecimal digits, unique."""
    return os.urandom(12).hex()


class Message(BaseModel):
    """What every body has. A message with the id of one that was applied gets the first answer again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(default_factory=new_id, pattern=r"^[0-9a-f]{24}$")
    time: float = Field(default_factory=time.time)
    v: Literal[1] = 1


# Orders and questions to the gateway ---------------------------------------------------------------------------------


class SubmitProject(Message):
    """Store a project and start its search; one with the same definition and template is taken up again.

    `folder` is where the template's relative paths start; `source` names the file for the user. With `anew`, a
    finished one is run again from the beginning as a new project.
    """

    type: Literal["SubmitProject"] = "SubmitProject"
    definition: str
    definition_name: str
    template: str
    template_name: str
    folder: str
    source: str
    anew: bool = False


class ShowSystem(Message):
    """Answered with the system: running, limit, counts per state, projects, what runs with its last metrics."""

    type: Literal["ShowSystem"] = "ShowSystem"


class StartSystem(Message):
    """Let experiments start (play)."""

    type: Literal["StartSystem"] = "StartSystem"


class PauseSystem(Message):
    """Stop what runs and put it back at the head of the queue; start nothing."""

    type: Literal["PauseSystem"] = "PauseSystem"


class SetLimit(Message):
    """Let at most `limit` experiments run. Lowering it stops nothing that runs."""

    type: Literal["SetLimit"] = "SetLimit"
    limit: int = Field(ge=0, le=10_000)


class ShowProject(Message):
    """Answered with a project (an id or a name; None: the newest), its counts, its best experiment and what runs."""

    type: Literal["ShowProject"] = "ShowProject"
    project: str | None = None


class ListExperiments(Message):
    """Answered with a page of experiments by number: of one project (None: the newest), in one state (None: all)."""

    type: Literal["ListExperiments"] = "ListExperiments"
    project: str | None = None
    state: str | None = None
    after: str | None = None
    limit: int = Field(default=100, ge=1, le=1000)


class ListEndings(Message):
    """Answered with a page of the experiments of a project that have ended, the latest first."""

    type: Literal["ListEndings"] = "ListEndings"
    project: str | None = None
    after: str | None = None
    limit: int = Field(default=100, ge=1, le=1000)


class ShowExperiment(Message):
    """Answered with one experiment; `experiment` is an id, a name, or a number of the newest project."""

    type: Literal["ShowExperiment"] = "ShowExperiment"
    experiment: str


class ExplainExperiment(Message):
    """Answered with one sentence: why the experiment is in its state."""

    type: Literal["ExplainExperiment"] = "ExplainExperiment"
    experiment: str


class ListMetrics(Message):
    """Answered with a page of the metrics of an attempt (None: the current one), oldest first."""

    type: Literal["ListMetrics"] = "ListMetrics"
    experiment: str
    attempt: int | None = None
    after: str | None = None
    limit: int = Field(default=1000, ge=1, le=10_000)


class ListBest(Message):
    """Answered with the best experiments of a project by its objective, best first."""

    type: Literal["ListBest"] = "ListBest"
    project: str | None = None
    count: int = Field(default=10, ge=1, le=1000)


class ReadLog(Message):
    """Answered with a piece of what an attempt wrote: `text`, `next` offset, `complete`. Negative: from the end."""

    type: Literal["ReadLog"] = "ReadLog"
    experiment: str
    attempt: int | None = None
    stream: Literal["out", "err"] = "out"
    offset: int = 0


class StopExperiment(Message):
    """Stop one experiment where it runs, or take it out of the queue."""

    type: Literal["StopExperiment"] = "StopExperiment"
    experiment: str
    reason: str = "stopped by the user"


class RetryExperiment(Message):
    """Run one that failed, timed out or was stopped again, as its next attempt."""

    type: Literal["RetryExperiment"] = "RetryExperiment"
    experiment: str


# Nudges between actors -----------------------------------------------------------------------------------------------


class FillPlaces(Message):
    """There may be a free place, or something to run."""

    type: Literal["FillPlaces"] = "FillPlaces"


class AdvanceSearch(Message):
    """A project may want its next experiments."""

    type: Literal["AdvanceSearch"] = "AdvanceSearch"
    project: str


class LaunchExperiment(Message):
    """An experiment took a place and may start, at this site."""

    type: Literal["LaunchExperiment"] = "LaunchExperiment"
    site: str
    experiment: str
    attempt: int


class StopWorkload(Message):
    """An attempt is over for the rules: whatever runs of it must end, and its place come back.

    Every launcher of the site hears it; the `watcher` acts, or another one when there is none.
    """

    type: Literal["StopWorkload"] = "StopWorkload"
    site: str
    watcher: str | None = None
    experiment: str
    attempt: int


class ReadSiteLog(Message):
    """Answered by a launcher of the site with a piece of an attempt's log, as `ReadLog`."""

    type: Literal["ReadSiteLog"] = "ReadSiteLog"
    site: str
    experiment: str
    attempt: int
    stream: Literal["out", "err"] = "out"
    offset: int = 0


# An attempt's own stream ---------------------------------------------------------------------------------------------


class Streamed(Message):
    """What belongs to one attempt; all of it takes one way, so that its order holds."""

    experiment: str
    attempt: int


class WorkloadLaunched(Streamed):
    """It runs since `at`; all that it wrote before an adoption has been published.

    `fresh`: it was started just now, so that nothing of it can be stored yet.
    """

    type: Literal["WorkloadLaunched"] = "WorkloadLaunched"
    site: str
    at: float
    fresh: bool


class Report(BaseModel):
    """One line with metrics. `refusals` are sentences about values in it that are none."""

    model_config = ConfigDict(frozen=True)

    source: str
    sequence: int
    values: dict[str, float] = {}
    step: int | None = None
    completed: bool = False
    refusals: tuple[str, ...] = ()


class MetricsReported(Streamed):
    """Metrics that the attempt wrote, in its order."""

    type: Literal["MetricsReported"] = "MetricsReported"
    reports: tuple[Report, ...]


class WorkloadEnded(Streamed):
    """Nothing of it runs any more; the last of its stream. Fields as in `ports.Ended`; `lost`: nobody saw how."""

    type: Literal["WorkloadEnded"] = "WorkloadEnded"
    status: int | None = None
    ended_at: float
    tail: str = ""
    error: str = ""
    out_of_memory: bool = False
    lost: bool = False
    launch_failed: bool = False


class EndingRelayed(Message):
    """The ending of an attempt whose programs publish under the original's key: it goes the way that theirs went."""

    type: Literal["EndingRelayed"] = "EndingRelayed"
    experiment: str
    ending: WorkloadEnded


# Events --------------------------------------------------------------------------------------------------------------


class ExperimentChanged(Message):
    """An experiment is in `state` now, and why."""

    type: Literal["ExperimentChanged"] = "ExperimentChanged"
    experiment: str
    project: str
    attempt: int
    state: str
    reason: str


class ProjectChanged(Message):
    """A project was created, paused, resumed, stopped or completed."""

    type: Literal["ProjectChanged"] = "ProjectChanged"
    project: str
    event: Literal["created", "paused", "resumed", "stopped", "completed"]
    reason: str = ""


Command = (
    SubmitProject
    | ShowSystem
    | StartSystem
    | PauseSystem
    | SetLimit
    | ShowProject
    | ListExperiments
    | ListEndings
    | ShowExperiment
    | ExplainExperiment
    | ListMetrics
    | ListBest
    | ReadLog
    | StopExperiment
    | RetryExperiment
)
Nudge = FillPlaces | AdvanceSearch | LaunchExperiment | StopWorkload | ReadSiteLog
Stream = WorkloadLaunched | MetricsReported | WorkloadEnded | EndingRelayed
AnyMessage = Command | Nudge | Stream | ExperimentChanged | ProjectChanged

_ADAPTER: TypeAdapter[AnyMessage] = TypeAdapter(Annotated[AnyMessage, Field(discriminator="type")])
LONGEST = 1 << 20


def encode(message: Message) -> bytes:
    return message.model_dump_json().encode()


def decode(body: bytes) -> AnyMessage:
    """Raises `InvalidInput` with one sentence for each mistake."""
    if len(body) > LONGEST:
        raise InvalidInput([f"the message has {len(body)} bytes; at most {LONGEST} are taken"])
    try:
        return _ADAPTER.validate_json(body)
    except ValidationError as error:
        raise InvalidInput([_sentence(mistake) for mistake in error.errors()]) from error


def _sentence(mistake: Any) -> str:  # noqa: ANN401 - pydantic's own error dictionaries
    where = ".".join(str(part) for part in mistake["loc"])
    return f"{where}: {mistake['msg']}" if where else str(mistake["msg"])
