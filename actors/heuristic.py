"""Runs the search of every project: tells it what ended, and queues what it suggests."""

from __future__ import annotations

import logging
import math
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import ClassVar

from actors.base import BusActor, Handlers, World
from beagle import lifecycle, projects, removal
from beagle.errors import NotFound, Refused
from beagle.experiment import FINAL, Experiment, State, Stopped, Value, queue_order
from beagle.messages import ExperimentChanged, FillPlaces, ProjectChanged
from beagle.plugins import heuristic
from beagle.ports import Heuristic, paged
from beagle.project import Definition
from beagle.records import Observation, Project, ProjectState, Summary

log = logging.getLogger(__name__)

# How many experiments wait in the queue of a project at most. They are added in batches, small at first: the first
# experiment starts after milliseconds, and no other message waits for long.
AHEAD = 10_000
REFILL_BELOW = 5_000
FIRST_BATCH, BATCH = 20, 500

# A search whose suggestions do not depend on results, with enough waiting in the queue, takes endings in together.
PATIENCE = 0.1
IMPATIENT_BELOW = 100


class _Wake:
    """Some project may have something to do; told once for however many events there are."""


@dataclass(slots=True)
class _Search:
    """One project's heuristic with what it has observed, and how many it has suggested, so far."""

    heuristic: Heuristic
    sent: int
    observed: int = 0
    known: dict[str, int] = field(default_factory=dict)
    dry: bool = False
    patient: bool = False


class HeuristicActor(BusActor):
    """Works on the projects that fall to it among the living; whoever takes one over tells the heuristic its log again.

    Should two work on one for a moment, the log has one order, and the experiment of a number is the first one's.
    """

    kind = "heuristic"

    def __init__(self, world: World, queues: tuple[str, ...]) -> None:
        super().__init__(world, queues)
        self._searches: dict[str, _Search] = {}
        self._ended: dict[str, set[str]] = {}
        self._wake_at = math.inf

    def reconcile(self) -> None:
        for gone in [identity for identity in self._searches if not self.membership.mine(identity)]:
            del self._searches[gone]  # another goes on with it, and this one would know less than the log
        for project in projects.runnable(self.world.store):
            self._wake(project.id)
        paused = self.world.store.page(Project, "state", (ProjectState.PAUSED,), limit=1000).records
        for project in paused:
            self._wake(project.id)

    def on_project_changed(self, event: ProjectChanged) -> None:
        if event.event in {"created", "resumed"}:
            self._wake(event.project)

    def on_experiment_changed(self, event: ExperimentChanged) -> None:
        self._wake(event.project, event.experiment)

    def on_told(self, message: object) -> None:
        if isinstance(message, _Wake):
            self._wake_at = math.inf
            ended, self._ended = self._ended, {}
            for project, experiments in ended.items():
                self._guarded(lambda p=project, e=experiments: self._advance(p, e))  # type: ignore[misc]

    def _wake(self, project: str, experiment: str | None = None) -> None:
        if not self.membership.mine(project):
            return
        self._ended.setdefault(project, set()).update({experiment} if experiment else ())
        search = self._searches.get(project)
        if search is not None and search.patient and experiment is not None:
            self._wake_after(PATIENCE)
        else:
            self._wake_after(0.0)

    def _wake_after(self, seconds: float) -> None:
        due = time.monotonic() + seconds
        if due < self._wake_at:
            self._wake_at = due
            if seconds:
                self.world.clock.tell(self.actor_ref, _Wake(), after=seconds)
            else:
                self.actor_ref.tell(_Wake())

    def _advance(self, identity: str, ended: set[str]) -> None:
        project = projects.load(self.world.store, identity)
        if project.state not in projects.SEARCHING:
            self._searches.pop(identity, None)
            return
        search = self._searches.get(identity)
        if search is None or search.sent != project.sent:  # another suggested meanwhile
            search = self._begin(project)
        counts = self.world.store.counts(identity)
        if not ended:
            ended = self._unheard(project, search, counts)
        self._observe(project, search, ended)
        if project.state is ProjectState.RUNNING:
            self._suggest(project, search, counts)
        else:
            self._complete(project, search, counts)
        search.patient = search.heuristic.total is not None and counts[State.QUEUE] > IMPATIENT_BELOW

    def _begin(self, project: Project) -> _Search:
        definition = self.world.plans.of(project.id).definition
        search = _Search(heuristic(definition.heuristic)(definition, project.sent), project.sent)
        store = self.world.store
        for observation in paged(lambda after: store.page(Observation, "log", (project.id,), after=after, limit=1000)):
            self._take_in(search, observation)
        self._searches[project.id] = search
        return search

    def _observe(self, project: Project, search: _Search, ended: set[str]) -> None:
        """Log what ended, then tell the heuristic. A place in the log is the first one's who writes it."""
        store = self.world.store
        found = [experiment for identity in ended if (experiment := store.get(Experiment, identity)) is not None]
        found.sort(key=lambda e: (e.ended_at or 0.0, e.id))
        # One by one: of several at once the first may be refused and the next, known by then, be logged twice.
        for experiment in found:
            while self._is_new(search, experiment):
                observation = self._observation(search.observed, experiment)
                added = store.add([observation], lazy=True)
                if store.get(Project, project.id) is None:
                    removal.observations(store, project.id)
                if all(added):
                    self._take_in(search, observation)
                else:
                    self._catch_up(project, search)

    def _catch_up(self, project: Project, search: _Search) -> None:
        """What another has logged meanwhile."""
        while (logged := self.world.store.get(Observation, _log_id(project.id, search.observed))) is not None:
            self._take_in(search, logged)

    def _unheard(self, project: Project, search: _Search, counts: dict[State, int]) -> set[str]:
        """What ended without this actor hearing of it: the counts tell how many, the list of endings which."""
        missing = sum(counts[state] for state in FINAL) - len(search.known)
        found: set[str] = set()
        after = None
        while len(found) < missing:
            page = self.world.store.page(Experiment, "ended", (project.id,), after=after, limit=500, descending=True)
            found |= {e.id for e in page.records if self._is_new(search, e)}
            if page.next is None:
                break
            after = page.next
        return found

    @staticmethod
    def _is_new(search: _Search, experiment: Experiment) -> bool:
        return experiment.state in FINAL and search.known.get(experiment.id, 0) < experiment.attempt

    @staticmethod
    def _take_in(search: _Search, observation: Observation) -> None:
        search.observed = max(search.observed, observation.ordinal + 1)
        if search.known.get(observation.experiment, 0) < observation.attempt:
            search.known[observation.experiment] = observation.attempt
            search.heuristic.observe(observation)

    def _observation(self, ordinal: int, experiment: Experiment) -> Observation:
        summary = self.world.store.get(Summary, experiment.id)
        seen = summary.objective if summary is not None and summary.attempt == experiment.attempt else None
        return Observation(
            id=_log_id(experiment.project, ordinal),
            project=experiment.project,
            ordinal=ordinal,
            experiment=experiment.id,
            number=experiment.number,
            attempt=experiment.attempt,
            state=experiment.state,
            objective=seen,
            ended_at=experiment.ended_at or 0.0,
        )

    def _suggest(self, project: Project, search: _Search, counts: dict[State, int]) -> None:
        waiting = counts[State.QUEUE]
        if not search.dry and (waiting < REFILL_BELOW or project.sent < AHEAD):
            batch = FIRST_BATCH if project.sent == 0 else min(BATCH, AHEAD - waiting)
            suggestions = search.heuristic.suggest(batch) if batch > 0 else []
            total = search.heuristic.total
            search.dry = batch > 0 and len(suggestions) < batch and total is not None
            if suggestions:
                self._queue(project, search, suggestions)
                self._wake(project.id)
                return
        self._complete(project, search, counts)

    def _queue(self, project: Project, search: _Search, suggestions: list[dict[str, Value]]) -> None:
        now = self.world.now()
        first = project.sent + 1
        definition = self.world.plans.of(project.id).definition
        new = [_experiment(project, definition, first + n, values, now) for n, values in enumerate(suggestions)]
        if lifecycle.create(self.world.store, new) < len(new):
            # Another was faster with some of them: its values hold, and this search knows no more which they are.
            self._searches.pop(project.id, None)
        search.sent += len(new)
        try:
            projects.sent(self.world.store, project, project.sent + len(new))
        except (Refused, NotFound):
            self._take_back(project, new)
            raise
        self.nudge(FillPlaces())

    def _take_back(self, project: Project, new: list[Experiment]) -> None:
        """The project ended or was removed while this actor slept: nobody looks for what it queued after that."""
        store, current = self.world.store, self.world.store.get(Project, project.id)
        if current is None:
            removal.experiments(store, [experiment.id for experiment in new])
        elif current.state is ProjectState.COMPLETED:
            projects.reopen(store, current)
        elif current.state is ProjectState.STOPPED:
            for experiment in new:
                with suppress(Refused, NotFound):
                    lifecycle.advance(store, experiment, Stopped(f"its project was {current.reason}"), self.world.now())

    def _complete(self, project: Project, search: _Search, counts: dict[State, int]) -> None:
        ended = sum(counts[state] for state in FINAL)
        if counts[State.QUEUE] or counts[State.POOL] or ended < project.sent or ended > len(search.known):
            return
        if search.heuristic.total is not None and project.sent < search.heuristic.total:
            return
        reason = f"all {ended} experiments have ended"
        completed = projects.complete(self.world.store, project, reason, self.world.now())
        counts = self.world.store.counts(project.id)
        if counts[State.QUEUE] or counts[State.POOL]:
            projects.reopen(self.world.store, completed)  # a user's retry was faster, and found it still running
            return
        self._searches.pop(project.id, None)
        self.nudge(ProjectChanged(project=project.id, event="completed", reason=reason))

    handles: ClassVar[Handlers] = {ProjectChanged: on_project_changed, ExperimentChanged: on_experiment_changed}


def _log_id(project: str, ordinal: int) -> str:
    return f"{project}-{ordinal}"


def _experiment(
    project: Project, definition: Definition, number: int, parameters: dict[str, Value], now: float
) -> Experiment:
    order = queue_order(project.created_at, number)
    return Experiment(
        id=lifecycle.experiment_id(project.id, number),
        project=project.id,
        number=number,
        # The original's names: project, the word `model`, the running number.
        name=f"{project.name}model{number}",
        parameters=parameters,
        timeout=definition.timeout,
        accuracy_limit=definition.accuracy_limit,
        order=order,
        rank=order,
        created_at=now,
    )
