"""Who does what, and who is taken for alive: by hashing, and by the observer's own clock."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beagle.members import DEAD_AFTER, FORGOTTEN_AFTER, Alone, Members, joining, shares, together, winner
from beagle.records import Member
from beagle.stores.sqlite import SqliteStore

SHARDS = [f"metrics.{n}" for n in range(8)]
names = st.sets(st.uuids().map(lambda u: f"monitor.host.{u.hex[:8]}"), min_size=1, max_size=9).map(sorted)


# Hashing -------------------------------------------------------------------------------------------------------------


@given(names)
def test_every_duty_is_one_members_and_no_two_differ_by_more_than_one(members):
    found = shares(SHARDS, members)
    assert set(found) == set(SHARDS)
    counted = [Counter(found.values())[member] for member in members]
    assert max(counted) - min(counted) <= 1


@given(names, st.randoms())
def test_the_order_of_the_members_changes_nothing(members, chance):
    shuffled = sorted(members, key=lambda _: chance.random())
    assert shares(SHARDS, members) == shares(SHARDS[::-1], shuffled)
    assert winner("p", members) == winner("p", shuffled)


@given(names, st.text(min_size=1, max_size=8))
def test_a_duty_moves_only_from_or_to_the_member_that_goes_or_comes(members, duty):
    for gone in members:
        before, after = winner(duty, members), winner(duty, [m for m in members if m != gone])
        assert before in {after, gone}


def test_many_duties_are_spread_like_lots():
    members = [f"heuristic.host.{n}" for n in range(4)]
    counted = Counter(winner(f"project {n}", members) for n in range(4000))
    assert min(counted.values()) > 850


def moved(before: list[str], after: list[str]) -> int:
    one, other = shares(SHARDS, before), shares(SHARDS, after)
    return sum(one[duty] != other[duty] for duty in SHARDS)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_a_member_that_joins_takes_its_share_and_few_others_move(count):
    """The share of the new one has to move; evenness costs a little more, measured over a hundred sets of names."""
    found = []
    for draw in range(100):
        members = [f"monitor.host.{draw}.{n}" for n in range(count + 1)]
        found.append(moved(members[:-1], members))
    least = len(SHARDS) // (count + 1)
    assert min(found) >= least
    assert sum(found) / 100 <= least + 2.0


def test_nobody_has_anything_when_nobody_lives():
    assert shares(SHARDS, []) == {}
    assert winner("queue_manager", []) is None


# Living --------------------------------------------------------------------------------------------------------------


class Hall:
    """Members over one store, and one clock for each."""

    def __init__(self, folder) -> None:
        self.store = SqliteStore(folder / "beagle.sqlite")
        self.time = 100.0

    def join(self, kind="monitor", site="") -> Members:
        member = Members(self.store, kind, site, monotonic=lambda: self.time)
        member.turn()
        return member

    def pass_by(self, seconds: float, *members: Members, step: float = 1.0) -> None:
        """Time passes; these turn in each second of it."""
        for _ in range(round(seconds / step)):
            self.time += step
            for member in members:
                member.turn()

    def ids(self) -> list[str]:
        return [member.id for member in self.store.page(Member, "all").records]


@pytest.fixture
def hall(tmp_path):
    hall = Hall(tmp_path)
    yield hall
    hall.store.close()


def test_members_see_each_other_within_a_turn(hall):
    one, other = hall.join(), hall.join()
    one.turn()
    assert set(one.living("monitor")) == set(other.living("monitor")) == {one.name, other.name}
    assert one.lives(other.name)


def test_one_that_says_nothing_for_three_seconds_is_dead(hall):
    one, other = hall.join(), hall.join()
    one.turn()
    hall.pass_by(2, one)
    assert one.lives(other.name)
    hall.pass_by(1, one)
    assert one.living("monitor") == [one.name]


def test_one_that_goes_in_order_is_gone_at_the_next_look(hall):
    one, other = hall.join(), hall.join()
    other.leave()
    one.turn()
    assert not one.lives(other.name)
    assert hall.ids() == [one.name]


def test_one_that_slept_lives_again_at_its_next_turn(hall):
    one, other = hall.join(), hall.join()
    hall.pass_by(5, one)
    other.turn()
    one.turn()
    assert one.lives(other.name)


def test_an_observer_that_slept_takes_nobody_for_dead_because_of_it(hall):
    one, other = hall.join(), hall.join()
    hall.pass_by(2, one, other)
    hall.time += 3600.0
    one.turn()
    assert one.lives(other.name)
    hall.pass_by(4, one)
    assert not one.lives(other.name)


def test_a_store_that_was_away_kills_nobody(hall, monkeypatch):
    one, other = hall.join(), hall.join()
    hall.time += 10.0
    other.turn()
    one.turn()
    assert one.lives(other.name)
    assert other.lives(one.name)


def test_one_that_died_long_ago_is_taken_for_alive_by_a_newcomer_for_some_seconds_only(hall):
    dead = hall.join()
    hall.time += 30.0
    late = hall.join()
    assert late.lives(dead.name)
    hall.pass_by(3, late)
    assert not late.lives(dead.name)


def test_who_is_long_dead_is_forgotten_by_anybody(hall):
    one, other, dead = hall.join(), hall.join("launcher", "here"), hall.join()
    hall.pass_by(FORGOTTEN_AFTER + 3, one, other)
    assert dead.name not in hall.ids()
    assert {one.name, other.name} == set(hall.ids())


def test_who_was_forgotten_and_wakes_is_back(hall):
    one, sleeper = hall.join(), hall.join()
    hall.pass_by(FORGOTTEN_AFTER + 3, one)
    sleeper.turn()
    one.turn()
    assert one.lives(sleeper.name)
    hall.pass_by(10, one, sleeper)
    assert one.lives(sleeper.name)


def test_a_renewal_whose_answer_was_lost_is_no_end(hall):
    one, other = hall.join(), hall.join()
    stored = hall.store.get(Member, one.name)
    hall.store.replace(stored, replace(stored, version=stored.version + 1))
    hall.pass_by(10, one, other)
    assert other.lives(one.name)


def test_a_member_with_nobody_else_lives_and_has_everything(hall):
    one = hall.join()
    hall.pass_by(10, one)
    assert one.share(SHARDS) == frozenset(SHARDS)
    assert one.mine("queue_manager")


def test_duties_are_shared_among_those_of_one_kind(hall):
    monitors = [hall.join(), hall.join(), hall.join("queue_manager")]
    for member in monitors:
        member.turn()
    one, other, manager = (member.share(SHARDS) for member in monitors)
    assert one | other == set(SHARDS) == manager
    assert len(one) == len(other) == 4


def test_launchers_share_only_what_is_their_sites(hall):
    join = joining(hall.store)
    here, there, beside = join("launcher", "here"), join("launcher", "there"), join("launcher", "here")
    for member in (here, there, beside, here, there):
        member.turn()
    assert there.mine("anything")
    assert here.mine("anything") is not beside.mine("anything")
    assert here.sites() == ["here", "there"]
    assert set(there.living("launcher", "here")) == {here.name, beside.name}
    assert set(there.living("launcher")) == {here.name, beside.name, there.name}


def test_the_names_of_two_replicas_differ_and_begin_with_their_kind(hall):
    one, other = hall.join(), hall.join()
    assert one.name != other.name
    assert one.name.startswith("monitor.")


def test_one_that_is_alone_has_all_and_writes_nothing(hall):
    alone = Alone("launcher", "local")
    alone.turn()
    alone.leave()
    assert alone.share(SHARDS) == frozenset(SHARDS)
    assert alone.mine("anything")
    assert alone.sites() == ["local"]
    assert alone.living("monitor") == ["monitor.local"]
    assert alone.living("launcher", "elsewhere") == []
    assert alone.lives(alone.name)
    assert not alone.lives("launcher.elsewhere")
    assert hall.ids() == []


def test_in_one_process_actors_know_what_keeps_the_launcher():
    join = together()
    launcher, gateway, elsewhere = join("launcher", "here"), join("gateway", "here"), together()("gateway", "here")
    assert gateway.troubles("here") == []
    launcher.trouble = "no broker"
    assert (gateway.troubles("here"), gateway.troubles("there"), elsewhere.troubles("here")) == (["no broker"], [], [])
    assert (launcher.trouble, gateway.trouble) == ("no broker", "")
    launcher.trouble = ""
    assert gateway.troubles("here") == []


def test_what_keeps_a_launcher_is_known_to_all_within_a_turn(hall):
    launcher, gateway = hall.join("launcher", "here"), hall.join("gateway")
    launcher.trouble = "no broker"
    launcher.turn()
    gateway.turn()
    assert gateway.troubles("here") == ["no broker"]
    assert gateway.troubles("there") == []
    launcher.trouble = ""
    launcher.turn()
    gateway.turn()
    assert gateway.troubles("here") == []


def test_one_that_slept_for_longer_than_a_life_is_told_so_once(hall):
    one = hall.join()
    hall.time += DEAD_AFTER + 1
    assert not one.turn()
    hall.time += 1
    assert one.turn()
