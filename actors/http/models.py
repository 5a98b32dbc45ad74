"""The shapes of answers, as /openapi.json describes them. Each may have more fields than are named here."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")


class Beat(BaseModel):
    status: str


class Parameter(BaseModel):
    name: str
    value: str | int | float | bool


class Experiment(Open):
    id: str
    name: str
    number: int
    project_id: str
    project_name: str
    template_name: str
    state: str
    reason: str
    attempt: int
    priority: int
    parameters: list[Parameter]
    metrics: dict[str, float]
    objective: float | None
    time_out: float | None
    accuracy_limit: float | None
    create_time: str
    launch_time: str | None
    end_time: str | None


class Counts(Open):
    queue: int
    pool: int
    completed: int
    timeout: int
    accuracy_limit_reached: int
    stopped: int
    failed: int


class Project(Counts):
    id: str
    name: str
    state: str
    reason: str
    counts: dict[str, int]
    create_time: str


class WholeProject(Project):
    template: str
    parameters: list[dict[str, Any]]
    experiments: int
    best: Experiment | None


class Submitted(Project):
    projects: list[Project]
    taken_up: bool


class System(Counts):
    id: str
    running: bool
    state: str
    experimentsLimit: int  # noqa: N815 - the original's word
    version: str
    projects: list[Project]
    pools: list[Experiment]


class Page(BaseModel):
    limit: int
    offset: int
    total: int
    next: str | None
    experiments: list[Experiment]


class Experiments(BaseModel):
    info: Page


class WholeExperiment(BaseModel):
    info: Experiment
    links: dict[str, str]
    actions: dict[str, str]
    why: str


class Why(BaseModel):
    id: str
    state: str
    why: str


class Metric(Open):
    """The reported names stand beside these."""

    time: str | float


class Model(Open):
    id: str
    filename: str
    name: Any = None
    create_time: str


class Uploaded(Open):
    """Of a model `template`; of a project its fields, `model_id`, `filename` and `text`."""


class Deleted(BaseModel):
    deleted: str | int


class Requeued(BaseModel):
    requeued: int


class Stopped(BaseModel):
    stopped: int


class Freed(BaseModel):
    freed: int
    left: int


class Letter(Open):
    id: str
