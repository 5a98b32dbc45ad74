"""The oracle says nothing of a faultless run, and finds each fault. So what it passes was looked at."""

from __future__ import annotations

from dataclasses import replace

import pytest

from beagle.experiment import State
from beagle.stores.sqlite import SqliteStore
from tests.chaos.oracle import Entry, Oracle, Verdict, verdict
from tests.contracts.records import experiment, metric

FAULTLESS = [replace(experiment(number, state=State.COMPLETED), ended_at=100.0) for number in (1, 2)]
FIRST, SECOND = (f"beagle-{each.id}-1" for each in FAULTLESS)
RAN = [
    Entry("start", FIRST, 10, script="say loss=1; wait 1"),
    Entry("say", FIRST, 10, text="loss=1\n"),
    Entry("end", FIRST, 11),
    Entry("start", SECOND, 12, script="wait 1"),
    Entry("end", SECOND, 13),
]
SAID = [replace(metric(0, experiment=FAULTLESS[0].id), values={"loss": 1.0})]


@pytest.fixture
def judge(tmp_path):
    """What the oracle says of a run of two experiments, one at a time."""
    stores = []

    def judged(entries=RAN, experiments=FAULTLESS, metrics=SAID, **more):
        stores.append(SqliteStore(tmp_path / f"{len(stores)}.sqlite"))
        stores[-1].add(experiments)
        stores[-1].append(metrics)
        return Oracle(entries, stores[-1], limit=1, sent=2, **more).violations()

    yield judged
    for store in stores:
        store.close()


def with_first(**fields):
    return [replace(FAULTLESS[0], **fields), FAULTLESS[1]]


def test_a_faultless_run_breaks_no_law(judge):
    assert judge() == []
    assert judge(quiet_since=60.0) == []


def test_one_that_was_never_queued_is_missed(judge):
    found = judge(experiments=FAULTLESS[:1])
    assert found == ["there are 1 experiments, and 2 were sent"]


def test_one_that_has_not_ended_is_found(judge):
    found = judge(experiments=with_first(state=State.POOL))
    assert "is pool at attempt 1 has not ended" in found[0]


def test_a_second_start_of_an_attempt_is_found(judge):
    assert judge([*RAN, replace(RAN[0], at=20), replace(RAN[2], at=21)]) == [f"{FIRST} was started 2 times"]


def test_two_attempts_of_one_experiment_at_once_are_found(judge):
    second = FIRST[:-1] + "2"
    entries = [RAN[0], RAN[1], replace(RAN[0], name=second), replace(RAN[2], name=second), *RAN[2:]]
    assert f"{[FIRST, second]} ran at once" in judge(entries)


def test_one_more_than_the_limit_for_an_instant_is_found(judge):
    entries = [*RAN[:2], RAN[3], RAN[2], RAN[4]]
    assert judge(entries) == [f"2 ran when {SECOND} started, and the limit is 1"]


def test_one_that_still_runs_is_found(judge):
    assert judge(RAN[:4]) == [f"{SECOND} still runs"]


def test_one_that_ended_otherwise_than_it_did_is_found(judge):
    (found,) = judge(experiments=with_first(state=State.FAILED))
    assert "is failed at attempt 1, and by its script" in found


def test_one_that_needed_more_attempts_than_it_should_is_found(judge):
    found = judge([*RAN, replace(RAN[0], name=FIRST[:-1] + "2", at=20), replace(RAN[2], name=FIRST[:-1] + "2", at=21)],
                  experiments=with_first(attempt=2))  # fmt: skip
    assert "is completed at attempt 2, and by its script" in found[0]


def test_one_that_ended_and_was_never_started_is_found(judge):
    assert "is completed at attempt 1 was never started" in judge(RAN[:3])[0]


def test_one_that_ended_long_after_the_last_fault_is_found(judge):
    found = judge(quiet_since=50.0)
    assert "only 50 s after the last fault" in found[0]


def test_a_timeout_before_its_time_is_found(judge):
    hanging = [replace(RAN[0], script="say loss=1; wait 60"), *RAN[1:]]
    assert judge(hanging, experiments=with_first(state=State.TIMEOUT, timeout=1.0)) == []
    (found,) = judge(hanging, experiments=with_first(state=State.TIMEOUT, timeout=1.5))
    assert "after 1.00 s of 1.5" in found


@pytest.mark.parametrize(
    "metrics",
    [[], [*SAID, replace(SAID[0], sequence=1)], [replace(SAID[0], values={"loss": 2.0})]],
    ids=["lost", "doubled", "changed"],
)
def test_metrics_that_are_not_those_that_were_said_are_found(judge, metrics):
    assert f"{FIRST} said" in judge(metrics=metrics)[0]


@pytest.mark.parametrize(
    ("script", "state", "attempt"),
    [
        ("wait 1", "completed", 1),
        ("exit 0", "completed", 1),
        ("exit 3", "failed", 2),
        ("exit-first 3; wait 1", "completed", 2),
        ("say loss=1 accuracy=0.89; wait 1", "completed", 1),
        ("say accuracy=0.9; exit 3", "accuracy_limit_reached", 1),
        ("say <EXPERIMENT_COMPLETED>; wait 60", "completed", 1),
        ("wait 3; wait 3; say accuracy=0.9", "timeout", 1),
        ("exit-first 3; wait 60", "timeout", 2),
    ],
)
def test_what_one_comes_to_follows_from_its_script(script, state, attempt):
    assert verdict(script, timeout=5.0, accuracy_limit=0.9, retries=1) == Verdict(state, attempt)


def test_what_an_outage_of_the_engine_cut_may_need_one_more_attempt_and_its_time_goes_on(judge):
    again = [
        *RAN[:3],
        Entry("start", FIRST[:-1] + "2", 11.5, script="say loss=1; wait 1"),
        Entry("end", FIRST[:-1] + "2", 11.8),
    ]
    assert "by its script" in judge(entries=again + RAN[3:], experiments=with_first(attempt=2))[0]
    assert judge(entries=again + RAN[3:], experiments=with_first(attempt=2), outages=[(10.9, 11.1)]) == []
    entries = [replace(RAN[0], script="say loss=1; wait 600"), *RAN[1:]]
    timed_out = with_first(state=State.TIMEOUT, timeout=5.0)
    assert "after 1.00 s of 5" in judge(entries=entries, experiments=timed_out)[0]
    assert judge(entries=entries, experiments=timed_out, outages=[(10.9, 11.1)]) == []
