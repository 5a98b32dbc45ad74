"""Who may call, from which page, by which name, and how much: decided before anything of a call is read."""

from __future__ import annotations

import socket
import time

import pytest

from actors.http.guard import LARGEST_BODY, Guard
from tests.journeys.cli_desk import eventually

SYSTEM = {"type": "ShowSystem"}


def spoken(url: str, text: bytes) -> bytes:
    """What is answered to bytes on a bare connection."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(text)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


@pytest.mark.parametrize("host", ["evil.example", "evil.example:5000", "", "127.0.0.1.evil.example", "a@localhost"])
def test_a_name_that_is_none_of_ours_is_turned_away(client, host):
    answer = client("POST", "commands", json=SYSTEM, headers={"Host": host})
    assert answer.status_code in {400, 403}
    if answer.status_code == 403:
        assert "BEAGLE_HOSTS" in answer.json()["message"]


def test_loopback_names_and_those_of_the_settings_are_ours(serve):
    client = serve(hosts="beagle.lan,proxy", experiment_server="http://gateway:5000")
    for host in ("localhost:1", "127.0.0.1", "[::1]:5000", "beagle.lan:80", "PROXY", "gateway:5000"):
        assert client("POST", "commands", json=SYSTEM, headers={"Host": host}).status_code == 200, host


def test_a_strange_page_may_change_nothing_and_a_known_one_may(serve):
    client = serve(origins="http://localhost:8080")
    for origin in ("http://evil.example", "null", "https://localhost:8080"):
        answer = client("POST", "commands", json=SYSTEM, headers={"Origin": origin})
        assert (answer.status_code, answer.json()["error"]["kind"]) == (403, "forbidden")
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert client("POST", "commands", json=SYSTEM, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    for origin in ("http://localhost:8080", client.url):
        assert client("POST", "commands", json=SYSTEM, headers={"Origin": origin}).status_code == 200


def test_a_page_of_a_known_origin_may_read_answers_and_refusals(serve):
    client = serve(origins="http://localhost:8080", token="secret")
    asked = {"Origin": "http://localhost:8080", "Access-Control-Request-Method": "POST"}
    asked["Access-Control-Request-Headers"] = "authorization,content-type,type"
    assert client("OPTIONS", "commands", headers=asked).status_code == 200
    refused = client("POST", "commands", json=SYSTEM, headers={"Origin": "http://localhost:8080"})
    assert refused.status_code == 401
    assert refused.headers["Access-Control-Allow-Origin"] == "http://localhost:8080"


@pytest.mark.parametrize("given", [None, "Bearer wrong", "Bearer", "Basic secret", "secret", "Bearer sécret"])
def test_with_a_token_every_call_needs_it(serve, given):
    client = serve(token="secret")
    headers = {} if given is None else {"Authorization": given.encode()}
    for method, path in (("POST", "commands"), ("GET", "heartbeat"), ("GET", "/openapi.json"), ("GET", "/docs")):
        answer = client(method, path, headers=headers)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert "Bearer <token>" in answer.json()["message"]
    assert client("POST", "commands", json=SYSTEM, headers={"Authorization": "Bearer secret"}).status_code == 200


def test_a_body_that_is_too_large_is_turned_away_before_it_is_read(client):
    host = client.url.removeprefix("http://").encode()
    kind = b"Host: " + host + b"\r\nContent-Type: application/json\r\n"
    told = spoken(client.url, b"POST /api/v1/commands HTTP/1.1\r\n" + kind + b"Content-Length: 99999999999\r\n\r\n")
    assert told.startswith(b"HTTP/1.1 413 ")
    assert b"1024 KiB" in told


def test_a_body_without_a_length_is_counted_while_it_comes(client):
    pieces = (b"x" * 65536 for _ in range(2 * LARGEST_BODY // 65536))
    answer = client("POST", "commands", data=pieces, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


def test_a_slow_body_is_not_waited_for(client, monkeypatch):
    monkeypatch.setattr(Guard, "body_within", 0.3)
    host = client.url.removeprefix("http://").encode()
    head = b"POST /api/v1/commands HTTP/1.1\r\nHost: " + host + b"\r\nContent-Type: application/json\r\n"
    begun = time.monotonic()
    told = spoken(client.url, head + b"Content-Length: 100\r\nConnection: close\r\n\r\n{")
    assert told.startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - begun < 15


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", None])
def test_a_body_of_another_kind_is_not_read(client, kind):
    headers = {} if kind is None else {"Content-Type": kind}
    answer = client("POST", "commands", data=b'{"type": "StartSystem"}', headers=headers)
    assert answer.status_code == 415
    assert "send application/json" in answer.json()["message"]
    assert not client.give("ShowSystem")["running"]


def test_what_is_not_there_is_a_sentence_too(client):
    assert "there is nothing at /nowhere" in client("GET", "/nowhere").json()["message"]
    wrong = client("PATCH", "commands", json={})
    assert (wrong.status_code, wrong.headers["Allow"]) == (405, "POST")
    assert "does not take PATCH; it takes POST" in wrong.json()["message"]
    assert client("PATCH", "models", json={}).headers["Allow"] == "GET, POST"
    assert client("PATCH", "experiments/1/priority", json={}).headers["Allow"] == "DELETE, PUT"


def test_no_answer_says_what_serves_it_and_none_is_guessed_at(client):
    headers = client("POST", "commands", json=SYSTEM).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert "Server" not in headers


def test_a_surprise_is_a_sentence_and_is_in_the_log(client, tmp_path):
    client.session._world.bus.request = None
    answer = client("POST", "commands", json=SYSTEM)
    assert (answer.status_code, answer.json()["error"]["kind"]) == (503, "internal")
    assert "Traceback" not in answer.text
    eventually(lambda: "TypeError" in (tmp_path / "state" / "beagle.log").read_text())
