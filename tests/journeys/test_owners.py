"""One process owns a state folder; whoever comes second speaks to it, or is told why not."""

from __future__ import annotations

import os
import signal
import stat
import threading

import pytest

from actors import main
from actors.main import GuestSession, open_session
from beagle.commands import PauseSystem, ShowExperiment, ShowSystem
from beagle.errors import InvalidInput, NotFound, Refused, Unavailable
from beagle.folder import Folder
from beagle.messages import FillPlaces
from tests.journeys.beagle_run import OwnRun, Run, eventually, search, shell
from tests.journeys.kennel import Kennel


@pytest.fixture
def kennel(tmp_path):
    with Kennel(tmp_path) as kennel:
        kennel.start()
        yield kennel


@pytest.fixture
def guest(kennel):
    """A second process's session with the scheduler of another."""
    session = open_session(kennel.folder / "state", scheduling=True)
    yield Run(kennel.folder, session)
    session.close()


def test_the_second_process_speaks_to_the_first(guest):
    assert not guest.session.owner
    guest.submit(search(shell("echo accuracy=0.5"), 3))
    guest.start()
    guest.wait()
    assert guest.states() == ["completed"] * 3
    assert guest.show(2)["metrics"] == {"accuracy": 0.5}


def test_what_the_owner_refuses_reaches_the_second_process_as_the_same_error(guest):
    with pytest.raises(NotFound, match="there is no project here yet"):
        guest.show(7)
    with pytest.raises(InvalidInput, match="no-such-program"):
        guest.submit(search(["no-such-program"]))
    guest.submit(search(shell("true")))
    guest.start()
    guest.wait()
    with pytest.raises(Refused, match="in completed and cannot be retried"):
        guest.retry()


def test_a_message_between_actors_is_no_front_ends_to_send(guest):
    with pytest.raises(InvalidInput, match="FillPlaces is between actors"):
        guest.ask(FillPlaces())


def test_many_at_once_get_each_their_own_answer(kennel, guest):
    guest.submit(search(shell("true"), 20))
    eventually(lambda: guest.counts()["queue"] == 20)
    wrong = []

    def ask(number):
        session = GuestSession(Folder(kennel.folder / "state"))
        for _ in range(20):
            found = session.ask(ShowExperiment(experiment=str(number)))["experiment"]["number"]
            wrong.extend([found] if found != number else [])
        session.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_when_the_owner_is_killed_the_next_one_owns_the_folder_and_goes_on(kennel, guest):
    guest.submit(search(shell("sleep 0.2"), 6))
    guest.start(2)
    guest.launched()
    kennel.kill()
    with pytest.raises(Unavailable):
        guest.ask(ShowSystem())
    with OwnRun(kennel.folder, paused=True) as run:
        assert run.session.owner
        run.wait()
        assert run.states() == ["completed"] * 6


def test_only_the_user_may_open_the_door(kennel):
    folder = kennel.folder / "state"
    assert stat.S_IMODE((folder / "beagle.sock").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_an_owner_that_does_not_answer_is_unavailable_and_not_waited_for_without_end(kennel, guest):
    os.kill(kennel.pid, signal.SIGSTOP)
    with pytest.raises(Unavailable, match="the scheduler did not answer"):
        guest.session.ask(ShowSystem(), timeout=0.3)
    os.kill(kennel.pid, signal.SIGCONT)


def test_a_folder_whose_owner_does_not_listen_is_in_use(tmp_path, monkeypatch):
    monkeypatch.setattr(main, "CONNECT_FOR", 0.2)
    owner = Folder(tmp_path / "state")
    assert owner.own()
    with pytest.raises(Unavailable, match=f"is in use by process {os.getpid()}: let it end first"):
        open_session(tmp_path / "state", scheduling=True)
    owner.release()


def test_a_folder_of_another_version_is_refused_and_left_as_it_is(tmp_path):
    (tmp_path / "version").write_text("99\n")
    with pytest.raises(InvalidInput, match="is a state folder of version '99', and this Beagle uses version '1'"):
        open_session(tmp_path, scheduling=True)
    assert [entry.name for entry in tmp_path.iterdir()] == ["version"]


def test_a_folder_with_something_else_in_it_is_refused_and_left_as_it_is(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(InvalidInput, match=r"it holds thesis\.tex and no file 'version'"):
        open_session(tmp_path, scheduling=True)
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_database_of_another_program_is_refused_and_the_folder_is_free_again(tmp_path):
    OwnRun(tmp_path, paused=True).session.close()
    database = tmp_path / "state" / "beagle.sqlite"
    database.write_bytes(b"no database " * 1000)
    with pytest.raises(InvalidInput, match="is not an SQLite database"):
        open_session(tmp_path / "state", scheduling=True)
    assert Folder(tmp_path / "state").own()


def test_a_session_that_only_looks_starts_no_experiment(tmp_path):
    with OwnRun(tmp_path, paused=True) as run:
        run.submit(search(shell("true"), 3))
        eventually(lambda: run.counts()["queue"] == 3)
        run.start(2)
        run.ask(PauseSystem())
        run.idle()
    looker = open_session(tmp_path / "state", scheduling=False)
    run = Run(tmp_path, looker)
    run.start(2)
    assert run.counts()["pool"] == 0
    assert run.counts()["queue"] + run.counts()["completed"] == 3
    looker.close()
