"""Writes project records: how far the search is, and whether it may start experiments. Nothing else writes them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from enum import StrEnum
from functools import lru_cache, partial

from pydantic import TypeAdapter

from beagle.errors import NotFound, Refused
from beagle.experiment import SUCCESSES, State
from beagle.ports import Store
from beagle.project import Definition
from beagle.records import Plan, Project, ProjectState
from beagle.template import Template

_DEFINITION = TypeAdapter(Definition)
_TEMPLATE = TypeAdapter(Template)


class Step(StrEnum):
    """What can be done to a project, in the words of its refusal."""

    PAUSE = "paused"
    RESUME = "resumed"
    STOP = "stopped"
    CANCEL = "cancelled"
    END = "ended"
    COMPLETE = "completed"
    REOPEN = "taken up again"
    DELETE = "deleted"


TRANSITIONS: dict[ProjectState, dict[Step, ProjectState]] = {
    ProjectState.RUNNING: {
        Step.PAUSE: ProjectState.PAUSED,
        Step.STOP: ProjectState.STOPPING,
        Step.CANCEL: ProjectState.CANCELLING,
        Step.COMPLETE: ProjectState.COMPLETED,
        Step.DELETE: ProjectState.DELETED,
    },
    ProjectState.PAUSED: {
        Step.RESUME: ProjectState.RUNNING,
        Step.STOP: ProjectState.STOPPING,
        Step.CANCEL: ProjectState.CANCELLING,
        Step.COMPLETE: ProjectState.COMPLETED,
        Step.DELETE: ProjectState.DELETED,
    },
    ProjectState.STOPPING: {
        Step.CANCEL: ProjectState.CANCELLING,
        Step.END: ProjectState.STOPPED,
        Step.DELETE: ProjectState.DELETED,
    },
    ProjectState.CANCELLING: {Step.END: ProjectState.STOPPED, Step.DELETE: ProjectState.DELETED},
    ProjectState.STOPPED: {Step.DELETE: ProjectState.DELETED},
    ProjectState.COMPLETED: {Step.REOPEN: ProjectState.RUNNING, Step.DELETE: ProjectState.DELETED},
    ProjectState.DELETED: {},
}
SEARCHING = frozenset({ProjectState.RUNNING, ProjectState.PAUSED})
OVER = frozenset({ProjectState.STOPPED, ProjectState.COMPLETED})


def digest(definition: Definition, template: Template) -> str:
    """The same for what asks for the same, however its files are laid out."""
    return hashlib.sha256(
        _DEFINITION.dump_json(definition) + _TEMPLATE.dump_json(template, exclude={"lines"})
    ).hexdigest()


def create(store: Store, project: Project, plan: Plan) -> None:
    """The plan first: a project that is seen has one."""
    store.add([plan])
    store.add([project])


class Plans:
    """The plans of a store, each read once. Safe from any thread."""

    def __init__(self, store: Store) -> None:
        self._read = lru_cache(maxsize=1000)(partial(_plan, store))

    def of(self, project: str) -> Plan:
        return self._read(project)


def _plan(store: Store, project: str) -> Plan:
    found = store.get(Plan, project)
    if found is None:
        raise NotFound(f"there is no project {project}")
    return found


def load(store: Store, project: str) -> Project:
    found = store.get(Project, project)
    if found is None:
        raise NotFound(f"there is no project {project}")
    return found


def runnable(store: Store) -> list[Project]:
    """Whose experiments may start, oldest first."""
    return store.page(Project, "state", (ProjectState.RUNNING,), limit=1000).records


def burns(project: Project, counts: dict[State, int]) -> str | None:
    """The sentence to pause it with, when enough experiments failed since its start and none succeeded."""
    failed = counts[State.FAILED] - project.forgiven
    most = project.pause_after_failures
    if most <= 0 or failed < most or any(counts[state] for state in SUCCESSES):
        return None
    return f"{failed} experiments failed and none succeeded; resume it when the cause is mended"


def pause(store: Store, project: Project, reason: str, order: str = "") -> Project:
    return _moved(store, project, Step.PAUSE, reason, order)


def resume(store: Store, project: Project, counts: dict[State, int], order: str = "") -> Project:
    """Run again; failures until now do not pause it a second time."""
    return _moved(store, project, Step.RESUME, "", order, forgiven=counts[State.FAILED])


def stop(store: Store, project: Project, order: str) -> Project:
    """It ends with what runs."""
    return _moved(store, project, Step.STOP, "stopped by the user", order)


def cancel(store: Store, project: Project, order: str) -> Project:
    """It ends as soon as what runs is stopped."""
    return _moved(store, project, Step.CANCEL, "cancelled by the user", order)


def end(store: Store, project: Project, now: float) -> Project:
    """Nothing of a stopped or cancelled one waits or runs any more."""
    return _moved(store, project, Step.END, project.reason, project.ordered_by, ended_at=now)


def complete(store: Store, project: Project, reason: str, now: float) -> Project:
    return _moved(store, project, Step.COMPLETE, reason, ended_at=now)


def delete(store: Store, project: Project, order: str) -> Project:
    """Hidden, and taken up by nobody; what is left of it is to be removed."""
    return _moved(store, project, Step.DELETE, "", order, hidden=True, digest="", source="")


def reopen(store: Store, project: Project) -> Project:
    """A completed project of which one experiment is tried again. Raises `Refused` for a stopped one."""
    while project.state is ProjectState.COMPLETED:
        after = replace(project, version=project.version + 1, state=ProjectState.RUNNING, reason="", ended_at=None)
        project = after if store.replace(project, after) else load(store, project.id)
    if project.state not in SEARCHING:
        raise Refused(_refusal(project, Step.REOPEN))
    return project


def sent(store: Store, project: Project, count: int) -> Project:
    """The first `count` suggestions are in the queue. Never goes back. Raises `Refused` when no more are wanted."""
    while True:
        if project.state not in SEARCHING:
            raise Refused(f"the project {project.name} is {project.state}")
        after = replace(project, version=project.version + 1, sent=max(project.sent, count))
        if store.replace(project, after, lazy=True):
            return after
        project = load(store, project.id)


def remove(store: Store, project: str) -> None:
    """The record of a deleted one, the last thing of it; its plan goes before."""
    store.remove(Plan, [project])
    store.remove(Project, [project])


def hidden(store: Store) -> list[Project]:
    """What is deleted and not yet removed, the oldest first."""
    return store.page(Project, "all", (True,), limit=100).records


def in_state(store: Store, state: ProjectState) -> list[Project]:
    return store.page(Project, "state", (state,), limit=1000).records


def _moved(
    store: Store, project: Project, step: Step, reason: str, order: str = "", **fields: float | bool | str | None
) -> Project:
    while True:
        state = TRANSITIONS[project.state].get(step)
        if state is None:
            raise Refused(_refusal(project, step))
        after: Project = replace(
            project,
            version=project.version + 1,
            state=state,
            reason=reason,
            ordered_by=order,
            **fields,  # type: ignore[arg-type]
        )
        if store.replace(project, after):
            return after
        project = load(store, project.id)


def _refusal(project: Project, step: Step) -> str:
    able = " or ".join(state for state in ProjectState if step in TRANSITIONS[state])
    return f"the project {project.name} is {project.state} and cannot be {step}; that takes one that is {able}"
