"""Records as the world outside sees them: plain JSON, times in ISO 8601 UTC, the original's field names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice

from beagle import projects
from beagle.experiment import RESULTS, SHOWN, TRANSITIONS, Deleted, Experiment, Prioritised, RetryAsked, Stopped
from beagle.messages import Answer
from beagle.ports import Cursor, Page, Store, paged
from beagle.records import Metric, Model, Project, ProjectState, Summary

MOST_COUNTED = 1_000_000


def moment(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()


def experiment_view(store: Store, experiment: Experiment, project_name: str, template_name: str) -> Answer:
    """One experiment with the last metrics of its current attempt."""
    summary = store.get(Summary, experiment.id)
    if summary is None or summary.attempt != experiment.attempt:
        summary = Summary(id=experiment.id, project=experiment.project, attempt=experiment.attempt)
    return {
        "id": experiment.id,
        "number": experiment.number,
        "name": experiment.name,
        "project": experiment.project,
        "project_id": experiment.project,
        "project_name": project_name,
        "template_name": template_name,
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
        "counts": counts(store, project.id),
        "planned": project.planned,
        "sent": project.sent,
        "create_time": moment(project.created_at),
        "end_time": moment(project.ended_at),
    }


def model_view(model: Model) -> Answer:
    return {
        "id": model.id,
        "filename": model.filename,
        "name": model.name,
        "services": [service.name for service in model.template.services],
        "create_time": moment(model.created_at),
    }


def count_projects(store: Store) -> int:
    """Of those that users see; more than `MOST_COUNTED` are not counted."""
    newest = store.page(Project, "all", (False,), limit=1, descending=True).records
    return 1 + store.rank_of(newest[0], "all", most=MOST_COUNTED - 1) if newest else 0


def counts(store: Store, project: str | None = None) -> dict[str, int]:
    """How many experiments are in each state that users see."""
    found = store.counts(project)
    return {state.value: found[state] for state in SHOWN}


def all_counts(store: Store) -> dict[str, int]:
    """Of all projects but those that are being removed."""
    found = counts(store)
    for project in projects.hidden(store):
        for state, count in counts(store, project.id).items():
            found[state] -= count
    return found


def actions(store: Store, experiment: Experiment) -> list[str]:
    """What can be done with it now, by the words of the command line."""
    project = projects.load(store, experiment.project)
    words = {"stop": Stopped, "retry": RetryAsked, "prioritise": Prioritised, "delete": Deleted}
    able = [word for word, event in words.items() if event in TRANSITIONS[experiment.state]]
    over = project.state not in {*projects.SEARCHING, ProjectState.COMPLETED}
    return [word for word in able if not (over and word == "retry")]


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
