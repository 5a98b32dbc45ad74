"""Random commands against a store and a model of it in memory: they answer alike, whatever the order."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from beagle.experiment import Experiment, State
from beagle.ports import Store
from beagle.records import Metric
from tests.contracts.records import experiment, metric, walk

PROJECTS = ("a" * 24, "b" * 24)
projects = st.sampled_from(PROJECTS)
states = st.sampled_from([State.QUEUE, State.POOL, State.FAILED])
ranks = st.integers(-3, 3) | st.sampled_from([-(2**62), 2**62])
batches = st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["out", "err"]), st.integers(0, 9)), max_size=6)


class StoreMachine(RuleBasedStateMachine):
    """`model` and `reported` are what the store should hold. What it is kept in goes with the machine."""

    seen = Bundle("seen")

    def __init__(self, fresh: Callable[[], AbstractContextManager[Callable[[], Store]]]) -> None:
        super().__init__()
        self.life = ExitStack()
        self.open = self.life.enter_context(fresh())
        self.store = self.open()
        self.model: dict[str, Experiment] = {}
        self.reported: list[Metric] = []

    @rule(target=seen, number=st.integers(1, 8), project=projects, state=states, rank=ranks)
    def add(self, number: int, project: str, state: State, rank: int) -> Experiment:
        record = experiment(number, project=project, state=state, rank=rank)
        assert self.store.add([record, record]) == [record.id not in self.model, False]
        return self.model.setdefault(record.id, record)

    @rule(target=seen, before=seen, state=states, rank=ranks)
    def replace(self, before: Experiment, state: State, rank: int) -> Experiment:
        # `before` is any version that was ever seen: most are stale.
        after = replace(before, version=before.version + 1, state=state, rank=rank)
        stored = self.model.get(before.id)
        wins = stored is not None and stored.version == before.version
        assert self.store.replace(before, after) is wins
        if wins:
            self.model[after.id] = after
        return self.model.get(before.id, before)

    @rule(records=st.lists(seen, max_size=3))
    def remove(self, records: list[Experiment]) -> None:
        self.store.remove(Experiment, [record.id for record in records])
        for record in records:
            self.model.pop(record.id, None)

    @rule(batch=batches)
    def append(self, batch: list[tuple[int, str, int]]) -> None:
        known = {(each.attempt, each.source, each.sequence) for each in self.reported}
        metrics, new = [], []
        for attempt, source, sequence in batch:
            metrics.append(metric(sequence, attempt=attempt, source=source))
            new.append((attempt, source, sequence) not in known)
            known.add((attempt, source, sequence))
        assert self.store.append(metrics) == new
        self.reported += [each for each, is_new in zip(metrics, new, strict=True) if is_new]

    @rule()
    def repair(self) -> None:
        self.store.repair()

    @rule()
    def open_again(self) -> None:
        self.store.close()
        self.store = self.open()

    @rule(project=projects, state=states, limit=st.integers(1, 4), descending=st.booleans())
    def page(self, project: str, state: State, limit: int, descending: bool) -> None:
        found = walk(
            lambda **more: self.store.page(Experiment, "queue", (project, state), descending=descending, **more),
            limit=limit,
        )
        expected = [each for each in self.model.values() if (each.project, each.state) == (project, state)]
        assert found == sorted(expected, key=lambda each: (each.rank, each.id), reverse=descending)

    @rule(project=projects, limit=st.integers(1, 4), descending=st.booleans())
    def page_of_ended(self, project: str, limit: int, descending: bool) -> None:
        found = walk(
            lambda **more: self.store.page(Experiment, "ended", (project,), descending=descending, **more), limit=limit
        )
        expected = [each for each in self.model.values() if each.project == project and each.ended_at is not None]
        assert found == sorted(expected, key=lambda each: (each.ended_at, each.id), reverse=descending)

    @rule(record=seen, most=st.integers(1, 4))
    def rank_of(self, record: Experiment, most: int) -> None:
        before = [
            each
            for each in self.model.values()
            if (each.project, each.state) == (record.project, record.state)
            and (each.rank, each.id) < (record.rank, record.id)
        ]
        assert self.store.rank_of(record, "queue", most=most) == min(most, len(before))

    @rule(attempt=st.integers(0, 2), limit=st.integers(1, 4))
    def metrics(self, attempt: int, limit: int) -> None:
        found = walk(lambda **more: self.store.metrics("e" * 24, attempt, **more), limit=limit)
        assert found == [each for each in self.reported if each.attempt == attempt]

    @rule(record=seen)
    def get(self, record: Experiment) -> None:
        assert self.store.get(Experiment, record.id) == self.model.get(record.id)

    @invariant()
    def counts_are_exact(self) -> None:
        for project in (None, *PROJECTS):
            shown = [each.state for each in self.model.values() if project in (None, each.project)]
            assert self.store.counts(project) == {state: shown.count(state) for state in State}

    def teardown(self) -> None:
        self.store.close()
        self.life.close()


def test_a_store_answers_as_its_model_does(fresh):
    run_state_machine_as_test(lambda: StoreMachine(fresh), settings=settings(max_examples=30, stateful_step_count=40))
