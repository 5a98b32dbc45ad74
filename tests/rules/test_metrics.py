"""What metrics and endings mean: the summary, the objective, the limit, and the event after an exit."""

import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beagle.experiment import AccuracyReached, Completed, Experiment, Failed, Failure, Retried
from beagle.messages import WorkloadEnded
from beagle.metrics import MOST_NAMES, after_exit, at_end, crossing, fold
from beagle.project import Definition
from beagle.records import Summary

ID = "0123456789abcdef01234567"
EMPTY = Summary(id=ID, project=ID, attempt=1)
REPORTS = st.lists(st.dictionaries(st.sampled_from("abc"), st.floats(-9, 9)))
ORDERS = REPORTS.flatmap(lambda reports: st.tuples(st.just(reports), st.permutations(reports)))


def definition(**fields) -> Definition:
    return Definition(name="digits", template="t.yml", parameters=(), **fields)


def experiment(**fields) -> Experiment:
    return Experiment(
        id=ID, project=ID, number=1, name="digits 1", parameters={}, order=1, rank=1, created_at=0.0, **fields
    )


def ended(**fields) -> WorkloadEnded:
    return WorkloadEnded(experiment=ID, attempt=1, ended_at=9.0, **fields)


def folded(reports, **fields) -> Summary:
    summary = EMPTY
    for values in reports:
        summary = fold(summary, definition(**fields), values)
    return summary


def test_a_summary_has_the_last_lowest_and_highest_value_of_each_name():
    summary = folded([{"cost": 3.0, "accuracy": 0.5}, {"cost": 1.0}, {"cost": 2.0}])
    assert summary.last == {"cost": 2.0, "accuracy": 0.5}
    assert summary.lowest == {"cost": 1.0, "accuracy": 0.5}
    assert summary.highest == {"cost": 3.0, "accuracy": 0.5}
    assert (summary.count, summary.refused, summary.version) == (3, 0, 0)


@given(ORDERS)
def test_the_order_of_reports_matters_for_the_last_values_only(orders):
    one, other = (folded(reports) for reports in orders)
    assert (one.lowest, one.highest, one.count) == (other.lowest, other.highest, other.count)


@pytest.mark.parametrize(
    ("fields", "objective"),
    [
        ({}, 0.7),
        ({"summary": "best"}, 0.9),
        ({"summary": "best", "direction": "min"}, 0.5),
        ({"direction": "min"}, 0.7),
        ({"objective": "cost"}, 4.0),
        ({"objective": "experiment_time"}, 8.0),
        ({"objective": "recall"}, None),
    ],
)
def test_the_objective_is_as_the_definition_says(fields, objective):
    reports = [{"accuracy": 0.5}, {"accuracy": 0.9, "cost": 4.0, "experimentTime": 8.0}, {"accuracy": 0.7}]
    assert folded(reports, **fields).objective == objective


def test_refused_values_are_counted_with_the_last_sentence():
    summary = fold(fold(EMPTY, definition(), {}, ["a is NaN", "b is NaN"]), definition(), {"accuracy": 0.5})
    assert (summary.refused, summary.refusal, summary.count) == (2, "b is NaN", 1)


def test_a_program_that_makes_up_names_does_not_grow_its_summary_without_end():
    reports = [{f"x{i}-{j}": 1.0 for j in range(400)} for i in range(4)]
    summary = folded([*reports, {"accuracy": 0.5}, {"x0-0": 7.0}])
    assert len(summary.last) == MOST_NAMES
    assert (summary.objective, summary.last["x0-0"]) == (0.5, 7.0)
    assert summary.refusal == "more than 1000 names were reported, so x3-0 is not followed"


@pytest.mark.parametrize("objective", ["experimentTime", "experiment_time"])
def test_the_time_since_launch_is_the_objective_when_it_was_asked_for_and_never_reported(objective):
    wanted = definition(objective=objective, direction="min")
    assert at_end(EMPTY, wanted, 12.5).objective == 12.5
    assert at_end(fold(EMPTY, wanted, {"experimentTime": 3.0}), wanted, 12.5).objective == 3.0


def test_the_time_since_launch_is_no_other_objective():
    assert at_end(EMPTY, definition(), 12.5) == EMPTY


@pytest.mark.parametrize("accuracy", [0.98, 0.99])
def test_an_accuracy_at_or_over_the_limit_crosses_it(accuracy):
    event = crossing(experiment(accuracy_limit=0.98), {"accuracy": accuracy})
    assert event == AccuracyReached(f"accuracy {accuracy} reached the limit 0.98")


@pytest.mark.parametrize(
    ("limit", "values"), [(0.98, {"accuracy": 0.97}), (0.98, {"recall": 0.99}), (None, {"accuracy": 1.0}), (0.98, {})]
)
def test_nothing_else_crosses_the_limit(limit, values):
    assert crossing(experiment(accuracy_limit=limit), values) is None


def test_exit_status_0_completes():
    assert after_exit(experiment(), definition(), ended(status=0)) == Completed("exit status 0", exit_status=0)


@pytest.mark.parametrize("status", [130, -signal.SIGINT])
def test_an_interrupted_attempt_runs_again_and_does_not_count(status):
    event = after_exit(experiment(retried={Failure.EXIT: 9}), definition(), ended(status=status))
    assert isinstance(event, Retried)
    assert event.failure is None


@pytest.mark.parametrize(
    ("fields", "failure"),
    [
        ({"status": 3}, Failure.EXIT),
        ({"status": -9}, Failure.EXIT),
        ({"status": -9, "out_of_memory": True}, Failure.OUT_OF_MEMORY),
        ({"status": None}, Failure.LOST),
        ({"status": None, "lost": True}, Failure.LOST),
        ({"status": None, "launch_failed": True}, Failure.LAUNCH),
    ],
)
def test_each_class_of_failure_has_its_own_retries(fields, failure):
    one_retry = definition(retries={failure: 1})
    first = after_exit(experiment(retried=dict.fromkeys(set(Failure) - {failure}, 9)), one_retry, ended(**fields))
    second = after_exit(experiment(retried={failure: 1}), one_retry, ended(**fields))
    none = after_exit(experiment(), definition(retries={}), ended(**fields))
    assert isinstance(first, Retried)
    assert first.failure is failure
    assert isinstance(second, Failed)
    assert isinstance(none, Failed)
    assert (second.failure, second.exit_status) == (failure, fields["status"])


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (
            {"status": 3, "tail": "1\n\n2\n  at x\nError:  no\n"},
            "exit: exit status 3; its log ends with: 2 | at x | Error: no",
        ),
        ({"status": -11}, "exit: killed by SIGSEGV"),
        ({"status": -99}, "exit: killed by signal 99"),
        ({"status": 143}, "exit: exit status 143 (128 + SIGTERM)"),
        ({"status": None}, "lost: nobody saw how it ended; retry 1 of 3"),
        ({"launch_failed": True, "error": "no such command: trian"}, "launch: no such command: trian; retry 1 of 2"),
        ({"status": -9, "out_of_memory": True}, "out_of_memory: killed by SIGKILL"),
    ],
)
def test_the_reason_is_one_sentence_with_class_status_and_log(fields, reason):
    assert after_exit(experiment(), definition(), ended(**fields)).reason == reason


def test_the_reason_says_that_the_retries_are_used_up():
    event = after_exit(experiment(retried={Failure.LOST: 3}), definition(), ended(status=None))
    assert event.reason == "lost: nobody saw how it ended after 3 retries"


def test_a_long_log_gives_a_short_reason():
    event = after_exit(experiment(), definition(), ended(status=1, tail="x" * 5000 + "the point"))
    assert len(event.reason) < 400
    assert event.reason.endswith("the point")
