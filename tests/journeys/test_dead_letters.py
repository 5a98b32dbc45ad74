"""`beagle dead`: what could not be handled is listed with its reason, shown, sent again and dropped."""

from __future__ import annotations

import json

import pytest

from actors.main import OwnSession, open_session
from beagle.commands_dead import ListDeadLetters, ReplayDeadLetter
from beagle.errors import NotFound
from bus.routes import COMMANDS
from tests.journeys.beagle_run import eventually
from tests.journeys.cli_desk import Desk

STEERING = b'{"type": "FillPlaces", "note": "\x1b[2J\x07"}'


@pytest.fixture
def desk(tmp_path):
    with Desk(tmp_path, "true") as desk:
        yield desk


@pytest.fixture
def session(desk):
    session = open_session(desk.folder / ".beagle", scheduling=True)
    assert isinstance(session, OwnSession)
    yield session
    session.close()


def letters(session) -> list[dict]:
    return session.ask(ListDeadLetters())["letters"]


def bury(session, *bodies: bytes, key: str = "queue_manager.fill_places") -> list[str]:
    """Send what no actor can read; the ids under which it is found."""
    before = {letter["id"] for letter in letters(session)}
    for body in bodies:
        session._world.bus.publish_raw(COMMANDS, key, body)
    eventually(lambda: len(letters(session)) == len(before) + len(bodies))
    return [letter["id"] for letter in letters(session) if letter["id"] not in before]


def test_without_any_it_says_so(desk, session):
    done = desk.beagle("dead", "ls")
    assert (done.returncode, done.stdout) == (0, "no dead letters\n")


def test_without_any_there_is_nothing_to_confirm(desk, session):
    done = desk.beagle("dead", "drop", "--all")
    assert (done.returncode, done.stdout) == (0, "no dead letters\n")


def test_they_are_listed_with_queue_key_size_and_reason(desk, session):
    (letter,) = bury(session, b'{"type": "Nonsense"}')
    (view,) = json.loads(desk.beagle("dead", "ls", "--format", "json").stdout)
    assert (view["id"], view["queue"], view["key"]) == (letter, "queue_manager", "queue_manager.fill_places")
    assert (view["exchange"], view["size"]) == (COMMANDS, 20)
    assert "Nonsense" in view["reason"]
    table = desk.beagle("dead", "ls").stdout
    assert "reason" in table.splitlines()[0]
    assert "queue_manager.fill_places" in table.splitlines()[1]


def test_one_is_shown_with_its_body_which_cannot_steer_the_terminal(desk, session):
    (letter,) = bury(session, STEERING + b"\xff")
    done = desk.beagle("dead", "show", letter)
    assert done.returncode == 0
    assert "FillPlaces" in done.stdout
    assert "\\xff" in done.stdout
    assert not {"\x1b", "\x07"} & set(done.stdout)


def test_a_long_one_is_cut(desk, session):
    (letter,) = bury(session, b"[" * 100_000)
    done = desk.beagle("dead", "show", letter)
    assert len(done.stdout) < 70_000
    assert "the rest is left out" in done.stderr


def test_one_that_is_replayed_is_handled_again_and_what_still_cannot_be_comes_back(desk, session):
    good, bad = bury(session, b"{}", b"[]")
    done = desk.beagle("dead", "replay", good, bad)
    assert (done.returncode, done.stdout) == (0, "2 of 2 dead letters replayed\n"), done.stderr
    found = eventually(lambda: len(letters(session)) == 2 and letters(session))
    assert not {good, bad} & {letter["id"] for letter in found}


def test_a_repeated_order_replays_once(session):
    (letter,) = bury(session, b"{}")
    order = ReplayDeadLetter(letter=letter)
    assert session.ask(order) == session.ask(order)
    (back,) = eventually(lambda: letters(session))
    assert back["id"] != letter
    with pytest.raises(NotFound):
        session.ask(ReplayDeadLetter(letter=letter))


def test_one_several_or_all_are_dropped_and_all_only_when_confirmed(desk, session):
    found = bury(session, *(f"[{number}]".encode() for number in range(5)))
    assert desk.beagle("dead", "drop", found[0], found[1]).stdout == "2 of 2 dead letters dropped\n"
    asked = desk.beagle("dead", "drop", "--all")
    assert (asked.returncode, asked.stderr) == (2, "beagle: --all would drop 3 dead letters; add --yes to do it\n")
    assert len(letters(session)) == 3
    assert desk.beagle("dead", "drop", "--all", "--yes").stdout == "3 of 3 dead letters dropped\n"
    assert letters(session) == []


@pytest.mark.parametrize("verb", ["replay", "drop"])
def test_what_is_not_there_is_told_and_the_others_are_settled(desk, session, verb):
    (letter,) = bury(session, b"{}")
    done = desk.beagle("dead", verb, "77777", letter)
    assert done.returncode == 2
    assert "there is no dead letter 77777" in done.stderr
    eventually(lambda: letter not in {each["id"] for each in letters(session)})


@pytest.mark.parametrize("words", [("drop",), ("replay",), ("drop", "1", "--all")])
def test_which_must_be_said(desk, session, words):
    done = desk.beagle("dead", *words)
    assert done.returncode == 2
    assert "or give --all" in done.stderr
