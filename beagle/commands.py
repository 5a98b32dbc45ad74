"""What front ends and the command line send to the gateway: orders, which change something, and questions.

`docs/commands.md` says how to send them in any language; `docs/schemas/` holds their JSON Schemas.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from beagle.commands_dead import DropDeadLetter, ListDeadLetters, ReplayDeadLetter, ShowDeadLetter
from beagle.message import Command

# An offset is counted record by record, and whoever counts answers nobody else meanwhile; cursors go any distance.
FURTHEST = 100_000
# No file is longer, in bytes, and farther no file system seeks.
LONGEST_LOG = 1 << 40
# It is kept with the experiment, and stands in every list.
Reason = Annotated[str, Field(max_length=1000)]

# Orders ---------------------------------------------------------------------------------------------------------------


class StartSystem(Command):
    """Let experiments start (play)."""

    type: Literal["StartSystem"] = "StartSystem"


class PauseSystem(Command):
    """Stop what runs and put it back at the head of the queue; start nothing."""

    type: Literal["PauseSystem"] = "PauseSystem"


class SetLimit(Command):
    """Let at most `limit` experiments run. Lowering it stops nothing that runs."""

    type: Literal["SetLimit"] = "SetLimit"
    limit: int = Field(ge=0, le=10_000)


class ResetSystem(Command):
    """Delete every project with its experiments and metrics, and stop what runs. Templates stay, and so do settings."""

    type: Literal["ResetSystem"] = "ResetSystem"


class ForgetSite(Command):
    """Take what runs at a site for lost, and its places back. Only for one that never returns: if it does, what runs
    there ran twice, and beyond the limit, until its launcher has ended it.
    """

    type: Literal["ForgetSite"] = "ForgetSite"
    site: str = Field(min_length=1, max_length=255)


class UploadTemplate(Command):
    """Store a model template for projects to name; one of the same filename is replaced, for projects to come.

    `folder` is where its relative paths start.
    """

    type: Literal["UploadTemplate"] = "UploadTemplate"
    filename: str = Field(min_length=1, max_length=255)
    text: str
    folder: str = "/"


class SubmitProject(Command):
    """Store a project and start its search; one with the same definition and template is taken up again.

    Without `template`, the definition names a template that was uploaded: by its filename, else by its metadata name.
    `folder` is where the template's relative paths start; `source` names the file for the user, and a later version of
    the same file replaces the project. With `anew`, a finished one is run again from the beginning as a new project.
    """

    type: Literal["SubmitProject"] = "SubmitProject"
    definition: str
    definition_name: str = "project.yml"
    template: str | None = None
    template_name: str = "template.yml"
    folder: str = "/"
    source: str = ""
    anew: bool = False


class PauseProject(Command):
    """Start no more experiments of a project; what runs goes on."""

    type: Literal["PauseProject"] = "PauseProject"
    project: str
    reason: Reason = "paused by the user"


class ResumeProject(Command):
    """Let a paused project start experiments again; failures until now do not pause it a second time."""

    type: Literal["ResumeProject"] = "ResumeProject"
    project: str


class StopProject(Command):
    """Start no more experiments of a project; it is stopped for good when what runs of it has ended."""

    type: Literal["StopProject"] = "StopProject"
    project: str


class CancelProject(Command):
    """As `StopProject`, and what runs is stopped too."""

    type: Literal["CancelProject"] = "CancelProject"
    project: str


class DeleteProject(Command):
    """Remove a project, its experiments and their metrics, and stop what runs. It is hidden at once."""

    type: Literal["DeleteProject"] = "DeleteProject"
    project: str


class StopExperiment(Command):
    """Stop one experiment where it runs, or take it out of the queue; with `only` it is refused anywhere else."""

    type: Literal["StopExperiment"] = "StopExperiment"
    experiment: str
    reason: Reason = "stopped by the user"
    only: Literal["queue", "pool"] | None = None


class RetryExperiment(Command):
    """Run one that failed, timed out or was stopped again, as its next attempt."""

    type: Literal["RetryExperiment"] = "RetryExperiment"
    experiment: str


class PrioritiseExperiment(Command):
    """Move one that waits within the queue: higher goes first, 0 is usual."""

    type: Literal["PrioritiseExperiment"] = "PrioritiseExperiment"
    experiment: str
    priority: int = Field(default=1, ge=-50, le=50)


class DeleteExperiment(Command):
    """Remove one with its metrics: taken out of the queue or stopped before. Its number is not tried again."""

    type: Literal["DeleteExperiment"] = "DeleteExperiment"
    experiment: str


class ClearQueue(Command):
    """Take everything out of the queue that waits now: those experiments are `stopped`, and may be retried."""

    type: Literal["ClearQueue"] = "ClearQueue"


class RequeuePool(Command):
    """Stop everything that runs now and put it back at the head of the queue."""

    type: Literal["RequeuePool"] = "RequeuePool"


# Questions ------------------------------------------------------------------------------------------------------------


class ShowSystem(Command):
    """Answered with the system: running, limit, counts per state, projects, what runs with its last metrics."""

    type: Literal["ShowSystem"] = "ShowSystem"


class CheckTemplate(Command):
    """Answered with the template as `UploadTemplate` would store it. Stores nothing."""

    type: Literal["CheckTemplate"] = "CheckTemplate"
    filename: str = Field(min_length=1, max_length=255)
    text: str
    folder: str = "/"


class ListTemplates(Command):
    """Answered with a page of the uploaded templates, by filename, without their text."""

    type: Literal["ListTemplates"] = "ListTemplates"
    after: str | None = None
    limit: int = Field(default=100, ge=1, le=1000)


class ShowTemplate(Command):
    """Answered with an uploaded template and its text: by id, filename or metadata name."""

    type: Literal["ShowTemplate"] = "ShowTemplate"
    template: str


class CheckProject(Command):
    """Answered with the projects of a definition, each with the uploaded template that it names. Stores nothing."""

    type: Literal["CheckProject"] = "CheckProject"
    definition: str
    definition_name: str = "project.yml"


class ListProjects(Command):
    """Answered with a page of the projects, the newest first, and how many there are."""

    type: Literal["ListProjects"] = "ListProjects"
    after: str | None = None
    offset: int = Field(default=0, ge=0, le=FURTHEST)
    limit: int = Field(default=100, ge=1, le=1000)


class ShowProject(Command):
    """Answered with a project (an id or a name; None: the newest), its definition and counts, its best, what runs."""

    type: Literal["ShowProject"] = "ShowProject"
    project: str | None = None


class ListExperiments(Command):
    """Answered with a page of experiments by number: of one project (None: the newest), in one state (None: all).

    `after` is the `next` of the page before; `offset` instead of it is slower the further it goes. `total` is answered.
    """

    type: Literal["ListExperiments"] = "ListExperiments"
    project: str | None = None
    state: str | None = None
    after: str | None = None
    offset: int = Field(default=0, ge=0, le=FURTHEST)
    limit: int = Field(default=100, ge=1, le=10_000)


class ListEndings(Command):
    """Answered with a page of the experiments of a project that have ended, the latest first."""

    type: Literal["ListEndings"] = "ListEndings"
    project: str | None = None
    after: str | None = None
    limit: int = Field(default=100, ge=1, le=1000)


class ListBest(Command):
    """Answered with the best experiments of a project by its objective, best first."""

    type: Literal["ListBest"] = "ListBest"
    project: str | None = None
    count: int = Field(default=10, ge=1, le=1000)


class ListQueue(Command):
    """Answered with a page of the experiments that wait, of all projects in the order of the queue, and their count."""

    type: Literal["ListQueue"] = "ListQueue"
    after: str | None = None
    offset: int = Field(default=0, ge=0, le=FURTHEST)
    limit: int = Field(default=10, ge=1, le=1000)


class ListPool(Command):
    """Answered with a page of the experiments that hold a place, of all projects, and their number."""

    type: Literal["ListPool"] = "ListPool"
    after: str | None = None
    offset: int = Field(default=0, ge=0, le=FURTHEST)
    limit: int = Field(default=10, ge=1, le=1000)


class ShowExperiment(Command):
    """Answered with one experiment; `experiment` is an id, a name, or a number of the newest project."""

    type: Literal["ShowExperiment"] = "ShowExperiment"
    experiment: str


class ExplainExperiment(Command):
    """Answered with one sentence: why the experiment is in its state."""

    type: Literal["ExplainExperiment"] = "ExplainExperiment"
    experiment: str


class ListMetrics(Command):
    """Answered with a page of the metrics of an attempt (None: the current one), oldest first."""

    type: Literal["ListMetrics"] = "ListMetrics"
    experiment: str
    attempt: int | None = None
    after: str | None = None
    limit: int = Field(default=1000, ge=1, le=10_000)


class ReadLog(Command):
    """Answered with a piece of what an attempt wrote: `text`, `next` offset, `complete`. Negative: from the end."""

    type: Literal["ReadLog"] = "ReadLog"
    experiment: str
    attempt: int | None = None
    stream: Literal["out", "err"] = "out"
    offset: int = Field(default=0, ge=-LONGEST_LOG, le=LONGEST_LOG)


Order = (
    ReplayDeadLetter
    | DropDeadLetter
    | StartSystem
    | PauseSystem
    | SetLimit
    | ResetSystem
    | ForgetSite
    | UploadTemplate
    | SubmitProject
    | PauseProject
    | ResumeProject
    | StopProject
    | CancelProject
    | DeleteProject
    | StopExperiment
    | RetryExperiment
    | PrioritiseExperiment
    | DeleteExperiment
    | ClearQueue
    | RequeuePool
)
Question = (
    ListDeadLetters
    | ShowDeadLetter
    | ShowSystem
    | CheckTemplate
    | ListTemplates
    | ShowTemplate
    | CheckProject
    | ListProjects
    | ShowProject
    | ListExperiments
    | ListEndings
    | ListBest
    | ListQueue
    | ListPool
    | ShowExperiment
    | ExplainExperiment
    | ListMetrics
    | ReadLog
)
