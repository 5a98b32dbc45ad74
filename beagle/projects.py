"""Writes project records: how far the search is, and whether it may start experiments. Nothing else writes them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
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


def digest(definition: Definition, template: Template) -> str:
    """The same for what asks for the same, however its files are laid out."""
    return hashlib.sha256(_DEFINITION.dump_json(definition) + _TEMPLATE.dump_json(template)).hexdigest()


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


def pause(store: Store, project: Project, reason: str) -> Project:
    return _change(store, project, lambda p: replace(p, state=ProjectState.PAUSED, reason=reason))


def resume(store: Store, project: Project, counts: dict[State, int]) -> Project:
    """Run again; failures until now do not pause it a second time."""
    return _change(
        store,
        project,
        lambda p: replace(p, state=ProjectState.RUNNING, reason="", forgiven=counts[State.FAILED]),
    )


def sent(store: Store, project: Project, count: int) -> Project:
    """The first `count` suggestions are in the queue. Never goes back."""
    return _change(store, project, lambda p: replace(p, sent=max(p.sent, count)), lazy=True)


def complete(store: Store, project: Project, reason: str, now: float) -> Project:
    return _change(store, project, lambda p: replace(p, state=ProjectState.COMPLETED, reason=reason, ended_at=now))


def reopen(store: Store, project: Project) -> Project:
    """A completed project of which one experiment is tried again."""
    if project.state is not ProjectState.COMPLETED:
        return project
    after = replace(project, version=project.version + 1, state=ProjectState.RUNNING, reason="", ended_at=None)
    return after if store.replace(project, after) else load(store, project.id)


def _change(store: Store, project: Project, change: Callable[[Project], Project], *, lazy: bool = False) -> Project:
    while True:
        if project.state is ProjectState.COMPLETED:
            raise Refused(f"the project {project.name} is {project.state}")
        after = replace(change(project), version=project.version + 1)
        if store.replace(project, after, lazy=lazy):
            return after
        project = load(store, project.id)
