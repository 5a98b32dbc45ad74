"""One launcher and what fails at its orchestrator: a place is free when nothing of its attempt runs or can run."""

from __future__ import annotations

from beagle.errors import LaunchFailed
from beagle.template import workload_name
from tests.actors.troupe import Troupe
from tests.journeys.beagle_run import eventually


def fail_to_start(troupe: Troupe, times: int) -> list[str]:
    """The engine refuses so many starts; the names that were tried."""
    tried: list[str] = []
    engine = troupe.engines["here"]
    run = engine.run

    def refuse(name: str) -> None:
        tried.append(name)
        if len(tried) <= times:
            engine.listed.discard(name)
            raise LaunchFailed("the image is not there yet")
        run(name)

    engine.run = refuse  # type: ignore[method-assign]
    return tried


def test_what_could_not_be_launched_is_not_tried_again_before_its_monitor_has_judged_it(troupe):
    """It might come up then, while what ends it is on its way: its place would come back, and it would run on."""
    tried = fail_to_start(troupe, 1)
    launcher = troupe.join("launcher")
    for kind in ("heuristic", "queue_manager"):
        troupe.join(kind)
    troupe.submit(1, limit=1)
    eventually(lambda: tried)
    looks = launcher.actor._looks
    eventually(lambda: launcher.actor._looks > looks + 3)
    experiment = troupe.experiment()
    assert tried == [workload_name(experiment.id, 1)]
    troupe.join("monitor")
    eventually(lambda: troupe.engines["here"].alive == {workload_name(experiment.id, 2)}, seconds=15)
    assert troupe.engines["here"].most == 1


def test_what_was_lost_cannot_be_started_any_more(troupe):
    """By a launcher that slept with it in its hands."""
    for kind in ("launcher", "monitor", "heuristic", "queue_manager"):
        troupe.join(kind)
    troupe.submit(1, limit=1)
    engine = troupe.engines["here"]
    eventually(lambda: engine.alive and troupe.experiment().launched_at)
    name = workload_name(troupe.experiment().id, 1)
    troupe.replicas[0].kill()
    engine.vanish(name)
    troupe.join("launcher")
    eventually(lambda: troupe.experiment().attempt == 2, seconds=15)
    eventually(lambda: name in engine.stopped)
    eventually(lambda: [place.attempt for place in troupe.held()] == [2], seconds=15)
