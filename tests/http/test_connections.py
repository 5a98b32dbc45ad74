"""What comes over a bare connection: oddities of HTTP, and clients that are slow, endless, deaf or too many."""

from __future__ import annotations

import json
import re
import socket
import time
from contextlib import ExitStack, suppress

import pytest

from actors.http import connection, server
from tests.journeys.cli_desk import eventually

LIMIT = b'{"type": "SetLimit", "limit": 7}'
CLOSE = b"Connection: close\r\n"


def call(body: bytes = b"", *more: bytes, method: bytes = b"POST", path: bytes = b"/api/v1/commands") -> bytes:
    """`more` are headers; without one of these, its body has a length."""
    sized = [b"Content-Length: %d" % len(body)] if body and not any(b"ontent-Length" in each for each in more) else []
    chunked = any(b"Transfer-Encoding" in each for each in more)
    lines = [b"%s %s HTTP/1.1" % (method, path), b"Host: localhost", b"Content-Type: application/json"]
    return b"\r\n".join([*lines, *([] if chunked else sized), *more, b"", body])


def get(*more: bytes, path: bytes = b"/api/v1/commands") -> bytes:
    return b"\r\n".join([b"GET %s HTTP/1.1" % path, *more, b"", b""])


def opened(client) -> socket.socket:
    host, _, port = client.url.removeprefix("http://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=20)


def answers(connection: socket.socket) -> bytes:
    """All that comes until the other end closes."""
    told = b""
    with suppress(ConnectionError):
        while piece := connection.recv(65536):
            told += piece
    return told


def answer(client, text: bytes) -> tuple[int, dict]:
    with opened(client) as connection:
        connection.sendall(text)
        head, _, body = answers(connection).partition(b"\r\n\r\n")
    # What came after a call that was none may have been taken for another.
    return int(head.split()[1]), json.JSONDecoder().raw_decode(body.decode())[0]


HOST = b"Host: localhost"


@pytest.mark.parametrize(
    ("text", "status", "sentence"),
    [
        (get(b"Host: [", b"Connection: close"), 403, "is not called '['"),
        (get(b"Host: [::1", b"Connection: close"), 403, "is not called"),
        (get(b"Host: localhost/x", b"Connection: close"), 403, "is not called"),
        (get(b"Host: b\xc3\xbccher", b"Connection: close"), 403, "is not called"),
        (get(b"Connection: close"), 400, "Missing mandatory Host"),
        (get(HOST, b"Host: evil.example"), 400, "multiple Host"),
        (b"GET / HTTP/1.0\r\n\r\n", 403, "is not called ''"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 403, "is not called ''"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "no HTTP/1.1 call: illegal request line"),
        (b"hello\r\n\r\n", 400, "no HTTP/1.1 call: illegal request line"),
        ("GET /é HTTP/1.1\r\n\r\n".encode(), 400, "no HTTP/1.1 call: illegal request line"),
        (get(HOST, b"Connection: close", path=b"http://evil.example/api/v1/commands"), 404, "there is nothing at"),
        (get(HOST, b"Connection: close", path=b"/%00%2F..%2F%ff%zz"), 404, "there is nothing at /\0/../"),
        (get(HOST, b"Connection: close", path=b"/" + b"a" * 60_000), 404, "there is nothing at /aaa"),
        (get(HOST, b"x: " + b"y" * 200_000)[:-4], 431, "make them shorter"),
        (call(LIMIT, b"Origin: http://[", b"Connection: close"), 403, "may change nothing here"),
        (call(LIMIT, b"Origin: http://localhost@evil.example", b"Connection: close"), 403, "may change nothing here"),
        (call(LIMIT, b"Transfer-Encoding: gzip"), 400, "Only Transfer-Encoding: chunked"),
        (call(b"zz\r\n" + LIMIT, b"Transfer-Encoding: chunked"), 400, "illegal chunk header"),
        (call(LIMIT, b"Content-Length: -5"), 400, "bad Content-Length"),
        (call(LIMIT, b"Content-Length: " + b"9" * 30), 400, "bad Content-Length"),
        (call(LIMIT, b"Content-Length: 3", b"Content-Length: 4"), 400, "conflicting Content-Length"),
        (call(LIMIT, b"Content-Encoding: gzip", b"Connection: close"), 415, "send the body as it is"),
        (call(LIMIT.decode().encode("utf-16"), b"Connection: close"), 400, "is not UTF-8 text"),
    ],
)
def test_what_is_no_call_gets_a_status_and_one_sentence(client, text, status, sentence):
    found, told = answer(client, text)
    assert (found, told["message"]) == (status, told["error"]["message"])
    assert sentence in told["message"]
    assert client.give("ShowSystem")["limit"] == 1


def test_a_client_that_waits_for_our_word_before_its_body_gets_it_only_if_the_body_is_wanted(client):
    with opened(client) as asking:
        asking.sendall(call(b"", b"Content-Length: %d" % len(LIMIT), b"Expect: 100-continue", b"Connection: close"))
        assert asking.recv(65536).startswith(b"HTTP/1.1 100 ")
        asking.sendall(LIMIT)
        assert answers(asking).startswith(b"HTTP/1.1 200 ")
    with opened(client) as asking:
        asking.sendall(call(b"", b"Content-Length: 9999999", b"Expect: 100-continue", b"Connection: close"))
        assert answers(asking).startswith(b"HTTP/1.1 413 ")


def test_calls_that_come_at_once_are_answered_in_their_order(client):
    orders = [b'{"type": "SetLimit", "limit": %d}' % n for n in range(1, 21)]
    with opened(client) as connection:
        connection.sendall(b"".join(map(call, orders[:-1])) + call(orders[-1], b"Connection: close"))
        told = answers(connection)
    assert [int(limit) for limit in re.findall(rb'"limit":(\d+)', told)] == list(range(1, 21))


def test_who_is_slow_to_say_what_it_wants_is_told_and_let_go(client, monkeypatch):
    monkeypatch.setattr(connection, "HEAD_WITHIN", 0.3)
    with opened(client) as silent, opened(client) as trickling:
        with suppress(ConnectionError):
            for letter in call(LIMIT):
                trickling.sendall(bytes([letter]))
                time.sleep(0.01)
        for slow in (silent, trickling):
            told = answers(slow)
            assert told.startswith(b"HTTP/1.1 408 ")
            assert b"did not arrive within 0.3 s" in told
    assert client.give("ShowSystem")["limit"] == 1


def test_the_rest_of_a_body_that_was_declined_is_not_read_for_ever(client):
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    sent = 0
    with opened(client) as endless, suppress(ConnectionError):
        endless.sendall(call(b"", b"Transfer-Encoding: chunked", b"Content-Encoding: gzip"))
        while sent < 1000:
            endless.sendall(piece)
            sent += 1
    assert sent * 65536 < 4 * connection.LARGEST_REST
    assert client.give("ShowSystem")["limit"] == 1


def test_one_connection_too_many_is_told_so_and_those_before_it_go_on(client, monkeypatch):
    monkeypatch.setattr(connection, "most_connections", lambda: 5)
    with ExitStack() as stack:
        first = [stack.enter_context(opened(client)) for _ in range(5)]
        for each in first:
            each.sendall(call(b'{"type": "ShowSystem"}'))
            assert each.recv(65536).startswith(b"HTTP/1.1 200 ")
        with opened(client) as late:
            told = answers(late)
        assert told.startswith(b"HTTP/1.1 503 ")
        assert b"too many connections are open here" in told
        first[0].sendall(call(LIMIT, b"Connection: close"))
        assert b'"limit":7}' in answers(first[0])
        eventually(lambda: client("POST", "commands", json={"type": "ShowSystem"}).status_code == 200)


def ask_on(deaf: socket.socket, questions: bytes) -> None:
    while True:
        deaf.sendall(questions)


def test_who_does_not_read_the_answers_is_let_go(tmp_path, serve, monkeypatch):
    monkeypatch.setattr(server, "UNREAD_FOR", 1)
    client = serve()
    question = call(b'{"type": "ShowProject", "project": "%s"}' % (b"x" * 4000))
    with opened(client) as deaf:
        deaf.settimeout(60)
        with pytest.raises(ConnectionError):
            ask_on(deaf, question * 100)
    assert client.give("ShowSystem")["limit"] == 1
