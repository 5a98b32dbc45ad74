"""The commands that change: start, pause, stop, retry and limit."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from actors.cli.client import located, opened, wait_until_dead
from actors.cli.output import say
from actors.cli.words import View, clean, plural
from actors.main import Session
from beagle.commands import PauseSystem, RetryExperiment, SetLimit, ShowSystem, StartSystem, StopExperiment
from beagle.errors import BeagleError, InvalidInput, NotFound, Refused
from beagle.messages import Message
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
        _each(session, experiments, lambda name: StopExperiment(experiment=name), _stopped)
        if session.owner:
            wait_until_dead(session)


def retry(settings: Settings, experiments: Iterable[str]) -> None:
    with opened(located(settings)) as session:
        _each(session, experiments, lambda name: RetryExperiment(experiment=name), _queued)
        if session.owner:
            say("nothing runs experiments here now; `beagle run` does")


def limit(settings: Settings, limit: int | None) -> None:
    with opened(located(settings)) as session:
        answer = session.ask(ShowSystem() if limit is None else SetLimit(limit=limit))
    say(f"at most {plural(answer['limit'], 'experiment')} at a time")


def _each(
    session: Session, experiments: Iterable[str], order: Callable[[str], Message], said: Callable[[View], str]
) -> None:
    """Give every order, whatever becomes of the others; then raise what went wrong, as one error."""
    refused: list[BeagleError] = []
    for name in experiments:
        try:
            say(said(session.ask(order(name))["experiment"]))
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
