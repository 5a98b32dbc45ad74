"""How a run ends: the table of results, the best parameters, and the exit status."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from actors.cli.client import pages
from actors.cli.following import Look
from actors.cli.looking import results
from actors.cli.output import say, show_table, warn
from actors.cli.words import View, clean, number, tally
from actors.main import Session
from beagle.commands import ListBest, ListExperiments

MOST_RESULTS = 30
DONE, FAILED = 0, 1


def conclude(session: Session, look: Look) -> int:
    """Print what came of a project; answers with the exit status."""
    project = look.project
    views = list(_results(session, project["id"]))
    if views:
        say("")
        show_table(results(views, clean(project["objective"])))
        if look.ended > len(views):
            say(f"and {look.ended - len(views)} more; `beagle experiments` lists all")
    say("")
    say(f"{clean(project['name'])} is {project['state']}: {tally(project['counts'])}")
    if look.best is not None:
        say("\n".join(_best(look.best, project)))
    return exit_status(look)


def _results(session: Session, project: str) -> Iterator[View]:
    best = session.ask(ListBest(project=project, count=MOST_RESULTS))["experiments"]
    listed = pages(session, lambda after: ListExperiments(project=project, after=after), "experiments")
    return chosen(best, listed)


def chosen(best: Sequence[View], listed: Iterable[View]) -> Iterator[View]:
    """The best first; then those that ended without a result, in their order. No more is read than is shown."""
    yield from best
    shown = {view["id"] for view in best}
    others = (view for view in listed if view["end_time"] is not None and view["id"] not in shown)
    yield from islice(others, MOST_RESULTS - len(best))


def _best(best: View, project: View) -> Iterator[str]:
    yield f"best: {clean(best['name'])} with {clean(project['objective'])} {number(best['objective'])}"
    for name, value in best["parameters"].items():
        yield f"  {clean(name)}={number(value)}"


def exit_status(look: Look) -> int:
    """0 for a run that came to its end with a result; else 1, and a sentence about it on standard error."""
    state, counts = look.project["state"], look.project["counts"]
    if state == "paused":
        warn(f"paused: {clean(look.project['reason'])}; the same command resumes")
        return FAILED
    if state == "stopped":
        warn(f"stopped: {clean(look.project['reason'])}")
        return FAILED
    if look.ended and counts["failed"] == look.ended:
        warn("every experiment failed; `beagle logs --err` and `beagle why` say how")
        return FAILED
    return DONE
