"""Logs and exports over HTTP."""

from __future__ import annotations

import csv
import io
import json
import threading
import time

import pytest
import requests

from tests.http.client import PATIENCE, Client
from tests.journeys.beagle_run import Run, eventually, search, shell


@pytest.fixture
def run(client, tmp_path) -> Run:
    run = Run(tmp_path, client.session)
    run.start()
    return run


def following(client: Client, path: str, **query: object) -> requests.Response:
    return requests.get(
        f"{client.url}/api/v1/{path}", params={"follow": "true", **query}, stream=True, timeout=PATIENCE
    )


def test_a_log_is_text_from_where_it_is_asked_for(client, run):
    run.submit(search(shell("echo größer; echo two; echo wrong >&2")))
    run.wait()
    path = f"experiments/{run.show()['id']}/logs"
    answer = client("GET", path)
    answer.encoding = "utf-8"
    assert (answer.status_code, answer.text) == (200, "größer\ntwo\n")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert client("GET", path, params={"offset": -4}).text == "two\n"
    assert client("GET", path, params={"stream": "err", "attempt": 1}).text == "wrong\n"


def test_a_long_log_comes_whole(client, run):
    run.submit(search(shell("seq 1 50000")))
    run.wait()
    text = client("GET", "experiments/trialmodel1/logs").text
    assert text == "".join(f"{n}\n" for n in range(1, 50_001))
    assert following(client, "experiments/trialmodel1/logs").text == text


def test_it_is_followed_while_it_is_written_and_ends_with_its_attempt(client, run):
    run.submit(search(shell("echo one; while ! test -e go; do sleep 0.05; done; echo two"), name="slow"))
    lines = following(client, f"experiments/{run.launched()['id']}/logs").iter_lines(
        chunk_size=None, decode_unicode=True
    )
    assert next(lines) == "one"
    (run.folder / "go").touch()
    assert next(lines) == "two"
    assert list(lines) == []


def test_what_waits_is_followed_from_its_beginning(client, run):
    run.start(limit=0)
    run.submit(search(shell("echo here")))
    eventually(run.experiments)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(following(client, "experiments/1/logs").text))
    reader.start()
    assert client("GET", "experiments/1/logs").status_code == 404
    run.start(limit=1)
    reader.join(PATIENCE)
    assert read == ["here\n"]


@pytest.mark.parametrize(
    ("query", "status", "sentence"),
    [
        ({"attempt": 7}, 404, "has no attempt 7; it has had 1"),
        ({"attempt": 0}, 400, "attempt: Input should be greater than or equal to 1"),
        ({"offset": 2**70}, 400, "offset: Input should be less than or equal to"),
        ({"stream": "both"}, 400, "stream: Input should be 'out' or 'err'"),
        ({"follow": "perhaps"}, 400, "follow: Input should be a valid boolean"),
    ],
)
def test_what_is_wrong_is_one_sentence(client, run, query, status, sentence):
    run.submit(search(shell("echo here")))
    run.wait()
    answer = client("GET", "experiments/1/logs", params=query)
    assert answer.status_code == status
    assert sentence in answer.json()["message"]


def test_whose_experiment_is_not_there_reads_no_log(client):
    assert client("GET", "experiments/none/logs").status_code == 404
    assert client("GET", "experiments/none/logs", params={"follow": "true"}).status_code == 404


def test_followers_hold_no_thread_and_end_with_the_server(client, run, live):
    run.submit(search(shell("echo here; sleep 60")))
    identity = run.launched()["id"]
    eventually(lambda: client("GET", f"experiments/{identity}/logs").text == "here\n")
    before = threading.active_count()
    streams = [following(client, f"experiments/{identity}/logs") for _ in range(60)]
    lines = [stream.iter_lines(chunk_size=None) for stream in streams]
    assert {next(each) for each in lines} == {b"here"}
    client.give("ShowSystem")
    # The pool of the web framework has forty; they come and go with the questions.
    assert threading.active_count() - before <= 40
    live.close()
    assert [list(each) for each in lines] == [[]] * 60


def test_whose_reader_has_gone_is_followed_no_more(client, run):
    asked: list[object] = []
    bus = client.session._world.bus
    request = bus.request
    bus.request = lambda message, *, timeout: (asked.append(message), request(message, timeout=timeout))[1]
    run.submit(search(shell("echo here; sleep 60")))
    stream = following(client, f"experiments/{run.launched()['id']}/logs")
    lines = stream.iter_lines(chunk_size=None)
    assert next(lines) == b"here"
    known = len(asked)
    eventually(lambda: len(asked) > known)
    lines.close()
    stream.close()

    def rests() -> bool:
        before = len(asked)
        time.sleep(1.2)
        return len(asked) == before

    eventually(rests)


def test_an_export_holds_every_experiment_as_the_command_line_writes_it(client, run):
    run.submit(search(shell("echo cost=$N"), count=3))
    run.wait()
    answer = client("GET", "projects/trial/export")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["number"], row["parameters.N"], row["metrics.cost"]) for row in rows] == [
        ("1", "1", "1.0"),
        ("2", "2", "2.0"),
        ("3", "3", "3.0"),
    ]
    lines = client("GET", "projects/trial/export", params={"format": "json"})
    assert lines.headers["Content-Type"] == "application/x-ndjson"
    assert [json.loads(line) for line in lines.text.splitlines()] == run.experiments()


def test_what_cannot_be_exported_is_told(client):
    assert client("GET", "projects/none/export").status_code == 404
    answer = client("GET", "projects/none/export", params={"format": "xls"})
    assert (answer.status_code, "format: Input should be 'csv' or 'json'" in answer.json()["message"]) == (400, True)
