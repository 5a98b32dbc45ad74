"""Orders to one experiment: stop, retry, prioritise, delete."""

from __future__ import annotations

from actors.orders.finding import find_experiment
from actors.orders.projects import ProjectOrders
from beagle import lifecycle, projects
from beagle.commands import DeleteExperiment, PrioritiseExperiment, RetryExperiment, StopExperiment
from beagle.errors import Refused
from beagle.experiment import Deleted, Event, Experiment, Prioritised, RetryAsked, Stopped
from beagle.message import Answer
from beagle.messages import FillPlaces

ExperimentOrder = StopExperiment | RetryExperiment | PrioritiseExperiment | DeleteExperiment


class ExperimentOrders(ProjectOrders):
    def stop_experiment(self, order: StopExperiment) -> Answer:
        experiment, event = self._experiment_of(order), Stopped(order.reason, order.id)
        if order.only is not None and experiment.ordered_by != order.id:
            return self.one(self._stop_there(order.only, experiment, event))
        return self.one(self._advance(order, experiment, event))

    def _stop_there(self, state: str, experiment: Experiment, event: Stopped) -> Experiment:
        """Only from what was read, for by the time of the writing it may have started."""
        while True:
            if experiment.state != state:
                raise Refused(f"{experiment.name} is not in the {state}: it is {experiment.state}")
            try:
                step = lifecycle.advance_exactly(self.world.store, experiment, event, self.world.now())
            except Refused:
                experiment = lifecycle.load(self.world.store, experiment.id)
            else:
                self.announce(step)
                return step.after

    def prioritise_experiment(self, order: PrioritiseExperiment) -> Answer:
        return self.one(self._advance(order, self._experiment_of(order), Prioritised(order.priority, order.id)))

    def delete_experiment(self, order: DeleteExperiment) -> Answer:
        experiment = self._experiment_of(order)
        self._advance(order, experiment, Deleted(order.id))
        self.sweep_soon()
        return {"deleted": experiment.id}

    def retry_experiment(self, order: RetryExperiment) -> Answer:
        store, experiment = self.world.store, self._experiment_of(order)
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

    def _experiment_of(self, order: ExperimentOrder) -> Experiment:
        return self.meant(order, Experiment, order.experiment, find_experiment)
