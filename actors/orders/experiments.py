"""Orders to one experiment: stop, retry, prioritise, delete."""

from __future__ import annotations

from actors.orders.finding import find_experiment
from actors.orders.projects import ProjectOrders
from beagle import lifecycle, projects
from beagle.commands import DeleteExperiment, PrioritiseExperiment, RetryExperiment, StopExperiment
from beagle.errors import NotFound
from beagle.experiment import Deleted, Event, Experiment, Prioritised, RetryAsked, Stopped
from beagle.message import Answer
from beagle.messages import FillPlaces

ExperimentOrder = StopExperiment | RetryExperiment | PrioritiseExperiment | DeleteExperiment


class ExperimentOrders(ProjectOrders):
    def stop_experiment(self, order: StopExperiment) -> Answer:
        return self.one(self._advance(order, self._meant_one(order), Stopped(order.reason, order.id)))

    def prioritise_experiment(self, order: PrioritiseExperiment) -> Answer:
        return self.one(self._advance(order, self._meant_one(order), Prioritised(order.priority, order.id)))

    def delete_experiment(self, order: DeleteExperiment) -> Answer:
        experiment = self._meant_one(order)
        self._advance(order, experiment, Deleted(order.id))
        self.sweep_soon()
        return {"deleted": experiment.id}

    def retry_experiment(self, order: RetryExperiment) -> Answer:
        store, experiment = self.world.store, self._meant_one(order)
        event = RetryAsked(order.id)
        if experiment.ordered_by != order.id:
            lifecycle.check(experiment, event, self.world.now())  # what is refused changes nothing
        # Before it, so that a crash leaves nothing waiting in a completed project; after it, for the search may have
        # completed the project meanwhile.
        projects.reopen(store, projects.load(store, experiment.project))
        experiment = self._advance(order, experiment, event)
        projects.reopen(store, projects.load(store, experiment.project))
        self.nudge(FillPlaces())
        return self.one(experiment)

    def _advance(self, order: ExperimentOrder, experiment: Experiment, event: Event) -> Experiment:
        """As it is after the order, whether that was applied now or before."""
        if experiment.ordered_by == order.id:
            return experiment
        step = lifecycle.advance(self.world.store, experiment, event, self.world.now())
        self.announce(step)
        return step.after

    def _meant_one(self, order: ExperimentOrder) -> Experiment:
        """The same for a repeat, even if the name or number means another experiment by then, or none."""
        store, asked = self.world.store, self.begun(order) or order.experiment
        known = store.get(Experiment, asked)
        if known is not None and known.ordered_by == order.id:
            return known
        if asked != order.experiment and known is None:
            raise NotFound(f"the experiment {order.experiment} is gone")
        found = find_experiment(store, asked)
        if found.id != asked:
            self.begin(order, found.id)
        return found
