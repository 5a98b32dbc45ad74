"""The summary of an attempt is that of its stored metrics, whoever else kept it meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.account import Account
from beagle.metrics import fold
from beagle.records import Metric, Summary
from beagle.stores.sqlite import SqliteStore
from tests.contracts.records import experiment, metric, plan

NUMBER = iter(range(1, 10**9))
DEFINITION = replace(plan().definition, objective="accuracy", direction="max", summary="last")
TIMED = replace(DEFINITION, objective="experimentTime")


class Keeper:
    """One monitor's account, and how it takes a report."""

    def __init__(self, store: SqliteStore, number: int, attempt: int = 1, definition=DEFINITION) -> None:
        self.store, self.experiment, self.attempt = store, experiment(number), attempt
        self.account = Account(store, self.experiment, attempt, definition)
        self.account.read()

    def take(self, sequence: int, accuracy: float) -> None:
        report = replace(
            metric(sequence, experiment=self.experiment.id, attempt=self.attempt), values={"accuracy": accuracy}
        )
        if self.store.append([report]) == [True]:
            self.account.fold(report.values, ())
        else:
            self.account.doubt()

    def stored(self) -> Summary | None:
        return self.store.get(Summary, self.experiment.id)

    def metrics(self) -> list[Metric]:
        return self.store.metrics(self.experiment.id, self.attempt).records


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Iterator[SqliteStore]:
    path: Path = tmp_path_factory.mktemp("account") / "beagle.sqlite"
    opened = SqliteStore(path)
    yield opened
    opened.close()


steps = st.lists(
    st.tuples(st.integers(0, 1), st.one_of(st.none(), st.tuples(st.integers(0, 6), st.floats(0, 1)))), max_size=20
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_two_who_keep_it_at_once_end_with_the_summary_of_all_that_is_stored(store, found):
    number = next(NUMBER)
    both = [Keeper(store, number), Keeper(store, number)]
    for who, report in found:
        if report is None:
            both[who].account.save()
        else:
            both[who].take(*report)
    for keeper in both:
        keeper.account.save()
    expected = Summary(id=both[0].experiment.id, project=both[0].experiment.project, attempt=1, tie=-number)
    for each in both[0].metrics():
        expected = fold(expected, DEFINITION, each.values, each.refusals)
    stored = both[0].stored()
    if stored is None:
        assert expected.count == 0
    else:
        assert replace(stored, version=0) == expected


def test_one_who_is_alone_writes_once_for_each_save_and_reads_nothing_again(store, monkeypatch):
    keeper = Keeper(store, next(NUMBER))
    monkeypatch.setattr(store, "metrics", None)
    for sequence in range(3):
        keeper.take(sequence, 0.5)
        keeper.account.save()
        keeper.account.save()
    stored = keeper.stored()
    assert stored is not None
    assert (stored.version, stored.count) == (2, 3)


def test_without_doubt_about_a_repeat_what_the_other_stored_is_missing(store, monkeypatch):
    """The control: the other one stored a metric, and died before it could save or acknowledge."""

    def after_a_takeover() -> int:
        number = next(NUMBER)
        mine, other = Keeper(store, number), Keeper(store, number)
        other.take(1, 0.9)
        mine.take(1, 0.9)
        mine.take(2, 0.1)
        mine.account.save()
        stored = mine.stored()
        assert stored is not None
        return stored.count

    assert after_a_takeover() == 2
    monkeypatch.setattr(Account, "doubt", lambda _: None)
    assert after_a_takeover() == 1


def test_without_a_look_at_the_version_an_older_summary_would_win(store, monkeypatch):
    def after_a_sleep() -> int:
        number = next(NUMBER)
        asleep, awake = Keeper(store, number), Keeper(store, number)
        asleep.take(1, 0.1)
        asleep.account.save()
        awake.account.read()
        for sequence in range(2, 5):
            awake.take(sequence, 0.5)
        awake.account.save()
        asleep.take(5, 0.2)
        asleep.account.save()
        stored = asleep.stored()
        assert stored is not None
        return stored.count

    def write_over(account: Account) -> bool:
        stored = account.store.get(Summary, account.summary.id)
        if stored is None:
            return account.store.add([account.summary]) == [True]
        return account.store.replace(stored, replace(account.summary, version=stored.version + 1))

    assert after_a_sleep() == 5
    monkeypatch.setattr(Account, "_write", write_over)
    assert after_a_sleep() == 2


def test_a_later_attempts_summary_is_left_alone(store):
    number = next(NUMBER)
    first, second = Keeper(store, number), Keeper(store, number, attempt=2)
    first.take(1, 0.1)
    first.account.save()
    second.take(1, 0.7)
    second.account.save()
    first.take(2, 0.9)
    first.account.save()
    stored = second.stored()
    assert stored is not None
    assert (stored.attempt, stored.objective) == (2, 0.7)


def test_an_objective_that_came_with_the_end_survives_another_writer(store):
    number = next(NUMBER)
    mine, other = Keeper(store, number, definition=TIMED), Keeper(store, number, definition=TIMED)
    other.take(1, 0.5)
    other.account.save()
    mine.take(2, 0.5)
    mine.account.close(12.5)
    mine.account.save()
    other.take(3, 0.5)
    other.account.save()
    stored = mine.stored()
    assert stored is not None
    assert (stored.objective, stored.count) == (12.5, 3)
