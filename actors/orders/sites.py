"""The order about a site that never returns."""

from __future__ import annotations

from actors.orders.front import Front
from beagle import lifecycle, places
from beagle.commands import ForgetSite
from beagle.errors import Refused
from beagle.experiment import FINAL, Experiment
from beagle.message import Answer
from beagle.messages import FillPlaces, WorkloadEnded
from beagle.records import Place


class SiteOrders(Front):
    def forget_site(self, order: ForgetSite) -> Answer:
        """What runs there by the store is told to be lost, as its launcher would; its monitor judges that in its turn.

        The place of what does not run there any more is empty. Asked again until nothing is `left`.
        """
        if living := self.membership.living("launcher", order.site):
            raise Refused(f"{living[0]} lives, and serves {order.site}: it knows what runs there; end it first")
        store, left, freed = self.world.store, 0, 0
        for place in list(places.every(store)):
            if place.site != order.site:
                continue
            if lifecycle.runs(store.get(Experiment, place.experiment), place.attempt):
                self._tell_of_loss(place)
                left += 1
            elif self._is_over(place) and places.give_back(store, place):
                freed += 1
            else:
                left += 1
        self.nudge(FillPlaces())
        return {"freed": freed, "left": left}

    def _is_over(self, place: Place) -> bool:
        """Not of one that is just being claimed."""
        experiment = self.world.store.get(Experiment, place.experiment)
        return experiment is None or experiment.attempt != place.attempt or experiment.state in FINAL

    def _tell_of_loss(self, place: Place) -> None:
        self.world.bus.publish(
            WorkloadEnded(
                experiment=place.experiment,
                attempt=place.attempt,
                ended_at=self.world.now(),
                error=f"its site {place.site} was given up",
                lost=True,
            )
        )
