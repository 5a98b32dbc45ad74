"""Takes the orders and questions of front ends and of the command line, and answers them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import ClassVar, TypeVar

from actors import views
from actors.base import BusActor, Handlers, World
from actors.submission import Submission
from actors.why import Why
from beagle import lifecycle, places, projects, system
from beagle.answers import raise_for
from beagle.errors import BeagleError, InvalidInput, NotFound, Refused, Unavailable
from beagle.experiment import Experiment, Paused, RetryAsked, State, Stopped
from beagle.messages import (
    AdvanceSearch,
    Answer,
    ExplainExperiment,
    FillPlaces,
    ListBest,
    ListEndings,
    ListExperiments,
    ListMetrics,
    Message,
    PauseSystem,
    ProjectChanged,
    ReadLog,
    ReadSiteLog,
    RetryExperiment,
    SetLimit,
    ShowExperiment,
    ShowProject,
    ShowSystem,
    StartSystem,
    StopExperiment,
    SubmitProject,
)
from beagle.records import Applied, Project
from beagle.template import Template

log = logging.getLogger(__name__)

# What the listing of running experiments in one answer is cut to.
MOST_RUNNING = 1000
Order = TypeVar("Order", bound=Message)
LOG_TIMEOUT = 10.0


def _once(handler: Callable[[Gateway, Order], Answer]) -> Callable[[Gateway, Order], Answer]:
    """An order whose id was applied before gets its first answer again, and changes nothing.

    The answer is stored after the effect. Should a crash come in between, the effect itself says that it is this
    order's: by `ordered_by` of an experiment, by the digest of a project.
    """

    def handle(gateway: Gateway, order: Order) -> Answer:
        applied = gateway.world.store.get(Applied, order.id)
        if applied is not None:
            first: Answer = json.loads(applied.answer)
            return first
        answer = handler(gateway, order)
        gateway.world.store.add([Applied(id=order.id, answer=json.dumps(answer), at=gateway.world.now())])
        return answer

    return handle


class Gateway(BusActor):
    """Stateless: every answer is read from the store, every effect is in it before the order is acknowledged."""

    kind = "gateway"

    def __init__(self, world: World, queues: tuple[str, ...], check_template: Callable[[Template], list[str]]) -> None:
        super().__init__(world, queues)
        self._check_template = check_template

    def reconcile(self) -> None:
        """Finish a pause: whoever paused, or claimed meanwhile, may have died in the middle of it."""
        if not system.load(self.world.store).running:
            self._empty_pool()

    # Orders

    def submit_project(self, order: SubmitProject) -> Answer:
        submission = Submission.read(order, self._check_template)
        stored, known = submission.store(self.world.store, self.world.now())
        for project in stored:
            self.nudge(ProjectChanged(project=project.id, event="resumed" if known else "created"))
            self.nudge(AdvanceSearch(project=project.id))
        self.nudge(FillPlaces())
        return {"projects": [views.project_view(self.world.store, p) for p in stored], "taken_up": known}

    def start_system(self, _: StartSystem) -> Answer:
        current = system.set_running(self.world.store, running=True)
        self.nudge(FillPlaces())
        return {"running": current.running, "limit": current.limit}

    def pause_system(self, _: PauseSystem) -> Answer:
        current = system.set_running(self.world.store, running=False)
        # Every place changes its version: a claimer that read before the pause, and slept, takes none.
        places.follow(self.world.store, current)
        self._empty_pool()
        return {"running": current.running, "limit": current.limit}

    def set_limit(self, order: SetLimit) -> Answer:
        current = places.set_limit(self.world.store, order.limit)
        self.nudge(FillPlaces())
        return {"running": current.running, "limit": current.limit}

    def stop_experiment(self, order: StopExperiment) -> Answer:
        experiment = views.find_experiment(self.world.store, order.experiment)
        if experiment.ordered_by != order.id:
            event = Stopped(order.reason, order.id)
            step = lifecycle.advance(self.world.store, experiment, event, self.world.now())
            self.announce(step)
            experiment = step.after
        return self._one(experiment)

    def retry_experiment(self, order: RetryExperiment) -> Answer:
        experiment = views.find_experiment(self.world.store, order.experiment)
        event = RetryAsked(order.id)
        if experiment.ordered_by != order.id:
            lifecycle.check(experiment, event, self.world.now())  # what is refused changes nothing
        # Before it, so that a crash leaves nothing waiting in a completed project; after it, for the search may have
        # completed the project meanwhile.
        projects.reopen(self.world.store, projects.load(self.world.store, experiment.project))
        if experiment.ordered_by != order.id:
            step = lifecycle.advance(self.world.store, experiment, event, self.world.now())
            self.announce(step)
            experiment = step.after
        projects.reopen(self.world.store, projects.load(self.world.store, experiment.project))
        self.nudge(FillPlaces())
        return self._one(experiment)

    # Questions

    def show_system(self, _: ShowSystem) -> Answer:
        store = self.world.store
        current = system.load(store)
        found = store.page(Project, "all", limit=1000, descending=True).records
        return {
            "running": current.running,
            "limit": current.limit,
            "held": places.count_held(store),
            "version": _version(),
            "state": "Launching experiments" if current.running else "Waiting for launching",
            "counts": {state.value: count for state, count in store.counts().items()},
            "projects": [views.project_view(store, project) for project in found],
            "experiments": [self._view(experiment) for experiment in self._pool()],
        }

    def show_project(self, question: ShowProject) -> Answer:
        store = self.world.store
        project = views.find_project(store, question.project)
        current = system.load(store)
        first = views.best(store, project, 1)
        running = store.page(Experiment, "queue", (project.id, State.POOL), limit=MOST_RUNNING).records
        return {
            "project": views.project_view(store, project),
            "best": self._view(first[0]) if first else None,
            "experiments": [self._view(experiment) for experiment in running],
            "limit": current.limit,
            "running": current.running,
            "held": places.count_held(store),
        }

    def list_experiments(self, question: ListExperiments) -> Answer:
        project = views.find_project(self.world.store, question.project)
        state = () if question.state is None else (_state(question.state),)
        index = "queue" if state else "number"
        page = self.world.store.page(
            Experiment, index, (project.id, *state), after=question.after, limit=question.limit
        )
        return {"experiments": [self._view(e) for e in page.records], "next": page.next}

    def list_endings(self, question: ListEndings) -> Answer:
        project = views.find_project(self.world.store, question.project)
        page = self.world.store.page(
            Experiment, "ended", (project.id,), after=question.after, limit=question.limit, descending=True
        )
        return {"experiments": [self._view(e) for e in page.records], "next": page.next}

    def show_experiment(self, question: ShowExperiment) -> Answer:
        experiment = views.find_experiment(self.world.store, question.experiment)
        return {"experiment": self._view(experiment), "why": self._why(experiment)}

    def explain_experiment(self, question: ExplainExperiment) -> Answer:
        return self.show_experiment(ShowExperiment(experiment=question.experiment))

    def list_metrics(self, question: ListMetrics) -> Answer:
        experiment = views.find_experiment(self.world.store, question.experiment)
        attempt = _attempt(experiment, question.attempt)
        page = self.world.store.metrics(experiment.id, attempt, after=question.after, limit=question.limit)
        metrics = [views.metric_view(metric) for metric in page.records]
        return {"experiment": experiment.id, "attempt": attempt, "metrics": metrics, "next": page.next}

    def list_best(self, question: ListBest) -> Answer:
        project = views.find_project(self.world.store, question.project)
        found = views.best(self.world.store, project, question.count)
        return {
            "project": views.project_view(self.world.store, project),
            "experiments": [self._view(e) for e in found],
        }

    def read_log(self, question: ReadLog) -> Answer:
        experiment = views.find_experiment(self.world.store, question.experiment)
        attempt = _attempt(experiment, question.attempt)
        if attempt == experiment.attempt and experiment.state is State.QUEUE:
            raise Refused(f"{experiment.name} waits in the queue and has written nothing in attempt {attempt}")
        # Where an earlier attempt ran is not known any more.
        sites = self.membership.sites() if attempt < experiment.attempt else [experiment.site or self.world.site]
        missing: BeagleError = Unavailable("no launcher lives that could read the log")
        for site in sites:
            try:
                return raise_for(self._read_site_log(site, experiment.id, attempt, question))
            except NotFound as error:
                missing = error
        raise missing

    def _read_site_log(self, site: str, experiment: str, attempt: int, question: ReadLog) -> Answer:
        if not self.membership.living("launcher", site):
            raise Unavailable(f"the launchers of {site} are away; the log is there, and can be read when one returns")
        asked = ReadSiteLog(
            site=site, experiment=experiment, attempt=attempt, stream=question.stream, offset=question.offset
        )
        return self.world.bus.request(asked, timeout=LOG_TIMEOUT)

    def _empty_pool(self) -> None:
        while running := self._pool():
            for experiment in running:
                self._move(experiment, Paused("the system was paused"))

    def _move(self, experiment: Experiment, event: Paused) -> None:
        try:
            self.announce(lifecycle.advance(self.world.store, experiment, event, self.world.now()))
        except Refused as late:
            log.info("%s", late)

    def _pool(self) -> list[Experiment]:
        return self.world.store.page(Experiment, "state", (State.POOL,), limit=MOST_RUNNING).records

    def _one(self, experiment: Experiment) -> Answer:
        return {"experiment": self._view(experiment)}

    def _view(self, experiment: Experiment) -> Answer:
        project = projects.load(self.world.store, experiment.project)
        return views.experiment_view(self.world.store, experiment, project.name)

    def _why(self, experiment: Experiment) -> str:
        project = projects.load(self.world.store, experiment.project)
        return Why(self.world.store, self.membership, self.world.now()).of(experiment, project)

    handles: ClassVar[Handlers] = {
        SubmitProject: _once(submit_project),
        StartSystem: start_system,
        PauseSystem: pause_system,
        SetLimit: set_limit,
        StopExperiment: _once(stop_experiment),
        RetryExperiment: _once(retry_experiment),
        ShowSystem: show_system,
        ShowProject: show_project,
        ListExperiments: list_experiments,
        ListEndings: list_endings,
        ShowExperiment: show_experiment,
        ExplainExperiment: explain_experiment,
        ListMetrics: list_metrics,
        ListBest: list_best,
        ReadLog: read_log,
    }


def _state(word: str) -> State:
    try:
        return State(word)
    except ValueError:
        raise InvalidInput([f"there is no state {word}; the states are {', '.join(State)}"]) from None


def _attempt(experiment: Experiment, asked: int | None) -> int:
    if asked is None:
        return experiment.attempt
    if not 1 <= asked <= experiment.attempt:
        raise Refused(f"{experiment.name} has no attempt {asked}; it has had {experiment.attempt}")
    return asked


def _version() -> str:
    try:
        return version("beagleml")
    except PackageNotFoundError:
        return "not installed"
