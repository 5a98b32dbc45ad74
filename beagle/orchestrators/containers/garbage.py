"""Removes what is left of ended workloads at the engine when it was kept for long enough; nothing without our label."""

from __future__ import annotations

import logging
import time

from beagle.errors import BeagleError
from beagle.orchestrators.containers import labels, marks
from beagle.orchestrators.containers.engine import Engine, Facts
from beagle.orchestrators.containers.later import Later

log = logging.getLogger(__name__)
EVERY = 30.0
# So many ended workloads are kept at most, whatever their age: an engine lists them all each time it is asked.
MOST = 1000


class Garbage:
    """The oldest go first. Outputs and checkpoints stay: they are the user's."""

    def __init__(self, engine: Engine, later: Later, system: str, keep: float) -> None:
        self._engine, self._later, self._system, self._keep = engine, later, system, keep

    def begin(self, every: float = EVERY) -> None:
        def turn() -> None:
            try:
                self.sweep(time.time())
            except BeagleError as error:
                log.info("what is left of ended workloads is looked for again later: %s", error)
            self._later.do(turn, after=every)

        self._later.do(turn, after=min(every, self._keep))

    def sweep(self, now: float) -> None:
        """One engine serves several launchers: what another has removed meanwhile is fine."""
        there = self._there()
        ages = {name: _age(mark, now) for name, mark in marks.cleaned(self._engine, self._system).items()}
        for name in self._old(ages):
            # One of too many is younger than what forgets it: it must not run again.
            marks.forbid(self._engine, self._system, name)
            for container in there.get(name, []):
                self._engine.remove(str(container["Id"]))
        # Looked at anew: marks stay for as long as what they speak of.
        there = self._there()
        for volume in self._engine.volumes({labels.SYSTEM: self._system}):
            name = volume["Labels"].get(labels.WORKLOAD)
            if name is not None and name not in there and _age(volume, now) > self._keep:
                self._engine.remove_volume(str(volume["Name"]))
        for network in self._engine.networks({labels.SYSTEM: self._system}):
            if network["Labels"].get(labels.WORKLOAD) not in there and now - labels.moment(network["Created"]) > EVERY:
                self._engine.remove_network(str(network["Id"]))

    def _there(self) -> dict[str, list[Facts]]:
        """By their workload: claims too, which are all that there is while images are pulled."""
        found: dict[str, list[Facts]] = {}
        for container in self._engine.containers({labels.SYSTEM: self._system}):
            found.setdefault(labels.of(container).get(labels.WORKLOAD, ""), []).append(container)
        return found

    def _old(self, ages: dict[str, float]) -> list[str]:
        youngest_first = sorted(ages, key=lambda name: ages[name])
        return [name for rank, name in enumerate(youngest_first) if ages[name] > self._keep or rank >= MOST]


def _age(volume: Facts, now: float) -> float:
    return now - labels.moment(volume["CreatedAt"])
