"""`beagle run`: submit a project, follow it to its end, and obey Ctrl-C: the first pauses, the second leaves."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from actors.cli.client import opened, wait_until_dead
from actors.cli.ending import conclude
from actors.cli.following import Follower, Look
from actors.cli.interrupts import INTERRUPTED, Interrupts
from actors.cli.lines import Lines, Watching
from actors.cli.output import is_terminal, say, warn
from actors.cli.project_files import ProjectFiles, read_files
from actors.cli.words import View, clean, ended, plural
from actors.main import Session
from beagle.commands import (
    PauseSystem,
    SetLimit,
    ShowSystem,
    StartSystem,
)
from beagle.errors import Unavailable
from beagle.folder import NAME
from beagle.settings import Settings

FAILED = 1
SHORTEST_WAIT, LONGEST_WAIT = 0.03, 0.2
# A scheduler in another terminal may end any number of times; one that never answers is an error.
MOST_SILENCES = 5
RUNS_ON = "left: what runs goes on, and the next `beagle run` takes it up\n"


def run(settings: Settings, project: Path, template: Path | None, limit: int | None, *, again: bool) -> int:
    """Answers with the exit status. Raises `InvalidInput` before anything is written."""
    files = read_files(project, template, settings)
    settings = replace(settings, folder=settings.folder or str(project.absolute().parent / NAME))
    return Run(files=files, settings=settings, limit=limit, anew=again).to_the_end()


@dataclass(slots=True, kw_only=True)
class Run:
    """Outlives sessions: when the scheduler of another terminal goes, this process becomes the scheduler."""

    files: ProjectFiles
    settings: Settings
    limit: int | None
    anew: bool
    interrupts: Interrupts = field(default_factory=lambda: Interrupts(RUNS_ON))
    since: float = field(default_factory=time.time)
    followers: list[Follower] = field(default_factory=list)
    # What was last said about a deployment that does not answer: one line for each change, not for each try.
    complaint: str = ""

    def to_the_end(self) -> int:
        silences = 0
        while True:
            owner = not self.settings.remote
            try:
                with opened(self.settings, scheduling=True) as session:
                    owner = session.owner
                    return self._attend(session)
            except Unavailable as error:
                silences += 1
                if owner or not self._goes_on_elsewhere(error, silences):
                    raise
                if self.interrupts.wait(LONGEST_WAIT) and self.settings.remote:
                    return self._detached()

    def _goes_on_elsewhere(self, error: Unavailable, silences: int) -> bool:
        if not self.settings.remote:
            return silences <= MOST_SILENCES
        if not self.followers:
            return False  # it has not been submitted
        if str(error) != self.complaint:
            hint = "what was submitted goes on, and is followed again when it can be: Ctrl-C leaves it running"
            warn(str(error) if self.complaint else f"{error}; {hint}")
            self.complaint = str(error)
        return True

    def _detached(self) -> int:
        self.interrupts.farewell = ""
        warn(f"detached: the scheduler goes on elsewhere; `beagle run {self.files.project}` follows it again")
        return INTERRUPTED

    def _attend(self, session: Session) -> int:
        if self.interrupts.asked:
            return self._interrupted(session)
        if not self.followers:
            projects = self._submit(session)
            if all(view["state"] in {"completed", "stopped"} for view in projects):
                return self._ran_before(session, projects)
            _open(session, projects)
        elif not session.ask(ShowSystem())["running"]:
            return _paused_elsewhere()
        self.complaint = ""
        session.ask(StartSystem())
        view = _view(owner=session.owner)
        try:
            looks = self._follow(session, view)
        finally:
            view.close()
        if self.interrupts.asked:
            return self._interrupted(session)
        if not looks[-1].started:
            return _paused_elsewhere()
        if session.owner:
            _leave_nothing_behind(session)
        return max(conclude(session, look) for look in looks)

    def _submit(self, session: Session) -> Sequence[View]:
        answer = session.ask(self.files.submission(anew=self.anew))
        self.anew = False  # what has begun anew is taken up, if the scheduler changes
        projects: Sequence[View] = answer["projects"]
        self.followers = [Follower(view["id"], self.since, told=ended(view["counts"])) for view in projects]
        if self.limit is not None:
            session.ask(SetLimit(limit=self.limit))
        return projects

    def _follow(self, session: Session, view: Watching) -> list[Look]:
        """One project after the other, the last look at each; ends early when the user or another terminal wants it."""
        looks: list[Look] = []
        for follower in self.followers:
            wait = SHORTEST_WAIT
            while True:
                look = follower.look(session)
                view.show(look)
                if self.interrupts.asked or not look.started:
                    return [*looks, look]
                if look.is_over:
                    break
                self.interrupts.wait(wait)
                wait = min(LONGEST_WAIT, wait * 1.5)
            looks.append(look)
        return looks

    def _interrupted(self, session: Session) -> int:
        if not session.owner:
            return self._detached()
        again = f"`beagle run {self.files.project}`"
        running = session.ask(ShowSystem())["counts"]["pool"]
        if running:
            warn(f"pausing: {plural(running, 'experiment')} back to the head of the queue; Ctrl-C again leaves at once")
        session.ask(PauseSystem())
        while session.ask(ShowSystem())["held"]:
            time.sleep(SHORTEST_WAIT)
        self.interrupts.farewell = ""
        warn(f"paused: nothing runs; {again} resumes")
        return INTERRUPTED

    def _ran_before(self, session: Session, projects: Sequence[View]) -> int:
        warn("it has run before, and these are its results; --again runs it anew")
        return max(conclude(session, Follower(view["id"], self.since).look(session)) for view in projects)


def _view(*, owner: bool) -> Watching:
    if not is_terminal():
        return Lines()
    from actors.cli.live import LiveView  # noqa: PLC0415 - Rich costs 0.1 s, and only a terminal shows it

    return LiveView(owner=owner)


def _open(session: Session, projects: Sequence[View]) -> None:
    """Say what is about to happen, or to go on."""
    limit = session.ask(ShowSystem())["limit"]
    for project in projects:
        planned = (
            "any number of experiments" if project["planned"] is None else plural(project["planned"], "experiment")
        )
        before = ended(project["counts"])
        again = f"; {before} have ended before" if before else ""
        say(f"{clean(project['name'])}: {planned}, at most {limit} at a time{again}")
    if not limit:
        warn("the limit is 0: nothing starts before `beagle limit` raises it")


def _leave_nothing_behind(session: Session) -> None:
    """What this run started is dead before its scheduler goes; what other projects run is not its to end."""
    wait_until_dead(session)
    others = session.ask(ShowSystem())["counts"]["pool"]
    if others:
        warn(f"{plural(others, 'experiment')} of other projects go on; the next `beagle run` takes them up")


def _paused_elsewhere() -> int:
    warn("the system was paused from another terminal; the same command resumes")
    return FAILED
