"""Without a token only the user that runs the gateway may call it."""

from __future__ import annotations

import os
import socket

import pytest

from actors.http import connection
from actors.http.peers import is_stranger, owner
from actors.http_session import HttpSession
from beagle.commands import ShowSystem
from beagle.errors import InvalidInput
from beagle.settings import Settings

ADDRESSES = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]


@pytest.mark.parametrize(("family", "host"), ADDRESSES)
def test_the_kernel_tells_whose_the_other_end_is(monkeypatch, family, host):
    with (
        socket.create_server((host, 0), family=family) as listening,
        socket.create_connection(listening.getsockname()[:2]) as client,
    ):
        ours, theirs = listening.getsockname()[:2], client.getsockname()[:2]
        assert owner(ours, theirs) == os.geteuid()
        assert not is_stranger(ours, theirs)
        monkeypatch.setattr("actors.http.peers.owner", lambda *_: os.geteuid() + 4711)
        assert is_stranger(ours, theirs)


def test_of_a_connection_that_is_none_it_tells_nothing_and_nobody_is_turned_away():
    with pytest.raises(OSError, match="no such connection"):
        owner(("127.0.0.1", 1), ("127.0.0.1", 2))
    assert not is_stranger(("127.0.0.1", 1), ("127.0.0.1", 2))
    assert not is_stranger(None, None)


def test_another_user_of_the_machine_needs_a_token(serve, monkeypatch):
    monkeypatch.setattr(connection, "is_stranger", lambda *_: True)
    client = serve()
    answer = client("GET", "heartbeat")
    assert (answer.status_code, answer.json()["error"]["kind"]) == (403, "forbidden")
    assert "set BEAGLE_TOKEN for others" in answer.json()["message"]


def test_with_a_token_it_is_the_token_that_counts(serve, monkeypatch):
    monkeypatch.setattr(connection, "is_stranger", lambda *_: True)
    client = serve(token="secret")
    assert client("GET", "heartbeat").status_code == 401
    assert client("GET", "heartbeat", headers={"Authorization": "Bearer secret"}).status_code == 200


def test_the_command_line_says_so_too(serve, monkeypatch):
    monkeypatch.setattr(connection, "is_stranger", lambda *_: True)
    session = HttpSession(Settings(server=serve().url))
    with pytest.raises(InvalidInput, match="refuses this command: without a token this gateway takes calls only"):
        session.ask(ShowSystem())
    session.close()
