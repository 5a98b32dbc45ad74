"""What an attempt finds in its environment to report by, wherever it runs: over the broker, over HTTP, or both."""

from __future__ import annotations

from beagle import deployment
from beagle.access import NoAccess, ServerAccess, SharedAccess
from beagle.records import Deployment
from bus.rabbitmq_access import environment
from bus.routes import metric_key

ID = "0123456789abcdef01234567"
BROKER = "amqp://exp-all:s3cret@broker:5672/beagle-metrics"
MADE = Deployment(identity="beef", secret="canary")


def token(experiment: str, attempt: int) -> str:
    return deployment.attempt_token(MADE, experiment, attempt)


def test_over_http_an_attempt_is_told_where_and_proves_itself_by_a_token_of_its_own():
    access = ServerAccess(NoAccess(), "http://gateway:5000/", token)
    told = access.admit(ID, 2)
    where = f"http://gateway:5000/api/v1/experiments/{ID}/attempts/2/metrics"
    assert told == {
        "BEAGLE_REPORT_URL": where,
        "BEAGLE_METRICS_POST": where,
        "BEAGLE_REPORT_TOKEN": token(ID, 2),
    }
    assert token(ID, 2) not in {token(ID, 1), token("f" * 24, 2)}
    assert "canary" not in str(told)
    assert access.admit(ID, 2) == told


def test_where_there_is_a_broker_too_the_library_speaks_to_that_and_others_may_choose():
    told = ServerAccess(SharedAccess(BROKER, environment), "http://gateway:5000", token).admit(ID, 1)
    key = metric_key(ID, 1)
    assert told == {
        "BEAGLE_REPORT_URL": f"{BROKER}?key={key}",
        "BEAGLE_METRICS_POST": f"http://gateway:5000/api/v1/experiments/{ID}/attempts/1/metrics",
        "BEAGLE_REPORT_TOKEN": token(ID, 1),
        "BEAGLE_METRICS_URL": BROKER,
        "BEAGLE_METRICS_EXCHANGE": "beagle.metrics",
        "BEAGLE_METRICS_KEY": key,
    }


def test_programs_that_report_over_http_may_be_heard_before_their_launch_is_told():
    assert ServerAccess(NoAccess(), "http://gateway", token).open


def test_whom_the_broker_lets_in_no_more_is_seen_to_as_without_a_server():
    seen: list[object] = []

    class Inner(NoAccess):
        def expel(self, experiment, attempt) -> None:
            seen.append((experiment, attempt))

        def sweep(self, is_over) -> None:
            seen.append(is_over)

    access = ServerAccess(Inner(), "http://gateway", token)
    access.expel(ID, 1)
    access.sweep(all)
    assert seen == [(ID, 1), all]
