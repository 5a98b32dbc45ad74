"""`beagle up`: all actors in one process that serves until it is told to end, and commands that find it."""

from __future__ import annotations

import re
import signal
import urllib.request

import pytest

from tests.journeys.cli_desk import Desk, Run, eventually

STEADY = "echo accuracy=0.5; sleep 0.2; echo accuracy=0.6"


@pytest.fixture
def desk(tmp_path):
    with Desk(tmp_path, STEADY) as desk:
        yield desk


def serving(desk: Desk, *words: object) -> Run:
    """An `up` that serves, its health page at any free port."""
    up = desk.start("up", "--health-port", 0, *words)
    eventually(lambda: "serving: all actors" in up.complained or up.process.poll() is not None)
    assert up.process.poll() is None, up.complained
    return up


def page(up: Run, path: str) -> str:
    port = re.search(r"http://127\.0\.0\.1:(\d+)", up.complained)[1]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return answer.read().decode()


def test_a_run_elsewhere_submits_and_follows_and_the_server_goes_on_after_it(desk):
    up = serving(desk)
    done = desk.beagle("run", "project.yml", "--limit", 2)
    assert (done.returncode, up.process.poll()) == (0, None), done.stderr
    assert set(desk.states().values()) == {"completed"}
    assert 'beagle_experiments{state="completed"} 3.0' in page(up, "/metrics")
    assert page(up, "/healthz") == "ok\n"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order_and_what_runs_is_taken_up_again(tmp_path, how):
    with Desk(tmp_path, "echo started >> ledger; sleep 3; echo accuracy=1", values="[0.1]") as desk:
        up = serving(desk)
        follower = desk.start("run", "project.yml")
        eventually(lambda: desk.lines("ledger"))
        follower.interrupt()
        assert follower.end() == 130
        assert "detached" in follower.complained
        up.interrupt(how)
        assert up.end() == 0
        assert "Traceback" not in up.complained
        serving(desk)
        eventually(lambda: desk.states() == {1: "completed"})
        assert desk.lines("ledger") == ["started"]


def test_pause_and_start_are_commands_and_a_restart_changes_neither(tmp_path):
    with Desk(tmp_path, "echo $BEAGLE_ATTEMPT >> ledger; sleep 30", values="[0.1]") as desk:
        up = serving(desk)
        desk.start("run", "project.yml")
        eventually(lambda: desk.lines("ledger") == ["1"])
        paused = desk.beagle("pause")
        assert (paused.returncode, desk.alive()) == (0, []), paused.stderr
        assert "nothing runs" in paused.stdout
        up.interrupt(signal.SIGTERM)
        up.end()
        serving(desk)
        assert "paused: `beagle start` resumes" in desk.beagle("status").stdout
        assert desk.beagle("start").returncode == 0
        eventually(lambda: desk.lines("ledger") == ["1", "2"])


def test_a_second_one_in_the_same_folder_is_refused_in_one_sentence(desk):
    up = serving(desk)
    second = desk.beagle("up", "--health-port", "off")
    assert second.returncode == 1
    assert second.stderr.count("\n") == 1
    assert f"in use by process {up.process.pid}" in second.stderr


def test_secrets_reach_neither_the_log_nor_the_experiments(tmp_path, monkeypatch):
    monkeypatch.setenv("ORCHESTRATOR_TOKEN", "open-sesame")
    with Desk(tmp_path, "env > seen; echo accuracy=1", values="[0.1]") as desk:
        up = serving(desk, "--log-format", "json", "--log-level", "debug")
        monkeypatch.delenv("ORCHESTRATOR_TOKEN")
        assert desk.beagle("run", "project.yml").returncode == 0
        assert "open-sesame" not in "\n".join(desk.lines("seen")) + up.complained
        assert "BEAGLE_EXPERIMENT" in "\n".join(desk.lines("seen"))


@pytest.mark.parametrize("kind", ["gateway", "heuristic", "queue-manager", "launcher", "monitor"])
def test_an_actor_alone_with_bus_and_store_embedded_is_refused_and_told_what_to_set(desk, kind):
    done = desk.beagle("actor", kind)
    assert done.returncode == 2
    for word in ("BEAGLE_BUS", "amqp://", "BEAGLE_STORE", "mongodb://", "beagle up"):
        assert word in done.stderr
    assert not (desk.folder / ".beagle").exists()


def test_an_unknown_actor_is_told_which_there_are(desk):
    done = desk.beagle("actor", "launchr")
    assert done.returncode == 2
    assert "queue-manager" in done.stderr


def test_a_mistake_in_the_settings_is_one_sentence_and_starts_nothing(desk):
    (desk.folder / "settings.yml").write_text("health_prot: 1\n")
    done = desk.beagle("up", "--settings", "settings.yml")
    assert done.returncode == 2
    assert done.stderr == "beagle: settings.yml:1: health_prot: is no setting; did you mean health_port?\n"
