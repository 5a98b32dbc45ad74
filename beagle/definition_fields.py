"""The fields of a project definition, in both its shapes, with the other spellings that are in circulation."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, ConfigDict, Field

from beagle.durations import SAY
from beagle.experiment import Failure
from beagle.fields import Duration, Fields, Text
from beagle.project import MOST_EXPERIMENTS, RETRIES

_SPELLINGS = {
    "timeOut": "experiment_timeout",
    "time_out": "experiment_timeout",
    "timeout": "experiment_timeout",
    "accuracy_limit": "experiment_accuracy_limit",
    "accuracyLimit": "experiment_accuracy_limit",
}
_DIRECTIONS = {"minimize": "min", "minimise": "min", "maximize": "max", "maximise": "max"}
_LIST = "a list of parameters, each with name, type and its values"


def _direction(written: object) -> object:
    return _DIRECTIONS.get(written, written) if isinstance(written, str) else written


class Shared(Fields):
    """What both shapes have at the top."""

    synonyms: ClassVar[dict[str, str]] = _SPELLINGS
    experiment_timeout: Annotated[Duration, Field(gt=0)] | None = Field(default=None, description=f"{SAY}, above 0")
    experiment_accuracy_limit: float | None = Field(default=None, description="a number, such as 0.98")
    optimization: dict[str, object] | None = Field(default=None, description="a mapping with type and its settings")
    retries: dict[str, object] | None = Field(default=None, description="a mapping of failures to numbers")
    pause_after_failures: int = Field(
        default=5, ge=0, le=MOST_EXPERIMENTS, description="a whole number; 0 never pauses"
    )


class Project(Fields):
    name: Text = Field(description="text that names the project")
    template: Text = Field(description="the file name of a model template")
    parameters: list[object] = Field(description=_LIST)


class Newer(Project, Shared):
    pass


class Older(Shared):
    name: Text | None = Field(default=None, description="a name")
    project: list[object] = Field(min_length=1, description="a list of projects, each with name, template, parameters")


class Optimization(Fields):
    model_config = ConfigDict(extra="allow")
    synonyms: ClassVar[dict[str, str]] = {
        "objectiveFunction": "objective_function",
        "objective": "objective_function",
        "objectiveResult": "objective_result",
    }
    type: str = Field(description="the name of a heuristic, such as grid or random")
    objective_function: Text = Field(default="accuracy", description="the name of a metric")
    objective_result: Annotated[Literal["min", "max"], BeforeValidator(_direction)] = Field(
        default="max", description="min or max"
    )
    summary: Literal["last", "best"] = Field(default="last", description="last or best")
    total_n_experiments: int | None = Field(
        default=None, ge=1, le=MOST_EXPERIMENTS, description=f"a whole number from 1 to {MOST_EXPERIMENTS:,}"
    )
    total_n_episodes: int | None = Field(default=None, ge=1, description="a whole number above 0")
    seed: int = Field(default=0, ge=0, lt=2**63, description="a whole number from 0 on")


Count = Annotated[int, Field(ge=0, le=1000, description="how many retries, from 0 to 1000")]


class Retries(Fields):
    launch: Count = RETRIES[Failure.LAUNCH]
    exit: Count = RETRIES[Failure.EXIT]
    out_of_memory: Count = RETRIES[Failure.OUT_OF_MEMORY]
    lost: Count = RETRIES[Failure.LOST]
