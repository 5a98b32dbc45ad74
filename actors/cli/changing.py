"""The commands that change: start, pause, stop, retry and limit."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from actors.cli.client import located, opened, wait_until_dead
from actors.cli.output import say
from actors.cli.words import View, clean, plural
from beagle.commands import PauseSystem, RetryExperiment, SetLimit, ShowSystem, StartSystem, StopExperiment
from beagle.errors import BeagleError, InvalidInput, NotFound, Refused
from beagle.settings import Settings


def start(settings: Settings) -> None:
    with opened(located(settings)) as session:
        session.ask(StartSystem())
        if session.owner:
            say("started, but nothing runs experiments here now; `beagle run` or `beagle up` does")
        else:
            say("started: what waits is launched as places become free")


def pause(settings: Settings) -> None:
    """Returns when nothing runs any more."""
    with opened(located(settings)) as session:
        session.ask(PauseSystem())
        wait_until_dead(session)
    say("paused: nothing runs, and what ran is back at the head of the queue; `beagle start` goes on")


def stop(settings: Settings, experiments: Iterable[str]) -> None:
    with opened(located(settings)) as session:
        each_of(experiments, lambda name: _stopped(session.ask(StopExperiment(experiment=name))["experiment"]))
        if session.owner:
            wait_until_dead(session)


def retry(settings: Settings, experiments: Iterable[str]) -> None:
    with opened(located(settings)) as session:
        each_of(experiments, lambda name: _queued(session.ask(RetryExperiment(experiment=name))["experiment"]))
        if session.owner:
            say("nothing runs experiments here now; `beagle run` does")


def limit(settings: Settings, limit: int | None) -> None:
    with opened(located(settings)) as session:
        answer = session.ask(ShowSystem() if limit is None else SetLimit(limit=limit))
    say(f"at most {plural(answer['limit'], 'experiment')} at a time")


def each_of(names: Iterable[str], order: Callable[[str], str]) -> None:
    """Give every order and say what it answers, whatever becomes of the others; then raise what went wrong, as one
    error."""
    refused: list[BeagleError] = []
    for name in names:
        try:
            say(order(name))
        except (NotFound, Refused, InvalidInput) as error:
            refused.append(error)
    if len(refused) == 1:
        raise refused[0]
    if refused:
        raise InvalidInput([str(error) for error in refused])


def _stopped(experiment: View) -> str:
    return f"{clean(experiment['name'])} is {experiment['state']}: {clean(experiment['reason'])}"


def _queued(experiment: View) -> str:
    return f"{clean(experiment['name'])} is queued again, as attempt {experiment['attempt']}"
