"""The commands that look: status, experiments, show, why, metrics and best. None of them changes anything."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from actors.cli.client import located, opened, pages
from actors.cli.output import Format, Table, is_terminal, say, show_list, show_table, show_view, warn
from actors.cli.words import View, clean, elapsed, moment, number, pairs, plural, tally
from beagle.commands import (
    ExplainExperiment,
    ListBest,
    ListExperiments,
    ListMetrics,
    ShowExperiment,
    ShowSystem,
)
from beagle.settings import Settings

# More rows than anybody reads on a terminal; Rich would take 3 s to draw ten times as many.
MOST_DRAWN = 1000


def status(settings: Settings, form: Format) -> None:
    with opened(located(settings)) as session:
        system = session.ask(ShowSystem())
        idle = session.owner
    if form is not Format.TABLE:
        show_view(system, form)
        return
    say("\n".join(_system_lines(system, idle=idle)))
    if system["projects"]:
        say("")
        show_table(projects_table(system["projects"]))
    if system["experiments"]:
        say("")
        show_table(_running(system["experiments"], time.time()))


def _system_lines(system: View, *, idle: bool) -> Iterator[str]:
    if idle:
        state = "nothing is started now: `beagle run` does"
    else:
        state = "running" if system["running"] else "paused: `beagle start` resumes"
    yield f"{state}; {system['counts']['pool']} of at most {plural(system['limit'], 'experiment')} running"
    yield tally(system["counts"])


def projects_table(projects: Iterable[View]) -> Table:
    return Table(
        columns=("project", "state", "experiments", "reason"),
        rows=[(view["name"], view["state"], tally(view["counts"]), view["reason"]) for view in projects],
        folding=frozenset({"experiments", "reason"}),
    )


def _running(experiments: Iterable[View], now: float) -> Table:
    return Table(
        columns=("running", "for", "parameters", "last metrics"),
        rows=[
            (view["name"], elapsed(view, now), pairs(view["parameters"]), pairs(view["metrics"]))
            for view in experiments
        ],
        folding=frozenset({"parameters", "last metrics"}),
        numeric=frozenset({"for"}),
    )


def experiments(settings: Settings, form: Format, project: str | None, state: str | None) -> None:
    def question(after: str | None) -> ListExperiments:
        return ListExperiments(project=project, state=state, after=after, limit=1000)

    with opened(located(settings)) as session:
        views = pages(session, question, "experiments")
        if form is not Format.TABLE:
            show_list(views, form)
            return
        shown = list(islice(views, MOST_DRAWN)) if is_terminal() else list(views)
        if not shown:
            say(f"no experiment is in {state}" if state else "no experiments yet")
            return
        show_table(listing(shown, time.time()))
        if next(views, None) is not None:
            warn(f"these are the first {MOST_DRAWN:,}; --format json or a pipe shows all")


def listing(views: Sequence[View], now: float) -> Table:
    """One row for each experiment; the attempt is shown where any has had more than one."""
    again = ["attempt"] if any(view["attempt"] > 1 for view in views) else []
    return Table(
        columns=("#", "state", "for", *again, "parameters", "last metrics", "reason"),
        rows=[
            (
                str(view["number"]),
                view["state"],
                elapsed(view, now),
                *(str(view[column]) for column in again),
                pairs(view["parameters"]),
                pairs(view["metrics"]),
                view["reason"],
            )
            for view in views
        ],
        folding=frozenset({"parameters", "last metrics"}),
        cut=frozenset({"reason"}),
        numeric=frozenset({"#", "for", "attempt"}),
    )


def show(settings: Settings, form: Format, experiment: str) -> None:
    with opened(located(settings)) as session:
        answer = session.ask(ShowExperiment(experiment=experiment))
    if form is not Format.TABLE:
        show_view({**answer["experiment"], "why": answer["why"]}, form)
        return
    rows = [(name, value) for name, value in _facts(answer["experiment"], answer["why"]) if value not in ("", "-")]
    width = max(len(name) for name, _ in rows)
    say("\n".join(f"{name:<{width}}  {value}" for name, value in rows))


def _facts(view: View, why: str) -> Iterator[tuple[str, str]]:
    yield "experiment", clean(view["name"])
    yield "id", view["id"]
    yield "project", clean(view["project_name"])
    yield "state", view["state"]
    yield "why", _indented(why)
    yield "attempt", str(view["attempt"])
    yield "priority", str(view["priority"]) if view["priority"] else ""
    yield "parameters", pairs(view["parameters"])
    yield "last metrics", pairs(view["metrics"])
    yield "objective", number(view["objective"])
    yield "reports", _reports(view)
    yield "timeout", f"{number(view['time_out'])} s" if view["time_out"] is not None else ""
    yield "accuracy limit", number(view["accuracy_limit"])
    yield "created", moment(view["create_time"])
    yield "launched", moment(view["launch_time"])
    yield "ended", moment(view["end_time"])
    yield "ran for", elapsed(view, time.time())
    yield "exit status", number(view["exit_status"])
    yield "failure", view["failure"] or ""


def _reports(view: View) -> str:
    if not view["refused"]:
        return str(view["metric_count"]) if view["metric_count"] else ""
    return f"{view['metric_count']}, and {view['refused']} refused: {clean(view['refusal'])}"


def _indented(text: str) -> str:
    """A reason may end with the last lines of a log: they stay lines, under the first."""
    first, *rest = [clean(line) for line in text.splitlines()] or [""]
    return "\n".join([first, *(f"    {line}" for line in rest)])


def why(settings: Settings, experiment: str) -> None:
    with opened(located(settings)) as session:
        answer = session.ask(ExplainExperiment(experiment=experiment))
    say(_indented(answer["why"]))


def metrics(settings: Settings, form: Format, experiment: str, attempt: int | None) -> None:
    def question(after: str | None) -> ListMetrics:
        return ListMetrics(experiment=experiment, attempt=attempt, after=after, limit=10_000)

    with opened(located(settings)) as session:
        views = pages(session, question, "metrics")
        if form is not Format.TABLE:
            show_list(views, form)
            return
        # That it is completed is a report too, without a value.
        reported = [view for view in views if view["values"] or view["refusals"]]
    if reported:
        show_table(_reported(reported))
    else:
        say("nothing was reported")


def _reported(metrics: list[View]) -> Table:
    names = list(dict.fromkeys(name for metric in metrics for name in metric["values"]))
    sources = {metric["source"] for metric in metrics}
    steps = any(metric["step"] is not None for metric in metrics)
    extra = (["source"] if len(sources) > 1 else []) + (["step"] if steps else [])
    refused = ["refused"] if any(metric["refusals"] for metric in metrics) else []
    return Table(
        columns=("time", *extra, *names, *refused),
        rows=[
            (
                moment(metric["time"]),
                *(number(metric[column]) for column in extra),
                *(number(metric["values"].get(name)) for name in names),
                *("; ".join(metric["refusals"]) for _ in refused),
            )
            for metric in metrics
        ],
        folding=frozenset(refused),
        numeric=frozenset({"step", *names}),
    )


def best(settings: Settings, form: Format, project: str | None, count: int) -> None:
    with opened(located(settings)) as session:
        answer = session.ask(ListBest(project=project, count=count))
    views = answer["experiments"]
    if form is not Format.TABLE:
        show_list(views, form)
    elif views:
        show_table(results(views, answer["project"]["objective"]))
    else:
        say(f"no experiment has reported {clean(answer['project']['objective'])} yet")


def results(views: Iterable[View], objective: str) -> Table:
    """The table at the end of a run, and of `best`."""
    return Table(
        columns=("#", "state", objective, "parameters", "reason"),
        rows=[
            (
                str(view["number"]),
                view["state"],
                number(view["objective"]),
                pairs(view["parameters"]),
                view["reason"],
            )
            for view in views
        ],
        folding=frozenset({"parameters"}),
        cut=frozenset({"reason"}),
        numeric=frozenset({"#", objective}),
    )
