"""Ctrl-C and SIGTERM: the first pauses, the second leaves, and neither is ever a traceback."""

import os
import pty
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.journeys.cli_desk import BEAGLE, Desk, Run, eventually

# Each attempt leaves a line in a ledger, then waits for the gate, then reports.
WAITS = (
    'echo "$LR $BEAGLE_ATTEMPT" >> {folder}/ledger; while [ ! -e {folder}/gate ]; do sleep 0.02; done;'
    ' echo "accuracy=$LR"'
)


def waiting(folder) -> Desk:
    return Desk(folder, WAITS.format(folder=folder))


def running(desk: Desk, count: int) -> None:
    eventually(lambda: len(desk.lines("ledger")) >= count)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_the_first_pauses_and_the_same_command_resumes(tmp_path, how):
    with waiting(tmp_path) as desk:
        run = desk.start("run", "project.yml", "--limit", 2)
        running(desk, 2)
        run.interrupt(how)
        assert run.end() == 130
        assert "pausing: 2 experiments back to the head of the queue" in run.complained
        assert run.complained.endswith("paused: nothing runs; `beagle run project.yml` resumes\n")
        assert desk.alive() == []
        assert [(view["state"], view["attempt"]) for view in desk.experiments()] == [
            ("queue", 2),
            ("queue", 2),
            ("queue", 1),
        ]
        (tmp_path / "gate").touch()
        assert desk.beagle("run", "project.yml").returncode == 0
        assert [(view["state"], view["attempt"]) for view in desk.experiments()] == [
            ("completed", 2),
            ("completed", 2),
            ("completed", 1),
        ]
        assert sorted(desk.lines("ledger")) == ["0.1 1", "0.1 2", "0.2 1", "0.2 2", "0.3 1"]


def test_the_second_leaves_at_once_and_the_next_run_adopts_what_runs(tmp_path):
    # It ignores SIGTERM: the pause that the first Ctrl-C asks for takes its time, and the second comes within it.
    with Desk(tmp_path, "trap '' TERM; " + WAITS.format(folder=tmp_path)) as desk:
        run = desk.start("run", "project.yml", "--limit", 1)
        running(desk, 1)
        run.process.send_signal(signal.SIGSTOP)
        run.interrupt()
        run.interrupt(signal.SIGTERM)
        run.process.send_signal(signal.SIGCONT)
        assert run.end() == 130
        assert "left: what runs goes on" in run.complained
        assert "Traceback" not in run.complained
        assert len(desk.alive()) >= 1
        (tmp_path / "gate").touch()
        assert desk.beagle("run", "project.yml").returncode == 0
        assert sorted(desk.lines("ledger")) == ["0.1 1", "0.2 1", "0.3 1"]
        assert {view["attempt"] for view in desk.experiments()} == {1}


@pytest.mark.parametrize("milliseconds", [0, 50, 100, 200, 300, 500, 800])
def test_an_interrupt_while_starting_is_quiet(tmp_path, milliseconds):
    with waiting(tmp_path) as desk:
        run = desk.start("run", "project.yml")
        # From here on it is no more Python that starts: this library is loaded in the middle of our own imports.
        eventually(lambda: "pydantic_core" in Path(f"/proc/{run.process.pid}/maps").read_text())
        time.sleep(milliseconds / 1000)  # the moment is the point
        run.interrupt()
        assert run.end() == 130
        assert "Traceback" not in run.complained
        assert desk.alive() == []


def test_a_run_that_only_follows_detaches_and_the_scheduler_goes_on(tmp_path):
    with waiting(tmp_path) as desk:
        first = desk.start("run", "project.yml", "--limit", 1)
        running(desk, 1)
        second = desk.start("run", "project.yml")
        eventually(lambda: "demo: 3 experiments" in second.said)
        second.interrupt()
        assert second.end() == 130
        assert "detached" in second.complained
        (tmp_path / "gate").touch()
        assert first.end() == 0
        assert {view["attempt"] for view in desk.experiments()} == {1}


def test_a_run_that_only_follows_takes_over_when_the_scheduler_is_killed(tmp_path):
    with waiting(tmp_path) as desk:
        first = desk.start("run", "project.yml", "--limit", 1)
        running(desk, 1)
        second = desk.start("run", "project.yml")
        eventually(lambda: "demo: 3 experiments" in second.said)
        first.process.kill()
        (tmp_path / "gate").touch()
        assert second.end() == 0
        assert [line.split("  ")[0] for line in second.said.splitlines() if " of 3  " in line] == [
            "1 of 3",
            "2 of 3",
            "3 of 3",
        ]
        assert sorted(desk.lines("ledger")) == ["0.1 1", "0.2 1", "0.3 1"]


def test_a_run_that_only_follows_ends_when_the_other_terminal_pauses(tmp_path):
    with waiting(tmp_path) as desk:
        first = desk.start("run", "project.yml", "--limit", 1)
        running(desk, 1)
        second = desk.start("run", "project.yml")
        eventually(lambda: "demo: 3 experiments" in second.said)
        first.interrupt()
        assert (first.end(), second.end()) == (130, 1)
        assert "paused from another terminal" in second.complained
        assert desk.alive() == []


class Screen:
    """A terminal of 80 columns with a `beagle run` in it."""

    def __init__(self, folder) -> None:
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.environ.update(TERM="xterm-256color", COLUMNS="80", LINES="24")
            os.execv(BEAGLE, [str(BEAGLE), "run", "project.yml", "--limit", "2"])
        os.set_blocking(self.master, False)
        self.text = ""

    def read(self) -> str:
        with suppress(OSError):
            self.text += os.read(self.master, 1 << 16).decode(errors="replace")
        return self.text

    def end(self) -> int:
        eventually(lambda: self.read() and os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT))
        self.read()
        os.close(self.master)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_a_terminal_shows_a_live_view_and_keeps_its_cursor_after_ctrl_c(tmp_path):
    with waiting(tmp_path) as desk:
        screen = Screen(tmp_path)
        eventually(lambda: "2 of at most 2 running" in screen.read())
        assert "0 of 3" in screen.text
        assert "LR=0.1" in screen.text
        os.write(screen.master, b"\x03")  # as the key does: to the whole foreground process group
        assert screen.end() == 130
        assert screen.text.rfind("\x1b[?25h") > screen.text.rfind("\x1b[?25l")
        assert "paused: nothing runs" in screen.text
        assert desk.alive() == []


def test_a_second_ctrl_c_on_a_terminal_gives_the_cursor_back_too(tmp_path):
    with Desk(tmp_path, "trap '' TERM; " + WAITS.format(folder=tmp_path)) as desk:
        screen = Screen(tmp_path)
        running(desk, 2)
        eventually(lambda: "2 of at most 2 running" in screen.read())
        os.write(screen.master, b"\x03")
        eventually(lambda: "pausing: 2 experiments" in screen.read())
        os.write(screen.master, b"\x03")
        assert screen.end() == 130
        assert screen.text.rfind("\x1b[?25h") > screen.text.rfind("\x1b[?25l")
        assert "left: what runs goes on" in screen.text


def test_ctrl_c_ends_a_followed_log_without_a_word(tmp_path):
    with Desk(tmp_path, f"echo begun; while [ ! -e {tmp_path}/gate ]; do sleep 0.02; done; echo ended") as desk:
        desk.start("run", "project.yml")
        log: Run = eventually(lambda: desk.states() and desk.start("logs", "-f", 1))
        eventually(lambda: log.said == "begun\n")
        log.interrupt()
        assert (log.end(), log.complained) == (130, "")
