"""`--server`: every command over HTTP, with the same words and errors as in the folder of the system itself."""

from __future__ import annotations

import re
import signal

import pytest

from tests.journeys.cli_desk import Desk, Run, eventually

COMMAND = 'echo "accuracy=$LR loss=1"; echo "a warning" >&2; [ $LR != 0.2 ] || exit 4'
WAITS = "echo accuracy=$LR; while [ ! -e {folder}/gate ]; do sleep 0.02; done; echo the end"

# Each of them says the same whenever it is asked: the system rests.
LOOKING = [
    "status",
    "status --format json",
    "experiments",
    "experiments --format yaml",
    "experiments --state failed",
    "experiments --state none",
    "show 2",
    "show demomodel1 --format json",
    "show 9",
    "why 2",
    "why nobody",
    "logs 1",
    "logs 1 --err",
    "logs 1 --follow",
    "logs 1 --attempt 7",
    "metrics 1",
    "metrics 1 --format json",
    "best",
    "best --project none",
    "export",
    "export --format json",
    "project ls",
    "queue ls",
    "template ls",
    "template show none",
    "dead ls",
    "dead show none",
    "dead replay none",
    "reset",
]
CHANGING = [
    ("limit 3", "limit 4"),
    ("stop 1", "stop 1"),
    ("retry 1", "retry 1"),
    ("priority 1 1", "priority 1 1"),
    ("project pause demo", "project pause demo"),
    ("template upload template.yml", "template upload template.yml"),
    ("queue clear --yes", "queue clear --yes"),
    ("pause", "pause"),
]


def address(up: Run) -> str:
    eventually(lambda: "serving: all actors" in up.complained or up.process.poll() is not None)
    found = re.search(r"serving: (http://\S+)", up.complained)
    assert found, up.complained
    return found[1]


def served(desk: Desk, *words: object) -> str:
    """The address of a system with its state in the folder of the desk."""
    up = desk.start("up", "--folder", ".beagle", "--health-port", "off", "--port", 0, *words)
    return address(up)


@pytest.fixture(scope="module")
def rested(tmp_path_factory):
    """A system that has run a project, and the desk of somebody elsewhere."""
    with Desk(tmp_path_factory.mktemp("here"), COMMAND) as desk:
        server = served(desk)
        done = desk.beagle("run", "project.yml", "--limit", 1, "--server", server)
        assert done.returncode == 0, done.stderr
        away = tmp_path_factory.mktemp("elsewhere")
        (away / "template.yml").write_text((desk.folder / "template.yml").read_text())
        yield desk, away, server


def said(desk: Desk, away, words: str, *server: str) -> tuple[int, str, str]:
    """What a command says: in the folder of the system, or from elsewhere over a server."""
    done = desk.beagle(*words.split(), *server, inside=str(away) if server else ".")
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("words", LOOKING)
def test_what_looks_says_the_same_over_a_server(rested, words):
    desk, away, server = rested
    here = said(desk, away, words)
    assert said(desk, away, words, "--server", server) == here
    assert here[1] + here[2], "it says something"


def test_a_run_over_a_server_reads_as_one_at_home(tmp_path, rested):
    _, _, server = rested
    with Desk(tmp_path, COMMAND) as desk:
        for name in ("project.yml", "template.yml"):
            (tmp_path / name).write_text((tmp_path / name).read_text().replace("name: demo", "name: alike"))
        over = desk.beagle("run", "project.yml", "--limit", 1, "--server", server)
        assert not (tmp_path / ".beagle").exists()
        home = desk.beagle("run", "project.yml", "--limit", 1)
    assert (over.returncode, home.returncode) == (0, 0)
    assert blurred(over.stdout) == blurred(home.stdout)
    assert over.stderr == home.stderr == ""


def blurred(text: str) -> str:
    return re.sub(r"\d+\.\d+s", "#s", text)


def test_a_change_has_the_same_words_and_the_same_refusals(tmp_path):
    with Desk(tmp_path, COMMAND) as desk:
        server = served(desk)
        assert desk.beagle("run", "project.yml", "--limit", 3).returncode == 0
        for one, other in CHANGING:
            here = said(desk, tmp_path, one)
            there = said(desk, tmp_path, other, "--server", server)
            assert re.sub(r"\d", "#", there[1] + there[2]) == re.sub(r"\d", "#", here[1] + here[2])
            # The second `stop` finds it stopped; whatever is said twice is said alike.
            assert there[0] == here[0]


def test_mistakes_in_a_project_are_told_here_and_what_only_the_server_knows_is_told_by_it(tmp_path, rested):
    _, _, server = rested
    with Desk(tmp_path, COMMAND, values="[0.1") as desk:
        done = desk.beagle("run", "project.yml", "--server", server)
        assert done.returncode == 2
        assert "project.yml:" in done.stderr


def test_ctrl_c_leaves_it_running_and_says_so(tmp_path):
    with Desk(tmp_path, WAITS.format(folder=tmp_path)) as desk:
        server = served(desk)
        run = desk.start("run", "project.yml", "--limit", 2, "--server", server)
        eventually(lambda: list(desk.states().values()).count("pool") == 2)
        run.interrupt(signal.SIGINT)
        assert run.end() == 130
        assert "detached: the scheduler goes on elsewhere; `beagle run project.yml` follows it again" in run.complained
        assert list(desk.states().values()).count("pool") == 2
        again = desk.start("run", "project.yml", "--server", server)
        follower = desk.start("logs", 1, "--follow", "--server", server)
        eventually(lambda: "accuracy=0.1" in follower.said)
        (tmp_path / "gate").touch()
        assert again.end() == follower.end() == 0
        assert follower.said.endswith("the end\n")
        assert "demo is completed: 3 completed" in again.said


def test_a_token_is_asked_for_in_a_sentence_and_given_by_the_environment(tmp_path, monkeypatch):
    with Desk(tmp_path, COMMAND) as desk:
        monkeypatch.setenv("BEAGLE_TOKEN", "canary")
        server = served(desk)
        monkeypatch.setenv("BEAGLE_SERVER", server)
        assert desk.beagle("status").returncode == 0
        monkeypatch.delenv("BEAGLE_TOKEN")
        missing = desk.beagle("status")
        wrong = desk.beagle("status", "--token", "wrong")
        assert (missing.returncode, wrong.returncode) == (2, 2)
        assert missing.stderr == (
            f"beagle: {server} refuses this command: the token is missing; give it in BEAGLE_TOKEN\n"
        )
        assert "the token is not the one that it asks for" in wrong.stderr
        # A flag that names another system is stronger than the server of every day.
        assert desk.beagle("status", "--folder", ".beagle").returncode == 0


@pytest.mark.parametrize(
    ("server", "status", "sentence"),
    [
        ("http://127.0.0.1:1", 1, "nothing answers at http://127.0.0.1:1; does a gateway run there?"),
        ("ftp://somewhere", 2, "--server: is 'ftp://somewhere'; give the URL of a gateway: http://localhost:5000"),
    ],
)
def test_a_server_that_is_not_there_is_one_sentence(tmp_path, server, status, sentence):
    with Desk(tmp_path, COMMAND) as desk:
        for words in (["status"], ["run", "project.yml"]):
            done = desk.beagle(*words, "--server", server)
            assert (done.returncode, done.stderr) == (status, f"beagle: {sentence}\n")
