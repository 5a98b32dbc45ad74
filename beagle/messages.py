"""Everything that travels on the bus, as types. `bus/routes.py` says where each goes; `docs/messages.md` lists them.

Orders are imperatives, what happened is a past participle. A body is one JSON object with `type`, `id` (24 hexadecimal
digits), `time` (seconds since the epoch) and `v`; further fields are the message's own.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from beagle.commands import Order, Question
from beagle.errors import InvalidInput
from beagle.message import Answer, Message, new_id
from beagle.sentences import nearest, shown

# Whoever speaks of messages needs these too.
__all__ = ["Answer", "Message", "new_id"]

# Nudges between actors -----------------------------------------------------------------------------------------------


class FillPlaces(Message):
    """There may be a free place, or something to run."""

    type: Literal["FillPlaces"] = "FillPlaces"


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
    """What became of a project. `stopping`: it ends with what runs; `cancelling`: what runs is being stopped."""

    type: Literal["ProjectChanged"] = "ProjectChanged"
    project: str
    event: Literal["created", "paused", "resumed", "stopping", "cancelling", "stopped", "completed", "deleted"]
    reason: str = ""


Nudge = FillPlaces | LaunchExperiment | StopWorkload | ReadSiteLog
Stream = WorkloadLaunched | MetricsReported | WorkloadEnded | EndingRelayed
AnyMessage = Order | Question | Nudge | Stream | ExperimentChanged | ProjectChanged

_ADAPTER: TypeAdapter[AnyMessage] = TypeAdapter(Annotated[AnyMessage, Field(discriminator="type")])
LONGEST = 1 << 20


def encode(message: Message) -> bytes:
    """Raises `InvalidInput` for one that nobody would take."""
    try:
        return fitting(message.model_dump_json().encode())
    except PydanticSerializationError as error:
        raise InvalidInput(["half of a surrogate pair is no character; write the character itself"]) from error


def decode(body: bytes) -> AnyMessage:
    """Raises `InvalidInput` with one sentence for each mistake."""
    try:
        return _ADAPTER.validate_json(fitting(body))
    except ValidationError as error:
        raise InvalidInput([sentence(mistake) for mistake in error.errors()]) from error


def fitting(body: bytes, longest: int = LONGEST) -> bytes:
    """The same body. Raises `InvalidInput` for one that is too long."""
    if len(body) > longest:
        raise InvalidInput([f"the message has {len(body)} bytes; at most {longest} are taken"])
    return body


def sentence(mistake: Any) -> str:  # noqa: ANN401 - pydantic's own error dictionaries
    where = ".".join(str(part) for part in mistake["loc"])
    match mistake["type"]:
        case "union_tag_invalid":
            tag = str(mistake["ctx"]["tag"])
            near = nearest(tag, (kind.__name__ for kind in get_args(AnyMessage)))
            return f"no message has the type {shown(tag)}" + (f"; did you mean {near}?" if near else "")
        case "union_tag_not_found":
            return "the message has no type"
        case "extra_forbidden":
            return f"{where}: there is no such field"
        case "missing":
            return f"{where}: is missing"
    return f"{where}: {mistake['msg']}" if where else str(mistake["msg"])
