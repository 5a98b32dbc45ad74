"""The commands of a second terminal: while a run goes on in the first, and after it has ended."""

import json
import re

import yaml

from tests.journeys.cli_desk import Desk, eventually

# Each reports, complains, and waits for a gate of its own; the one without a gate in the end is the one that fails.
COMMAND = (
    'echo "accuracy=$LR loss=1"; echo "a warning" >&2; echo $BEAGLE_ATTEMPT >> {folder}/begun-$LR;'
    ' while [ ! -e {folder}/gate-$LR ]; do sleep 0.02; done; echo "ended"; [ $LR != 0.2 ] || exit 4'
)


def busy(folder) -> Desk:
    return Desk(folder, COMMAND.format(folder=folder), values="[0.1, 0.2, 0.3, 0.4]")


def begun(desk: Desk, value: float, times: int = 1) -> None:
    eventually(lambda: len(desk.lines(f"begun-{value}")) >= times)


def finish(desk: Desk, *values: float) -> None:
    for value in values:
        (desk.folder / f"gate-{value}").touch()


def test_all_that_looks_works_during_a_run(tmp_path):
    with busy(tmp_path) as desk:
        desk.start("run", "project.yml", "--limit", 2)
        begun(desk, 0.2)
        finish(desk, 0.1)
        begun(desk, 0.3)
        status = json.loads(desk.beagle("status", "--format", "json").stdout)
        assert (status["running"], status["limit"], status["counts"]["pool"]) == (True, 2, 2)
        assert [view["number"] for view in status["experiments"]] == [2, 3]
        assert "running; 2 of at most 2 experiments running" in desk.beagle("status").stdout
        assert list(desk.states().values()) == ["completed", "pool", "pool", "queue"]
        waiting = json.loads(desk.beagle("experiments", "--state", "queue", "--format", "json").stdout)
        assert [view["name"] for view in waiting] == ["demomodel4"]
        assert desk.beagle("why", 4).stdout == "limit 2 of 2, first in line\n"
        assert desk.beagle("why", "demomodel1").stdout == "exit status 0\n"
        eventually(lambda: "accuracy=0.2 loss=1" in desk.beagle("show", 2).stdout)
        assert desk.beagle("logs", 2).stdout == "accuracy=0.2 loss=1\n"
        assert desk.beagle("logs", 2, "--err").stdout == "a warning\n"
        best = yaml.safe_load(desk.beagle("best", "--format", "yaml").stdout)
        assert [view["parameters"] for view in best] == [{"LR": 0.1}]


def test_all_that_looks_works_after_a_run(tmp_path):
    with busy(tmp_path) as desk:
        finish(desk, 0.1, 0.2, 0.3, 0.4)
        assert desk.beagle("run", "project.yml", "--limit", 4).returncode == 0
        status = desk.beagle("status").stdout
        assert status.startswith("nothing is started now: `beagle run` does; 0 of at most 4")
        assert "demo     completed  3 completed  1 failed" in status
        failed = yaml.safe_load(desk.beagle("show", 2, "--format", "yaml").stdout)
        assert (failed["state"], failed["exit_status"], failed["failure"]) == ("failed", 4, "exit")
        assert "exit status 4" in desk.beagle("why", 2).stdout
        table = [line.split() for line in desk.beagle("best", "-n", 2).stdout.splitlines()]
        assert [words[:3] for words in table] == [
            ["#", "state", "accuracy"],
            ["4", "completed", "0.4"],
            ["3", "completed", "0.3"],
        ]
        metrics = json.loads(desk.beagle("metrics", 3, "--format", "json").stdout)
        assert [metric["values"] for metric in metrics] == [{"accuracy": 0.3, "loss": 1.0}]
        assert re.fullmatch(r"time +accuracy +loss\n\S+ \S+ +0.3 +1\n", desk.beagle("metrics", 3).stdout)
        assert desk.beagle("logs", "-f", 1).stdout == "accuracy=0.1 loss=1\nended\n"
        (tmp_path / "deep" / "down").mkdir(parents=True)
        assert desk.beagle("best", inside="deep/down").stdout == desk.beagle("best").stdout


def test_a_followed_log_ends_with_its_attempt(tmp_path):
    with busy(tmp_path) as desk:
        desk.start("run", "project.yml")
        begun(desk, 0.1)
        log = desk.start("logs", "--follow", 1)
        waiting = desk.start("logs", "--follow", 2)
        eventually(lambda: log.said == "accuracy=0.1 loss=1\n")
        assert (waiting.said, waiting.process.poll()) == ("", None)
        finish(desk, 0.1, 0.2)
        assert (log.end(), log.said) == (0, "accuracy=0.1 loss=1\nended\n")
        assert (waiting.end(), waiting.said) == (0, "accuracy=0.2 loss=1\nended\n")


def test_a_stopped_experiment_ends_and_runs_again_when_asked(tmp_path):
    with busy(tmp_path) as desk:
        run = desk.start("run", "project.yml", "--limit", 2)
        begun(desk, 0.2)
        stopped = desk.beagle("stop", 1, 4)
        assert stopped.stdout == (
            "demomodel1 is stopped: stopped by the user\ndemomodel4 is stopped: stopped by the user\n"
        )
        refused = desk.beagle("stop", 1)
        assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
        assert "cannot be stopped" in refused.stderr
        assert desk.beagle("retry", 1).stdout == "demomodel1 is queued again, as attempt 2\n"
        finish(desk, 0.1, 0.2, 0.3)
        assert run.end() == 0
        assert desk.lines("begun-0.1") == ["1", "2"]
        assert desk.lines("begun-0.4") == []
        assert list(desk.states().values()) == ["completed", "failed", "completed", "stopped"]
        assert desk.beagle("logs", 1, "--attempt", 1).stdout == "accuracy=0.1 loss=1\n"


def test_the_limit_can_be_raised_while_a_run_goes_on(tmp_path):
    with busy(tmp_path) as desk:
        run = desk.start("run", "project.yml")
        begun(desk, 0.1)
        assert desk.beagle("limit").stdout == "at most 1 experiment at a time\n"
        assert desk.beagle("limit", 3).stdout == "at most 3 experiments at a time\n"
        begun(desk, 0.2)
        begun(desk, 0.3)
        finish(desk, 0.1, 0.2, 0.3, 0.4)
        assert run.end() == 0


def test_what_runs_on_without_a_scheduler_can_be_stopped_and_is_dead_then(tmp_path):
    with busy(tmp_path) as desk:
        run = desk.start("run", "project.yml")
        begun(desk, 0.1)
        run.process.kill()
        run.process.wait()
        assert len(desk.alive()) >= 1
        assert desk.beagle("stop", 1).returncode == 0
        assert desk.alive() == []
        asked = desk.beagle("retry", 1)
        assert asked.stdout.endswith("nothing runs experiments here now; `beagle run` does\n")


def test_following_a_log_without_a_scheduler_keeps_no_run_from_scheduling(tmp_path):
    with busy(tmp_path) as desk:
        first = desk.start("run", "project.yml")
        begun(desk, 0.1)
        first.process.kill()
        first.process.wait()
        log = desk.start("logs", "-f", 1)
        eventually(lambda: log.said)
        finish(desk, 0.1, 0.2, 0.3, 0.4)
        assert desk.start("run", "project.yml").end() == 0
        assert (log.end(), log.said) == (0, "accuracy=0.1 loss=1\nended\n")
        assert [view["attempt"] for view in desk.experiments()] == [1, 1, 1, 1]


def test_the_metrics_of_one_that_said_it_is_completed_have_no_empty_row(tmp_path):
    with Desk(tmp_path, "echo accuracy=0.5; echo '<EXPERIMENT_COMPLETED>'; sleep 60", values="[0.1]") as desk:
        assert desk.beagle("run", "project.yml").returncode == 0
        header, *rows = desk.beagle("metrics", 1).stdout.splitlines()
        assert header.split()[-1] == "accuracy"
        assert [row.split()[-1] for row in rows] == ["0.5"]
        both = json.loads(desk.beagle("metrics", 1, "--format", "json").stdout)
        assert [view["values"] for view in both] == [{"accuracy": 0.5}, {}]
