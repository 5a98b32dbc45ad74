"""`beagle doctor`: what is there is ok, and of what is not it says what to do; no line holds a secret."""

from __future__ import annotations

import os
import socket
import subprocess
from threading import Event, Thread
from urllib.parse import urlsplit

import pytest

from actors import doctor
from actors.doctor import FREE_SPACE, NOTE, OK, WRONG, Finding, examine
from beagle.members import Members
from beagle.records import Member
from beagle.settings import Settings, load
from beagle.stores.mongodb import MongoStore
from tests.journeys.cli_desk import BEAGLE, DEADLINE, eventually
from tests.servers.rabbitmq import PASSWORD, USER


@pytest.fixture
def deployed(tmp_path, rabbitmq, hosts, database):
    """The settings of a deployment in which all is well."""
    main, metrics = hosts
    return {
        "bus": rabbitmq.url(main),
        "metrics_bus": rabbitmq.url(metrics),
        "store": database,
        "management": rabbitmq.management_url,
        "folder": str(tmp_path / "state"),
    }


def found(settings: dict[str, str]) -> dict[str, Finding]:
    """The worst finding about each thing."""
    severity = [OK, NOTE, WRONG]
    findings: dict[str, Finding] = {}
    for finding in examine(load(settings, {})):
        assert PASSWORD not in finding.sentence
        before = findings.setdefault(finding.what, finding)
        if severity.index(finding.verdict) > severity.index(before.verdict):
            findings[finding.what] = finding
    return findings


def command(settings: dict[str, str], folder) -> subprocess.CompletedProcess[str]:
    given = {f"BEAGLE_{name.upper()}": value for name, value in settings.items()}
    around = {name: value for name, value in os.environ.items() if not name.startswith("BEAGLE_")}
    return subprocess.run(
        [BEAGLE, "doctor"],
        cwd=folder,
        env=around | given,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


def test_embedded_all_is_well_with_nothing_installed_and_nothing_is_made(tmp_path):
    done = command({}, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["ok"] * 4
    assert list(tmp_path.iterdir()) == []


def test_in_a_deployment_each_thing_is_tried_and_named_and_nothing_is_left_behind(
    tmp_path, rabbitmq, hosts, database, deployed
):
    done = command(deployed, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = dict(line.removeprefix("ok").strip().split(": ", 1) for line in done.stdout.splitlines())
    assert set(lines) == {"broker", "metrics", "management", "store", "orchestrator", "folder"}
    assert "RabbitMQ 3" in lines["broker"] or "RabbitMQ 4" in lines["broker"]
    assert "attempts can have broker users" in lines["management"]
    assert lines["store"].startswith("MongoDB ")
    assert PASSWORD not in done.stdout
    for host in hosts:
        assert [queue["name"] for queue in rabbitmq.call("GET", f"/queues/{host}").json()] == []
    assert not (tmp_path / "state").exists()


def test_each_thing_that_is_not_there_is_told_with_what_to_do(tmp_path, deployed):
    away = deployed | {
        "bus": f"amqp://{USER}:{PASSWORD}@127.0.0.1:1/x",
        "management": f"http://{USER}:{PASSWORD}@127.0.0.1:1",
        "store": f"mongodb://u:{PASSWORD}@127.0.0.1:1/x?serverSelectionTimeoutMS=300",
        "orchestrator": "docker-componse",
    }
    done = command(away, tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    wrong = dict(
        line.removeprefix("wrong").strip().split(": ", 1) for line in done.stdout.splitlines() if "wrong" in line
    )
    assert "BEAGLE_BUS" in wrong["broker"]
    assert "rabbitmq-plugins enable rabbitmq_management" in wrong["management"]
    assert "BEAGLE_STORE" in wrong["store"]
    assert "there is no orchestrator 'docker-componse'" in wrong["orchestrator"]
    assert PASSWORD not in done.stdout
    assert "Traceback" not in done.stdout


def test_a_wrong_password_and_a_virtual_host_that_is_none_are_told_apart(rabbitmq, hosts, deployed):
    wrong = found(deployed | {"bus": rabbitmq.url(hosts[0], password="wr0ng-password")})["broker"]
    assert (wrong.verdict, "its password" in wrong.sentence) == (WRONG, True)
    assert "wr0ng-password" not in wrong.sentence
    wrong = found(deployed | {"bus": rabbitmq.url("nowhere")})["broker"]
    assert (wrong.verdict, "virtual host" in wrong.sentence) == (WRONG, True)


def test_a_user_who_may_not_declare_is_told_what_was_refused(rabbitmq, hosts, deployed):
    rabbitmq.call("PUT", "/users/reader", password="reader-pass", tags="").raise_for_status()
    rabbitmq.call("PUT", f"/permissions/{hosts[0]}/reader", configure="^$", write="^$", read=".*").raise_for_status()
    wrong = found(deployed | {"bus": rabbitmq.url(hosts[0], "reader", "reader-pass")})["broker"]
    assert wrong.verdict == WRONG
    assert "configure access" in wrong.sentence or "access to exchange" in wrong.sentence


def test_a_management_user_who_may_not_make_users_is_told_what_it_lacks(rabbitmq, deployed):
    rabbitmq.call("PUT", "/users/watcher", password="watcher-pass", tags="management").raise_for_status()
    url = f"http://watcher:watcher-pass@{urlsplit(rabbitmq.management_url).netloc.rpartition('@')[2]}"
    wrong = found(deployed | {"management": url})["management"]
    assert (wrong.verdict, "administrator" in wrong.sentence) == (WRONG, True)
    wrong = found(deployed | {"management": url.replace("watcher-pass", "no")})["management"]
    assert (wrong.verdict, "refuses the user watcher" in wrong.sentence) == (WRONG, True)


def test_without_management_it_is_said_what_is_missed_and_all_else_is_well(deployed):
    note = found(deployed | {"management": "off"})["management"]
    assert note.verdict == NOTE
    assert "one may speak for another" in note.sentence


def test_metrics_in_the_same_virtual_host_are_worth_a_note(deployed):
    note = found(deployed | {"metrics_bus": ""})["broker"]
    assert (note.verdict, "BEAGLE_METRICS_BUS" in note.sentence) == (NOTE, True)


def test_a_full_disk_and_a_folder_that_is_none_are_wrong(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    wrong = found({"folder": str(tmp_path / "file")})["folder"]
    assert (wrong.verdict, "--folder" in wrong.sentence) == (WRONG, True)
    (tmp_path / "full").mkdir()
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: type("Usage", (), {"free": FREE_SPACE // 2}))
    wrong = found({"folder": str(tmp_path / "full")})["folder"]
    assert (wrong.verdict, "0.5 GiB left" in wrong.sentence) == (WRONG, True)


def test_a_folder_that_cannot_be_written_is_wrong_whoever_asks():
    wrong = found({"folder": "/proc/nobody/writes/here"})["folder"]  # not even root
    assert (wrong.verdict, "cannot be written" in wrong.sentence) == (WRONG, True)


def test_launchers_of_one_site_on_two_machines_are_wrong_where_experiments_are_processes(deployed, monkeypatch):
    store, stop = MongoStore(deployed["store"]), Event()

    def launcher(host: str, site: str) -> Members:
        monkeypatch.setattr(socket, "gethostname", lambda: host)
        return Members(store, "launcher", site)

    def live(members: list[Members]) -> None:
        while not stop.wait(0.3):
            for member in members:
                member.turn()

    launcher("gone.example", "local").turn()
    living = [launcher("one.example", "local"), launcher("two", "local"), launcher("three", "other")]
    beating = Thread(target=live, args=(living,))
    beating.start()
    try:
        eventually(lambda: len(store.page(Member, "all").records) == 4)
        wrong = found(deployed)["store"]
        assert wrong.verdict == WRONG
        assert "the launchers of site local run on one.example and two: " in wrong.sentence
        ((verdict, _),) = doctor._sites(Settings(orchestrator="docker"), store)
        assert verdict == NOTE
        assert list(doctor._sites(Settings(orchestrator="docker", orchestrator_url="tcp://one:2375"), store)) == []
    finally:
        stop.set()
        beating.join()
        store.close()


def test_clocks_that_are_apart_are_wrong(deployed, monkeypatch):
    class Later:
        """The clock of this machine, ten minutes ahead."""

        def __init__(self, time):
            self._time = time.time

        def time(self) -> float:
            return self._time() + 600

    monkeypatch.setattr(doctor, "time", Later(doctor.time))
    findings = found(deployed)
    assert findings["management"].verdict == WRONG
    assert "600 s apart" in findings["management"].sentence or "NTP" in findings["management"].sentence
    assert "NTP" in findings["store"].sentence


def test_it_tells_which_docker_there_is_and_what_containers_join(tmp_path, dockerd):
    given = {"orchestrator": "docker", "orchestrator_url": dockerd.url, "folder": str(tmp_path / "state")}
    told = found(given)["orchestrator"]
    assert told.verdict == OK
    # `bridge`, unless another test has a network of the deployment's name just now.
    assert f"at {dockerd.url}; containers join the network b" in told.sentence
    absent = found(given | {"orchestrator_url": f"unix://{tmp_path}/none"})["orchestrator"]
    assert absent.verdict == WRONG
    assert "is not there: start it" in absent.sentence
    nowhere = found(given | {"network": "nowhere"})["orchestrator"]
    assert 'Docker has no network "nowhere"' in nowhere.sentence
