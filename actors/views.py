"""Records as the world outside sees them: plain JSON, times in ISO 8601 UTC, the original's field names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice

from beagle import lifecycle
from beagle.errors import NotFound
from beagle.experiment import RESULTS, Experiment
from beagle.messages import Answer
from beagle.ports import Cursor, Page, Store, paged
from beagle.records import Metric, Project, Summary


def moment(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()


def experiment_view(store: Store, experiment: Experiment, project_name: str) -> Answer:
    """One experiment with the last metrics of its current attempt."""
    summary = store.get(Summary, experiment.id)
    if summary is None or summary.attempt != experiment.attempt:
        summary = Summary(id=experiment.id, project=experiment.project, attempt=experiment.attempt)
    return {
        "id": experiment.id,
        "number": experiment.number,
        "name": experiment.name,
        "project": experiment.project,
        "project_name": project_name,
        "state": experiment.state,
        "reason": experiment.reason,
        "attempt": experiment.attempt,
        "priority": experiment.priority,
        "parameters": experiment.parameters,
        "metrics": summary.last,
        "objective": summary.objective,
        "time_out": experiment.timeout,
        "accuracy_limit": experiment.accuracy_limit,
        "create_time": moment(experiment.created_at),
        "launch_time": moment(experiment.launched_at),
        "end_time": moment(experiment.ended_at),
        "exit_status": experiment.exit_status,
        "failure": experiment.failure,
        "metric_count": summary.count,
        "refused": summary.refused,
        "refusal": summary.refusal,
    }


def project_view(store: Store, project: Project) -> Answer:
    return {
        "id": project.id,
        "name": project.name,
        "state": project.state,
        "reason": project.reason,
        "source": project.source,
        "objective": project.objective,
        "direction": project.direction,
        "counts": {state.value: count for state, count in store.counts(project.id).items()},
        "planned": project.planned,
        "sent": project.sent,
        "create_time": moment(project.created_at),
        "end_time": moment(project.ended_at),
    }


def metric_view(metric: Metric) -> Answer:
    return {
        "time": moment(metric.time),
        "source": metric.source,
        "sequence": metric.sequence,
        "step": metric.step,
        "values": metric.values,
        "refusals": list(metric.refusals),
    }


def best(store: Store, project: Project, count: int) -> list[Experiment]:
    """The best ended experiments by their current attempt's objective, best first; one that failed is no result."""

    def fetch(after: Cursor | None) -> Page[Summary]:
        descending = project.direction == "max"
        return store.page(Summary, "objective", (project.id,), after=after, limit=count + 10, descending=descending)

    return list(islice(_ended(store, paged(fetch)), count))


def _ended(store: Store, summaries: Iterable[Summary]) -> Iterator[Experiment]:
    for summary in summaries:
        experiment = store.get(Experiment, summary.id)
        if experiment is not None and experiment.attempt == summary.attempt and experiment.state in RESULTS:
            yield experiment


def find_project(store: Store, asked: str | None) -> Project:
    """By id, by name (the newest of that name), or the newest of all."""
    if asked is not None:
        by_id = store.get(Project, asked)
        if by_id is not None:
            return by_id
    page = (
        store.page(Project, "all", limit=1, descending=True)
        if asked is None
        else store.page(Project, "name", (asked,), limit=1, descending=True)
    )
    if page.records:
        return page.records[0]
    if asked is None:
        raise NotFound("there is no project here yet; `beagle run project.yml` starts one")
    raise NotFound(f"no project is called {asked}; `beagle status` lists them")


def find_experiment(store: Store, asked: str) -> Experiment:
    """By id, by a number of the newest project, or by name."""
    by_id = store.get(Experiment, asked)
    if by_id is not None:
        return by_id
    if asked.isdecimal() and len(asked) < 10:
        newest = find_project(store, None)
        by_number = store.get(Experiment, lifecycle.experiment_id(newest.id, int(asked)))
        if by_number is not None:
            return by_number
    named = store.page(Experiment, "name", (asked,), limit=1, descending=True)
    if named.records:
        return named.records[0]
    raise NotFound(f"no experiment is called {asked}; `beagle experiments` lists them")
