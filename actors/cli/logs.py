"""`beagle logs`: what an attempt wrote, to its end or for as long as it writes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Literal

from actors.cli.client import located, opened
from actors.cli.output import say
from actors.cli.words import ENDED
from actors.main import Session
from beagle.commands import ReadLog, ShowExperiment
from beagle.errors import NotFound, Refused, Unavailable
from beagle.messages import Answer, new_id
from beagle.settings import Settings

BETWEEN_LOOKS = 0.2
# A process that only follows a log must not keep the folder from a `beagle run` that wants to schedule.
BETWEEN_VISITS = 1.0


def logs(
    settings: Settings,
    experiment: str,
    attempt: int | None,
    stream: Literal["out", "err"],
    *,
    follow: bool,
) -> None:
    settings = located(settings)
    with opened(settings) as session:
        shown = session.ask(ShowExperiment(experiment=experiment))
        view = shown["experiment"]
        wanted = ReadLog(experiment=view["id"], attempt=attempt or view["attempt"], stream=stream)
        if not follow:
            _print(_pieces(session, wanted), shown["why"])
            return
    _follow(settings, wanted)


def _print(pieces: Iterator[Answer], why: str) -> None:
    try:
        for piece in pieces:
            if not say(piece["text"], end=""):
                return
    except NotFound as error:
        raise NotFound(f"{error}: {why}") from error


def _pieces(session: Session, wanted: ReadLog) -> Iterator[Answer]:
    """All that is there now."""
    offset = wanted.offset
    while True:
        piece = session.ask(wanted.model_copy(update={"id": new_id(), "offset": offset}))
        yield piece
        if piece["next"] == offset or piece["complete"]:
            return
        offset = piece["next"]


def _follow(settings: Settings, wanted: ReadLog) -> None:
    reader = _Reader(wanted)
    while True:
        with suppress(Unavailable), opened(settings) as session:
            while reader.reads_on(session):
                if session.owner:
                    break
                time.sleep(BETWEEN_LOOKS)
            else:
                return
        time.sleep(BETWEEN_VISITS)


class _Reader:
    """Knows how far a log was read, over any number of sessions."""

    def __init__(self, wanted: ReadLog) -> None:
        self._wanted = wanted

    def reads_on(self, session: Session) -> bool:
        """Print what is new; False when nothing will follow, or nobody reads."""
        try:
            for piece in _pieces(session, self._wanted):
                self._wanted = self._wanted.model_copy(update={"offset": piece["next"]})
                if not say(piece["text"], end="") or piece["complete"]:
                    return False
        except (NotFound, Refused):
            return self._may_still_begin(session)
        return True

    def _may_still_begin(self, session: Session) -> bool:
        shown = session.ask(ShowExperiment(experiment=self._wanted.experiment))
        view = shown["experiment"]
        if view["attempt"] == self._wanted.attempt and view["state"] not in ENDED:
            return True
        raise NotFound(f"attempt {self._wanted.attempt} of {view['name']} wrote nothing: {shown['why']}")
