"""Metrics over HTTP: who may send them, how they are named, and what is answered."""

from __future__ import annotations

import pytest

from beagle import deployment
from beagle.commands import SetLimit
from tests.http.client import Client
from tests.journeys.beagle_run import Run, eventually, search, shell


@pytest.fixture
def run(client, tmp_path) -> Run:
    return started(client, tmp_path)


def started(client: Client, folder) -> Run:
    """One experiment, that runs until it is ended."""
    run = Run(folder, client.session)
    run.start()
    run.submit(search(shell("sleep 60"), experiment_accuracy_limit=0.9))
    run.launched()
    return run


def metrics(run: Run, number: int = 1) -> str:
    view = run.show(number)
    return f"experiments/{view['id']}/attempts/{view['attempt']}/metrics"


def token(client: Client, run: Run, attempt: int = 1) -> str:
    return deployment.attempt_token(deployment.load(client.session._world.store), run.show()["id"], attempt)


def test_what_was_answered_with_200_is_stored(client, run):
    answer = client("POST", metrics(run), json={"step": 3, "accuracy": 0.5, "loss": "high"})
    assert answer.json() == {"experiment": run.show()["id"], "attempt": 1, "reports": 1, "refusals": []}
    assert [(each["values"], each["step"]) for each in run.metrics()] == [({"accuracy": 0.5}, 3)]


def test_text_is_taken_too_and_what_is_no_metric_is_told(client, run):
    for kind in ("text/plain", "application/x-ndjson", "application/x-www-form-urlencoded", None):
        answer = client("POST", metrics(run), data=b"cost=1 accuracy=nan", headers={"Content-Type": kind})
        assert answer.json()["refusals"] == ["accuracy is NaN, which is no metric"], answer.text
    eventually(lambda: run.show()["metrics"] == {"cost": 1})


def test_a_repeat_is_stored_once(client, run):
    named = {"Beagle-Source": "train-1", "Beagle-Sequence": "7"}
    for _ in range(3):
        assert client("POST", metrics(run), json={"cost": 1}, headers=named).status_code == 200
        assert client("POST", metrics(run), json={"cost": 2}, headers={"Idempotency-Key": "k"}).status_code == 200
        assert client("POST", metrics(run), json={"cost": 3, "source": "a", "sequence": 0}).status_code == 200
    assert [each["values"] for each in run.metrics()] == [{"cost": 1}, {"cost": 2}, {"cost": 3}]


def test_the_limit_ends_the_experiment_and_what_comes_then_is_kept_and_changes_nothing(client, run):
    where = metrics(run)
    assert client("POST", where, json={"accuracy": 0.95}).status_code == 200
    assert run.ended()["state"] == "accuracy_limit_reached"
    assert client("POST", where, data="<EXPERIMENT_COMPLETED>").status_code == 200
    assert client("POST", where, json={"cost": 1}).status_code == 200
    assert (run.show()["state"], run.metrics()[-1]["values"]) == ("accuracy_limit_reached", {"cost": 1})


def test_without_an_attempt_it_is_the_current_ones(client, run):
    answer = client("POST", f"experiments/{run.show()['id']}/metrics", json={"cost": 1})
    assert (answer.status_code, answer.json()["attempt"]) == (200, 1)


@pytest.mark.parametrize(
    ("path", "body", "status", "sentence"),
    [
        ("experiments/{id}/attempts/1/metrics", "hello", 400, 'the body says no metric: "hello"; send such as'),
        ("experiments/{id}/attempts/2/metrics", "cost=1", 404, "has no attempt 2; it has had 1"),
        ("experiments/{id}/attempts/0/metrics", "cost=1", 400, "attempt: Input should be greater than or equal to 1"),
        ("experiments/{id}/attempts/x/metrics", "cost=1", 400, "attempt: Input should be a valid integer"),
        ("experiments/000000000000000000000000/metrics", "cost=1", 404, "no experiment has the id 0000"),
        ("experiments/trialmodel1/metrics", "cost=1", 404, "no experiment has the id trialmodel1"),
    ],
)
def test_what_is_wrong_is_one_sentence(client, run, path, body, status, sentence):
    answer = client("POST", path.format(id=run.show()["id"]), data=body)
    assert answer.status_code == status
    assert sentence in answer.json()["error"]["message"]
    assert run.metrics() == []


@pytest.mark.parametrize(
    ("headers", "sentence"),
    [
        ({"Beagle-Source": "a", "Beagle-Sequence": "first"}, "valid integer"),
        ({"Beagle-Source": "a", "Beagle-Sequence": "-1"}, "greater than or equal to 0"),
        ({"Beagle-Source": "a", "Beagle-Sequence": "9" * 30}, "less than or equal to"),
        ({"Beagle-Source": "a" * 201, "Beagle-Sequence": "1"}, "at most 200 characters"),
        ({"Idempotency-Key": "a" * 101}, "at most 100 characters"),
    ],
)
def test_a_name_that_is_none_is_told(client, run, headers, sentence):
    answer = client("POST", metrics(run), data="cost=1", headers=headers)
    assert answer.status_code == 400
    assert sentence in answer.json()["message"]


def test_what_waits_in_the_queue_has_no_metrics_yet(client, run):
    # The one that runs has the only place: what is queued stays there.
    run.session.ask(SetLimit(limit=1))
    run.submit(search(shell("sleep 60"), name="more"))
    waiting = eventually(lambda: next((view for view in run.experiments("more") if view["state"] == "queue"), None))
    answer = client("POST", f"experiments/{waiting['id']}/attempts/1/metrics", data="cost=1")
    assert (answer.status_code, answer.json()["error"]["kind"]) == (409, "refused")


def test_with_a_token_an_attempt_may_speak_for_itself_and_the_operator_for_all(serve, tmp_path):
    client = serve(token="operators-canary")
    run = started(client, tmp_path)
    where = metrics(run)

    def sent(bearer: str | None, path: str = where) -> int:
        headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
        return client("POST", path, json={"cost": 1}, headers=headers).status_code

    own = token(client, run)
    assert [sent(own), sent("operators-canary")] == [200, 200]
    assert [sent(None), sent(""), sent("x" * 64), sent(token(client, run, 2))] == [401] * 4
    assert sent(own, f"experiments/{'0' * 24}/attempts/1/metrics") == 401
    assert sent(own, f"experiments/{run.show()['id']}/metrics") == 200
    # Nothing else is open to it.
    commands = client("POST", "commands", json={"type": "PauseSystem"}, headers={"Authorization": f"Bearer {own}"})
    assert commands.status_code == 401
    assert client("GET", where, headers={"Authorization": f"Bearer {own}"}).status_code in {401, 405}


def test_a_flood_is_told_when_to_go_on(serve, tmp_path):
    client = serve(metrics_rate=1, metrics_burst=2)
    run = started(client, tmp_path)
    statuses = [client("POST", metrics(run), json={"cost": n}).status_code for n in range(4)]
    assert statuses[:2] == [200, 200]
    refused = client("POST", metrics(run), json={"cost": 9})
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert client("POST", metrics(run), json={"accuracy": 0.95}).status_code == 200
    assert run.ended()["state"] == "accuracy_limit_reached"


def test_both_calls_are_described(client):
    paths = client.get("/openapi.json")["paths"]
    for path in (
        "/api/v1/experiments/{experiment}/attempts/{attempt}/metrics",
        "/api/v1/experiments/{experiment}/metrics",
    ):
        call = paths[path]["post"]
        assert {"200", "400", "401", "404", "409", "429", "503"} <= set(call["responses"])
        assert {"application/json", "text/plain"} <= set(call["requestBody"]["content"])
