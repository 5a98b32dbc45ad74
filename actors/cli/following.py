"""What a `run` sees of its project, look by look. A look costs as much as what changed since the one before."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

from actors.cli.words import View, ended, seconds_between
from actors.main import Session
from beagle.commands import ListEndings, ShowProject

# Endings are stored by several actors at once, so one may appear behind another that was seen before it.
OVERLAP = 8
REMEMBERED = 4000
# What a place stands empty between two experiments, in seconds: it matters where they are short.
BETWEEN = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """`news` are the experiments that have ended since the last look, oldest first, each with its place in the line
    of all that have ended; `left` is the estimated time to the end in seconds, None before there is a ground for it.
    """

    project: View
    best: View | None
    running: list[View]
    limit: int
    started: bool
    ended: int
    news: list[tuple[int, View]]
    left: float | None

    @property
    def is_over(self) -> bool:
        """Nothing more will happen; a paused project ends with what runs of it."""
        state = self.project["state"]
        return state in {"completed", "stopped"} or (state == "paused" and not self.project["counts"]["pool"])


@dataclass(slots=True)
class Follower:
    """`since` is when this run began, seconds since the epoch: what ended before is counted and not told."""

    project: str
    since: float
    told: int = 0
    _seen: deque[tuple[str, int]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    _counts: dict[str, int] = field(default_factory=dict)
    _durations: deque[float] = field(default_factory=lambda: deque(maxlen=50))

    def look(self, session: Session) -> Look:
        answer = session.ask(ShowProject(project=self.project))
        counts = answer["project"]["counts"]
        fresh: list[View] = []
        if counts != self._counts:
            expected = max(0, ended(counts) - ended(self._counts)) if self._counts else ended(counts) - self.told
            fresh = self._fresh(session, max(0, expected))
        else:
            self.told = ended(counts)  # a retry has taken one back, or one had ended before this run was told
        self._counts = counts
        news = [(self.told + place, view) for place, view in enumerate(fresh, start=1)]
        self.told += len(fresh)
        return Look(
            project=answer["project"],
            best=answer["best"],
            running=answer["experiments"],
            limit=answer["limit"],
            started=answer["running"],
            ended=ended(counts),
            news=news,
            left=self._left(answer),
        )

    def _fresh(self, session: Session, expected: int) -> list[View]:
        """The latest endings back to one that is known, or that ended before this run."""
        found: list[View] = []
        known = set(self._seen)
        after: str | None = None
        while True:
            limit = min(1000, expected + OVERLAP)
            answer = session.ask(ListEndings(project=self.project, after=after, limit=limit))
            page = [view for view in answer["experiments"] if self._is_news(view, known)]
            found += page
            after = answer["next"]
            if after is None or len(page) < len(answer["experiments"]):
                break
        found.reverse()
        for view in found:
            self._seen.append((view["id"], view["attempt"]))
            ran = seconds_between(view["launch_time"], view["end_time"], 0.0)
            if ran is not None:
                self._durations.append(ran)
        return found

    def _is_news(self, view: View, known: set[tuple[str, int]]) -> bool:
        ended_at = datetime.fromisoformat(view["end_time"]).timestamp()
        return ended_at >= self.since and (view["id"], view["attempt"]) not in known

    def _left(self, answer: View) -> float | None:
        """From the mean duration of the last fifty, and the limit."""
        planned, counts = answer["project"]["planned"], answer["project"]["counts"]
        if planned is None or not self._durations or not answer["limit"]:
            return None
        mean = BETWEEN + sum(self._durations) / len(self._durations)
        now = time.time()
        ran = [seconds_between(view["launch_time"], None, now) or 0.0 for view in answer["experiments"]]
        waiting = max(0, planned - ended(counts) - len(ran))
        work: float = waiting * mean + sum(max(0.0, mean - seconds) for seconds in ran)
        at_once: int = max(1, min(answer["limit"], waiting + len(ran)))
        return work / at_once
