"""Random lives of replicas: they join, leave, die, sleep and wake, and who is awake agrees again within seconds."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from beagle.members import Members
from beagle.stores.sqlite import SqliteStore

SHARDS = [f"metrics.{n}" for n in range(8)]
KINDS = ("monitor", "launcher", "queue_manager")


@dataclass
class One:
    """`heard` is when it last turned; `phase` when within each second it does."""

    members: Members
    kind: str
    phase: float
    awake: bool = True
    heard: float = field(default=-1.0)


class MembersMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store = SqliteStore(Path(self.folder.name) / "beagle.sqlite")
        self.time = 0.0
        self.all: list[One] = []

    def turn(self, one: One) -> None:
        one.members.turn()
        one.heard = self.time

    def pass_seconds(self, seconds: int) -> None:
        start = self.time
        for second in range(seconds):
            for one in sorted((one for one in self.all if one.awake), key=lambda one: one.phase):
                self.time = start + second + one.phase
                self.turn(one)
        self.time = start + seconds

    @precondition(lambda self: len(self.all) < 8)
    @rule(kind=st.sampled_from(KINDS), phase=st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9]))
    def one_joins(self, kind: str, phase: float) -> None:
        site = "here" if kind == "launcher" else ""
        one = One(Members(self.store, kind, site, monotonic=lambda: self.time), kind, phase)
        self.all.append(one)
        self.turn(one)

    @precondition(lambda self: self.all)
    @rule(data=st.data())
    def one_leaves(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.all))
        if one.awake:
            self.all.remove(one)
            one.members.leave()

    @precondition(lambda self: self.all)
    @rule(data=st.data())
    def one_dies(self, data: st.DataObject) -> None:
        self.all.remove(data.draw(st.sampled_from(self.all)))

    @precondition(lambda self: self.all)
    @rule(data=st.data())
    def one_falls_asleep_or_wakes(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.all))
        one.awake = not one.awake

    @rule(seconds=st.sampled_from([1, 2, 4, 70]))
    def time_passes(self, seconds: int) -> None:
        self.pass_seconds(seconds)

    @invariant()
    def who_turned_lately_is_alive_to_who_looks(self) -> None:
        for one in self.all:
            assert one.members.lives(one.members.name), "it does not live to itself"
        for observer in self.all:
            if observer.heard < self.time - 1.0:
                continue
            for one in self.all:
                if observer.heard - 2.0 <= one.heard < observer.heard:
                    assert observer.members.lives(one.members.name), "it turned, and is taken for dead"

    def teardown(self) -> None:
        try:
            self.pass_seconds(5)
            awake = [one for one in self.all if one.awake]
            for kind in KINDS:
                peers = [one for one in awake if one.kind == kind]
                names = {one.members.name for one in peers}
                for observer in awake:
                    assert set(observer.members.living(kind)) == names, "they differ about who lives"
                found = sorted(shard for one in peers for shard in one.members.share(SHARDS))
                assert found == (SHARDS if peers else []), "a shard is nobody's, or two's"
                assert sum(one.members.mine("project") for one in peers) == bool(peers)
        finally:
            self.store.close()
            self.folder.cleanup()


TestMembers = MembersMachine.TestCase
TestMembers.settings = settings(max_examples=40, stateful_step_count=25)
