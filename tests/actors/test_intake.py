"""Metrics that experiments send to the gateway: told at once what is wrong with them, and stored when it returns."""

from __future__ import annotations

import json

import pytest

from actors.intake import Intake
from beagle import deployment
from beagle.bucket import Allowance
from beagle.errors import InvalidInput, NotFound, Refused
from beagle.experiment import Failed, Failure, Paused, State
from beagle.records import Summary
from beagle.sent_metrics import Sent, SentName, TooFast
from tests.actors.bench import ID, Bench


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    yield bench
    bench.close()


@pytest.fixture
def intake(bench) -> Intake:
    return Intake(bench.store, bench.bus, Allowance())


def sent(body, attempt=1, **names) -> Sent:
    whole = body if isinstance(body, bytes) else body.encode()
    return Sent(experiment=ID, attempt=attempt, body=whole, name=SentName(**names))


@pytest.mark.parametrize(
    ("body", "values"),
    [
        ("accuracy=0.5", [{"accuracy": 0.5}]),
        ('{"accuracy": 0.5, "phase": "train"}', [{"accuracy": 0.5}]),
        ('{"type": "metrics", "metrics": {"accuarcy": 0.5}}', [{"accuracy": 0.5}]),
        ('{\n  "accuracy": 0.5,\n  "cost": 1\n}\n', [{"accuracy": 0.5, "cost": 1}]),
        ('[{"cost": 1}, {"cost": 2}]', [{"cost": 1}, {"cost": 2}]),
        ('{"cost": 1}\n{"cost": 2}\n', [{"cost": 1}, {"cost": 2}]),
        ("loading\ncost=1\n\nsaved\ncost=2\n", [{"cost": 1}, {"cost": 2}]),
        (
            "7\t25.3\t100\t1.9\t0.61",
            [{"time": 7, "experimentTime": 25.3, "batches": 100, "cost": 1.9, "accuracy": 0.61}],
        ),
    ],
)
def test_every_form_is_stored_by_the_time_it_returns(bench, intake, body, values):
    taken = intake.take(sent(body))
    assert (taken.experiment, taken.attempt, taken.reports, taken.refusals) == (ID, 1, len(values), ())
    assert bench.stored() == values


def test_the_same_report_again_is_stored_once_whether_named_beside_it_or_in_it(bench, intake):
    for _ in range(2):
        intake.take(sent("cost=1", source="main", sequence=0))
        intake.take(sent('{"source": "main", "sequence": 1, "cost": 2}'))
        intake.take(sent("cost=3\ncost=4", source="main", sequence=2))
        intake.take(sent("cost=5", identity="5"))
    assert [values["cost"] for values in bench.stored()] == [1, 2, 3, 4, 5]
    assert all(set(values) == {"cost"} for values in bench.stored())


def test_without_a_name_the_same_words_are_another_report(bench, intake):
    intake.take(sent("cost=1"))
    intake.take(sent("cost=1"))
    assert bench.stored() == [{"cost": 1}] * 2


def test_what_is_no_metric_is_told_and_the_rest_counts(bench, intake):
    taken = intake.take(sent("cost=1 loss=nan"))
    assert (taken.reports, taken.refusals) == (1, ("loss is NaN, which is no metric",))
    assert bench.stored() == [{"cost": 1}]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("hello", 'the body says no metric: "hello"; send such as accuracy=0.93'),
        ("", 'the body says no metric: ""; send such as accuracy=0.93'),
        ("[1, 2]", 'the body says no metric: "[1, 2]"; send such as accuracy=0.93'),
        (b"\xff", "the body is no text (UTF-8): its byte 0 does not belong there"),
        ('{"cost": 1, "source": "\\ud800", "sequence": 1}', "source: must be at most 200 characters that print"),
        ('{"cost": 1, "source": "a", "sequence": 1e300}', f"sequence: must be a whole number from 0 to {1 << 53}"),
        ('{"cost": 1, "source": "a", "sequence": 0.5}', f"sequence: must be a whole number from 0 to {1 << 53}"),
        ("cost=1\n" * 1001, "these are 1001 reports; send at most 1000 in one call"),
    ],
)
def test_a_body_without_a_report_is_refused_with_a_sentence_and_not_kept(bench, intake, body, sentence):
    with pytest.raises(InvalidInput) as refused:
        intake.take(sent(body))
    assert str(refused.value) == sentence
    assert bench.stored() == []


def test_the_limit_and_the_end_are_judged_as_from_anywhere_else(bench, intake):
    bench.launched()
    intake.take(sent("accuracy=0.95"))
    assert bench.state() == State.ACCURACY_LIMIT_REACHED


def test_the_word_of_the_experiment_ends_it(bench, intake):
    bench.launched()
    intake.take(sent("<EXPERIMENT_COMPLETED>"))
    assert bench.state() == State.COMPLETED


def test_what_came_before_its_launch_was_told_counts_too(bench, intake):
    intake.take(sent("accuracy=0.5"))
    bench.launched(fresh=True)
    intake.take(sent("accuracy=0.6"))
    bench.end(0)
    bench.wait("completed")
    assert bench.store.get(Summary, ID).count == 2


def test_what_an_older_attempt_says_is_its_own_and_changes_no_state(bench, intake):
    bench.advance(Paused("paused"))
    with pytest.raises(Refused, match="attempt 2 of pmodel1 has not begun"):
        intake.take(sent("accuracy=0.95", attempt=2))
    bench.run()
    intake.take(sent("accuracy=0.95", attempt=1))
    assert (bench.stored(1), bench.stored(2)) == ([{"accuracy": 0.95}], [])
    assert bench.state() == State.POOL
    assert intake.take(sent("accuracy=0.5", attempt=None)).attempt == 2


def test_what_comes_after_the_end_is_stored_and_changes_nothing(bench, intake):
    bench.launched()
    bench.advance(Failed("exit status 1", Failure.EXIT, 1))
    intake.take(sent("accuracy=0.95"))
    assert (bench.stored(), bench.state()) == ([{"accuracy": 0.95}], State.FAILED)


@pytest.mark.parametrize("experiment", ["0" * 24, "no-id", ""])
def test_an_experiment_that_is_not_there_is_not_found(intake, experiment):
    with pytest.raises(NotFound, match="no experiment has the id"):
        intake.take(Sent(experiment=experiment, attempt=1, body=b"cost=1"))


def test_an_attempt_that_there_never_was_is_not_found(intake):
    with pytest.raises(NotFound, match="has no attempt 7; it has had 1"):
        intake.take(sent("cost=1", attempt=7))


def test_a_flood_is_told_to_slow_down_but_what_ends_the_experiment_is_taken(bench):
    slow = Intake(bench.store, bench.bus, Allowance(rate=1, burst=3))
    bench.launched()
    for cost in range(3):
        slow.take(sent(f"cost={cost}"))
    with pytest.raises(TooFast, match="more than 1 reports came in a second; send the rest a second later"):
        slow.take(sent("cost=3"))
    slow.take(sent("accuracy=0.95"))
    assert bench.state() == State.ACCURACY_LIMIT_REACHED


def test_the_token_of_an_attempt_proves_that_attempt_and_no_other(bench, intake):
    made = deployment.load(bench.store)
    first = deployment.attempt_token(made, ID, 1)
    assert intake.proves(first, ID, 1)
    assert intake.proves(first, ID, None)
    assert not intake.proves(first, ID, 2)
    assert not intake.proves(first, "0" * 24, 1)
    assert not intake.proves(first, "0" * 24, None)
    assert not intake.proves("größer", ID, 1)
    assert not intake.proves(deployment.attempt_token(made, ID, 2), ID, None)


def test_numbers_of_any_length_hurt_nothing(bench, intake):
    taken = intake.take(sent(json.dumps({"cost": 1})[:-1] + ', "big": 1' + "0" * 5000 + "}"))
    assert taken.refusals == ("big is infinite, which is no metric",)
    assert bench.stored() == [{"cost": 1}]
