"""Why an experiment is in its state: one sentence, the same wherever it is asked for."""

from __future__ import annotations

from dataclasses import dataclass

from beagle import places, system
from beagle.experiment import Experiment, State
from beagle.members import Membership
from beagle.ports import Store
from beagle.records import Project, ProjectState


@dataclass(frozen=True, slots=True)
class Why:
    """Computed for what waits or runs, stored for what has ended."""

    store: Store
    members: Membership
    now: float

    def of(self, experiment: Experiment, project: Project) -> str:
        match experiment.state:
            case State.QUEUE:
                again = f"attempt {experiment.attempt}, because {experiment.reason}; " if experiment.reason else ""
                return again + self._waiting(experiment, project)
            case State.POOL if experiment.launched_at is None:
                return f"it has place {experiment.place} and is being launched{self._troubled(experiment)}"
            case State.POOL:
                return self._running(experiment) + self._unheard(experiment)
            case _:
                return experiment.reason or f"it is {experiment.state}"

    def _waiting(self, experiment: Experiment, project: Project) -> str:
        current = system.load(self.store)
        if project.state is not ProjectState.RUNNING:
            return f"its project is {project.state}{project.reason and f': {project.reason}'}"
        if not current.running:
            return f"the system is paused; `beagle {'run' if self.members.alone else 'start'}` starts it"
        for place in places.held_by(self.store, experiment.id):
            away = "" if self.members.living("launcher", place.site) else f" at {place.site}, whose launchers are away"
            return f"attempt {place.attempt} is still being stopped{away}"
        for kind, does in (("queue_manager", "says what runs next"), ("launcher", "could start it")):
            if not self.members.living(kind):
                return (
                    f"no {kind.replace('_', ' ')} lives that {does}: `beagle actor {kind.replace('_', '-')}` starts one"
                )
        return f"limit {places.count_held(self.store)} of {current.limit}, {self._line(experiment)}"

    def _line(self, experiment: Experiment) -> str:
        alone = self.store.page(Project, "state", (ProjectState.RUNNING,), limit=2).next is None
        before = self.store.rank_of(experiment, "queue" if alone else "state", most=1000)
        return "over 1000 before it" if before >= 1000 else f"{_ordinal(before + 1)} in line"

    def _running(self, experiment: Experiment) -> str:
        ran = max(0.0, self.now - (experiment.launched_at or self.now))
        left = "" if experiment.timeout is None else f", at most {max(0.0, experiment.timeout - ran):.0f} s more"
        return f"it has run for {ran:.0f} s on {experiment.site} in place {experiment.place}{left}"

    def _troubled(self, experiment: Experiment) -> str:
        troubles = self.members.troubles(experiment.site)
        return f"; its launcher waits: {troubles[0]}" if troubles else self._unheard(experiment)

    def _unheard(self, experiment: Experiment) -> str:
        """What is missing to see how it goes on, if anything is."""
        if experiment.site and not self.members.living("launcher", experiment.site):
            return f"; the launchers of {experiment.site} are away, and it is seen to when one returns"
        if not self.members.living("monitor"):
            return "; no monitor lives, so its metrics wait and no limit or deadline is watched"
        return ""


def _ordinal(number: int) -> str:
    words = {1: "first", 2: "second", 3: "third"}
    if number in words:
        return words[number]
    suffix = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"
