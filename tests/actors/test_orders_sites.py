"""A site that never returns is given up by an order, and only by one; and what happens if it returns after all."""

from __future__ import annotations

import pytest

from actors.gateway import Gateway
from beagle import places
from beagle.commands import ForgetSite
from beagle.errors import Refused
from beagle.message import Answer
from beagle.records import Place
from beagle.template import workload_name
from tests.actors.test_scaling_launchers import alive, assert_all_over, cast, launchers
from tests.actors.troupe import SITES, Troupe
from tests.journeys.beagle_run import eventually

OTHER = "d" * 24


def give_up(troupe: Troupe, site: str = "there") -> Answer:
    gateway = next(replica for replica in troupe.replicas if replica.kind == "gateway").actor
    return Gateway.handles[ForgetSite](gateway, ForgetSite(site=site)) or {}


def held_there(troupe: Troupe) -> list[Place]:
    return [place for place in troupe.held() if place.site == "there"]


@pytest.fixture
def half_gone(troupe):
    """One experiment runs at each site, and the launchers of one of them are gone."""
    cast(troupe, here=1, there=1)
    troupe.submit(2, limit=2)
    troupe.join("gateway")
    eventually(lambda: alive(troupe) == 2)
    eventually(lambda: all(e and e.launched_at for e in troupe.experiments(2)))
    launchers(troupe, "there")[0].kill()
    # The queue manager too: until it knows, it may send there what was lost there.
    living = [replica.actor for replica in troupe.replicas if not replica.life.over]
    eventually(lambda: all(actor.membership.sites() == ["here"] for actor in living))
    return troupe


def moved(troupe: Troupe) -> str:
    """The name of what runs again here, once it does."""
    (place,) = held_there(troupe)
    assert give_up(troupe) == {"freed": 0, "left": 1}
    eventually(lambda: give_up(troupe)["left"] == 0)
    name = workload_name(place.experiment, 2)
    eventually(lambda: name in troupe.engines["here"].alive, seconds=15)
    return name


def test_what_ran_at_a_site_that_is_given_up_is_lost_and_its_place_comes_back(half_gone):
    name = moved(half_gone)
    assert held_there(half_gone) == []
    number = next(e.number for e in half_gone.experiments(2) if e and workload_name(e.id, 2) == name)
    experiment = half_gone.experiment(number)
    assert (experiment.attempt, experiment.retried) == (2, {"lost": 1})
    assert experiment.site == "here"


def test_a_site_that_is_given_up_and_returns_ends_what_it_finds(half_gone):
    moved(half_gone)
    assert half_gone.engines["there"].alive  # this is the danger
    half_gone.join("launcher", "there")
    eventually(lambda: not half_gone.engines["there"].alive)
    for site in SITES:
        for name in sorted(half_gone.engines[site].alive):
            half_gone.engines[site].end(name)
    assert_all_over(half_gone, 2, limit=3)


def test_a_site_whose_launcher_lives_is_not_given_up(half_gone):
    before = half_gone.held()
    with pytest.raises(Refused, match=r"launcher.* lives, and serves here: it knows what runs there; end it first"):
        give_up(half_gone, "here")
    assert half_gone.held() == before
    assert {experiment.attempt for experiment in half_gone.experiments(2) if experiment} == {1}


def test_a_place_there_that_is_being_claimed_is_left_to_its_claimer(half_gone):
    """A queue manager took it, and sleeps before the experiment is in the pool: another one repairs that."""
    next(replica for replica in half_gone.replicas if replica.kind == "queue_manager").kill()
    half_gone.submit(1, identity=OTHER)
    eventually(lambda: half_gone.states(1, OTHER) == {"queue"})
    waiting = half_gone.experiment(1, OTHER)
    assert places.take(half_gone.store, places.free(half_gone.store, 1)[0], waiting, "there", 1.0)
    eventually(lambda: give_up(half_gone) == {"freed": 0, "left": 1})
    assert [held.experiment for held in held_there(half_gone)] == [waiting.id]
