"""Finds what users name: a project or an experiment by its id, its number or its name. What is deleted is not found."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from beagle import lifecycle
from beagle.errors import NotFound
from beagle.experiment import Experiment, State
from beagle.ports import Cursor, Page, Store, paged
from beagle.records import Project


def find_project(store: Store, asked: str | None) -> Project:
    """By id, by name (the newest of that name), or the newest of all."""
    if asked is not None:
        by_id = store.get(Project, asked)
        if by_id is not None and not by_id.hidden:
            return by_id
    page = (
        store.page(Project, "all", (False,), limit=1, descending=True)
        if asked is None
        else store.page(Project, "name", (False, asked), limit=1, descending=True)
    )
    if page.records:
        return page.records[0]
    if asked is None:
        raise NotFound("there is no project here yet; `beagle run project.yml` starts one")
    raise NotFound(f"no project is called {asked}; `beagle status` lists them")


def find_experiment(store: Store, asked: str) -> Experiment:
    """By id, by a number of the newest project, or by name (the newest of that name)."""
    by_id = store.get(Experiment, asked)
    if by_id is None and asked.isdecimal() and len(asked) < 10:
        newest = find_project(store, None)
        by_id = store.get(Experiment, lifecycle.experiment_id(newest.id, int(asked)))
    if by_id is not None and is_shown(store, by_id):
        return by_id
    named = paged(lambda after: store.page(Experiment, "name", (asked,), after=after, limit=10, descending=True))
    for experiment in named if asked else ():  # those that are deleted have no name
        if is_shown(store, experiment):
            return experiment
    raise NotFound(f"no experiment is called {asked}; `beagle experiments` lists them")


def is_shown(store: Store, experiment: Experiment) -> bool:
    if experiment.state is State.DELETED:
        return False
    project = store.get(Project, experiment.project)
    return project is not None and not project.hidden


class Window(NamedTuple):
    """A piece of a list as it is answered; `next` continues it."""

    records: list[Experiment]
    next: Cursor | None


def window(
    fetch: Callable[[Cursor | None, int], Page[Experiment]],
    keep: Callable[[Experiment], bool],
    *,
    after: Cursor | None,
    offset: int,
    limit: int,
) -> Window:
    """`limit` of those to keep behind the cursor and `offset` more of them; `fetch` gets a cursor and a limit."""
    found: list[Experiment] = []
    left, more = offset, True
    while more and len(found) < limit:
        page = fetch(after, min(left, 1000) if left else min(limit - len(found), 1000))
        kept = [record for record in page.records if keep(record)]
        found += kept[left:]
        left = max(0, left - len(kept))
        after, more = page.next, page.next is not None
    return Window(found, after)
