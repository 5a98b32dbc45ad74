"""What front ends may ask. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

from actors import views
from actors.orders.dead import DeadLetterOrders
from actors.orders.experiments import ExperimentOrders
from actors.orders.finding import find_experiment, find_project, window
from beagle import models, places, projects, system
from beagle.answers import raise_for
from beagle.commands import (
    CheckProject,
    ExplainExperiment,
    ListBest,
    ListEndings,
    ListExperiments,
    ListMetrics,
    ListPool,
    ListProjects,
    ListQueue,
    ListTemplates,
    ReadLog,
    ShowExperiment,
    ShowProject,
    ShowSystem,
    ShowTemplate,
)
from beagle.definition_data import as_data
from beagle.definition_file import read_project
from beagle.errors import BeagleError, InvalidInput, NotFound, Refused, Unavailable
from beagle.experiment import SHOWN, Experiment, State
from beagle.message import Answer
from beagle.messages import ReadSiteLog
from beagle.ports import Cursor, Page
from beagle.records import Model, Project

# What the listing of running experiments in one answer is cut to.
MOST_RUNNING = 1000
LOG_TIMEOUT = 10.0


class Questions(ExperimentOrders, DeadLetterOrders):
    def show_system(self, _: ShowSystem) -> Answer:
        store = self.world.store
        current = system.load(store)
        found = store.page(Project, "all", (False,), limit=1000, descending=True).records
        hidden = {project.id for project in projects.hidden(store)}
        return {
            "running": current.running,
            "limit": current.limit,
            "held": places.count_held(store),
            "version": _version(),
            "state": "Launching experiments" if current.running else "Waiting for launching",
            "counts": views.all_counts(store),
            "projects": [views.project_view(store, project) for project in found],
            "experiments": [self.show(experiment) for experiment in self.pool() if experiment.project not in hidden],
        }

    def list_projects(self, question: ListProjects) -> Answer:
        store = self.world.store
        found, after, left = [], question.after, question.offset
        while True:
            most = min(left, 1000) if left else question.limit
            page = store.page(Project, "all", (False,), after=after, limit=most, descending=True)
            found = [] if left else page.records
            if page.next is None or not left:
                break
            left, after = left - len(page.records), page.next
        return {
            "projects": [views.project_view(store, project) for project in found],
            "next": page.next,
            "total": views.count_projects(store),
        }

    def show_project(self, question: ShowProject) -> Answer:
        store = self.world.store
        project = find_project(store, question.project)
        current = system.load(store)
        first = views.best(store, project, 1)
        running = store.page(Experiment, "queue", (project.id, State.POOL), limit=MOST_RUNNING).records
        return {
            "project": views.project_view(store, project),
            "definition": as_data(self.world.plans.of(project.id).definition),
            "best": self.show(first[0]) if first else None,
            "experiments": [self.show(experiment) for experiment in running],
            "limit": current.limit,
            "running": current.running,
            "held": places.count_held(store),
        }

    def check_project(self, question: CheckProject) -> Answer:
        found = []
        for definition in read_project(question.definition, question.definition_name):
            model = models.named_by(self.world.store, question.definition_name, definition.template)
            found.append({"name": definition.name, "template": definition.template, "model_id": model.id})
        return {"projects": found}

    def list_templates(self, question: ListTemplates) -> Answer:
        page = self.world.store.page(Model, "all", after=question.after, limit=question.limit)
        return {"templates": [views.model_view(model) for model in page.records], "next": page.next}

    def show_template(self, question: ShowTemplate) -> Answer:
        model = models.find(self.world.store, question.template)
        if model is None:
            raise NotFound(f"no template is called {question.template}; `beagle template ls` lists them")
        return {"template": {**views.model_view(model), "text": model.text}}

    def list_experiments(self, question: ListExperiments) -> Answer:
        store = self.world.store
        project = find_project(store, question.project)
        state = () if question.state is None else (_state(question.state),)
        index = "queue" if state else "number"
        found = window(
            lambda after, limit: store.page(Experiment, index, (project.id, *state), after=after, limit=limit),
            lambda experiment: experiment.state is not State.DELETED,
            after=question.after,
            offset=question.offset,
            limit=question.limit,
        )
        counts = views.counts(store, project.id)
        return {
            "experiments": [self.show(e) for e in found.records],
            "next": found.next,
            "total": counts[state[0]] if state else sum(counts.values()),
        }

    def list_queue(self, question: ListQueue) -> Answer:
        return self._everywhere(State.QUEUE, question)

    def list_pool(self, question: ListPool) -> Answer:
        return self._everywhere(State.POOL, question)

    def _everywhere(self, state: State, question: ListQueue | ListPool) -> Answer:
        store = self.world.store
        hidden = {project.id for project in projects.hidden(store)}
        fetch: Callable[[Cursor | None, int], Page[Experiment]] = lambda after, limit: store.page(  # noqa: E731
            Experiment, "state", (state,), after=after, limit=limit
        )
        found = window(
            fetch,
            lambda experiment: experiment.project not in hidden,
            after=question.after,
            offset=question.offset,
            limit=question.limit,
        )
        total = views.all_counts(store)[state]
        return {"experiments": [self.show(e) for e in found.records], "next": found.next, "total": total}

    def list_endings(self, question: ListEndings) -> Answer:
        store, project = self.world.store, find_project(self.world.store, question.project)
        page = store.page(
            Experiment, "ended", (project.id,), after=question.after, limit=question.limit, descending=True
        )
        shown = [self.show(e) for e in page.records if e.state is not State.DELETED]
        return {"experiments": shown, "next": page.next}

    def show_experiment(self, question: ShowExperiment) -> Answer:
        experiment = find_experiment(self.world.store, question.experiment)
        return {
            "experiment": self.show(experiment),
            "why": self.why(experiment),
            "actions": views.actions(self.world.store, experiment),
        }

    def explain_experiment(self, question: ExplainExperiment) -> Answer:
        return self.show_experiment(ShowExperiment(experiment=question.experiment))

    def list_metrics(self, question: ListMetrics) -> Answer:
        experiment = find_experiment(self.world.store, question.experiment)
        attempt = _attempt(experiment, question.attempt)
        page = self.world.store.metrics(experiment.id, attempt, after=question.after, limit=question.limit)
        metrics = [views.metric_view(metric) for metric in page.records]
        return {"experiment": experiment.id, "attempt": attempt, "metrics": metrics, "next": page.next}

    def list_best(self, question: ListBest) -> Answer:
        project = find_project(self.world.store, question.project)
        found = views.best(self.world.store, project, question.count)
        return {
            "project": views.project_view(self.world.store, project),
            "experiments": [self.show(e) for e in found],
        }

    def read_log(self, question: ReadLog) -> Answer:
        experiment = find_experiment(self.world.store, question.experiment)
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


def _state(word: str) -> State:
    if word not in SHOWN:
        raise InvalidInput([f"there is no state {word}; the states are {', '.join(SHOWN)}"])
    return State(word)


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
