"""`beagle run` from its start to its end."""

import os
import subprocess

from tests.journeys.cli_desk import BEAGLE, Desk, eventually

REPORT = 'echo "accuracy=$LR"'


def test_a_run_tells_each_ending_once_then_the_results_and_the_best(tmp_path):
    with Desk(tmp_path, REPORT, more="experiment_accuracy_limit: 0.3\n") as desk:
        done = desk.beagle("run", "project.yml", "--limit", 2)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    told = [line.split("  ") for line in done.stdout.splitlines() if " of 3  " in line]
    assert [words[0] for words in told] == ["1 of 3", "2 of 3", "3 of 3"]
    assert sorted(words[1:5] for words in told) == [
        ["demomodel1", "completed", "accuracy=0.1", "LR=0.1"],
        ["demomodel2", "completed", "accuracy=0.2", "LR=0.2"],
        ["demomodel3", "accuracy_limit_reached", "accuracy=0.3", "LR=0.3"],
    ]
    table = done.stdout.split("\n\n")[1].splitlines()
    assert [line.split()[0] for line in table] == ["#", "3", "2", "1"]
    assert done.stdout.endswith("best: demomodel3 with accuracy 0.3\n  LR=0.3\n")


def test_a_project_that_has_ended_shows_its_results_and_runs_anew_only_when_asked(tmp_path):
    with Desk(tmp_path, 'echo "accuracy=$LR"; echo once >> "$LEDGER"'.replace("$LEDGER", f"{tmp_path}/ledger")) as desk:
        assert desk.beagle("run", "project.yml").returncode == 0
        again = desk.beagle("run", "project.yml")
        assert again.returncode == 0
        assert "--again runs it anew" in again.stderr
        assert "best: demomodel3" in again.stdout
        assert len(desk.lines("ledger")) == 3
        assert desk.beagle("run", "project.yml", "--again").returncode == 0
        assert len(desk.lines("ledger")) == 6


def test_a_run_whose_experiments_all_fail_has_failed(tmp_path):
    with Desk(tmp_path, "echo no luck >&2; exit 3") as desk:
        done = desk.beagle("run", "project.yml")
    assert done.returncode == 1
    assert "every experiment failed" in done.stderr
    assert "exit status 3" in done.stdout


def test_a_run_is_paused_after_five_failures_and_the_same_command_goes_on(tmp_path):
    with Desk(tmp_path, "exit 3", values="[1, 2, 3, 4, 5, 6, 7, 8]") as desk:
        paused = desk.beagle("run", "project.yml")
        assert paused.returncode == 1
        assert "the same command resumes" in paused.stderr
        assert "demo is paused: 3 queued  5 failed" in paused.stdout
        resumed = desk.beagle("run", "project.yml")
        assert resumed.returncode == 1
        assert "every experiment failed" in resumed.stderr
        told = [line.split("  ")[0] for line in resumed.stdout.splitlines() if " of 8  " in line]
        assert told == ["6 of 8", "7 of 8", "8 of 8"]


def test_many_short_experiments_are_each_told_once(tmp_path):
    with Desk(tmp_path, REPORT, values=str(list(range(150)))) as desk:
        done = desk.beagle("run", "project.yml", "--limit", 8)
    assert done.returncode == 0
    told = [line.split("  ") for line in done.stdout.splitlines() if " of 150  " in line]
    assert [words[0] for words in told] == [f"{place} of 150" for place in range(1, 151)]
    assert {words[1] for words in told} == {f"demomodel{number}" for number in range(1, 151)}


def test_a_project_of_another_terminal_goes_on_when_the_scheduler_has_ended_with_its_own(tmp_path):
    wait = f"while [ ! -e {tmp_path}/gate-$LR ]; do sleep 0.02; done"
    with Desk(tmp_path, wait, values="[1]") as desk:
        (tmp_path / "second.yml").write_text((tmp_path / "project.yml").read_text().replace("[1]", "[2, 3]"))
        first = desk.start("run", "project.yml", "--limit", 2)
        eventually(lambda: "demo: 1 experiment," in first.said)
        second = desk.start("run", "second.yml", "--folder", tmp_path / ".beagle")
        eventually(lambda: "pool" in desk.states().values() and len(desk.states()) == 2)
        (tmp_path / "gate-1").touch()
        assert first.end() == 0
        assert "of other projects go on" in first.complained
        (tmp_path / "gate-2").touch()
        (tmp_path / "gate-3").touch()
        assert second.end() == 0
        assert [view["attempt"] for view in desk.experiments()] == [1, 1]


def test_a_file_of_the_older_shape_runs_each_of_its_projects(tmp_path):
    with Desk(tmp_path, REPORT) as desk:
        (tmp_path / "project.yml").write_text(
            "timeOut: 60\n"
            "project:\n"
            "  - {name: one, template: template.yml, parameters: [{name: LR, type: absolute, value: [0.1, 0.2]}]}\n"
            "  - {name: two, template: template.yml, parameters: [{name: LR, type: absolute, value: [0.5]}]}\n"
        )
        done = desk.beagle("run", "project.yml")
    assert (done.returncode, done.stderr) == (0, "")
    assert "best: onemodel2 with accuracy 0.2" in done.stdout
    assert "best: twomodel1 with accuracy 0.5" in done.stdout


def test_the_state_folder_and_the_template_are_where_the_user_says(tmp_path):
    with Desk(tmp_path, "exit 9") as desk:
        (tmp_path / "other.yml").write_text((tmp_path / "template.yml").read_text().replace("exit 9", "true"))
        done = desk.beagle("run", "project.yml", "--folder", "state", "--template", "other.yml")
        assert done.returncode == 0
        assert not (tmp_path / ".beagle").exists()
        assert desk.beagle("status").returncode == 2
        assert "3 completed" in desk.beagle("status", "--folder", "state").stdout


def test_a_project_runs_from_any_folder_and_keeps_its_state_beside_it(tmp_path):
    with Desk(tmp_path, f"pwd > {tmp_path}/where") as desk:
        (tmp_path / "deep").mkdir()
        assert desk.beagle("run", "../project.yml", inside="deep").returncode == 0
        assert sorted(file.name for file in (tmp_path / "deep").iterdir()) == []
        assert desk.lines("where") == [str(tmp_path)]
        assert "3 completed" in desk.beagle("status", inside="deep").stdout


def test_a_reader_that_goes_away_disturbs_nothing(tmp_path):
    with Desk(tmp_path, REPORT) as desk:
        shell = f"{BEAGLE} run project.yml | head -1; {BEAGLE} experiments | head -1"
        done = subprocess.run(["sh", "-c", shell], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.stderr == ""
        assert [line.split()[0] for line in done.stdout.splitlines()] == ["demo:", "#"]
        assert set(desk.states().values()) == {"completed"}


def test_an_error_that_nobody_expected_is_one_sentence_and_a_file_with_the_details(tmp_path):
    with Desk(tmp_path, REPORT) as desk:
        assert desk.beagle("run", "project.yml").returncode == 0
        broken = tmp_path / "broken"
        broken.mkdir()
        # What a damaged installation looks like: a module of ours that raises what nobody foresaw.
        (broken / "sitecustomize.py").write_text(
            "import sqlite3\ndef connect(*a, **k): raise RuntimeError('the moon is full')\nsqlite3.connect = connect\n"
        )
        done = subprocess.run(
            [BEAGLE, "status"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(broken)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert str(tmp_path / ".beagle" / "beagle.log") in done.stderr
    assert "the moon is full" in (tmp_path / ".beagle" / "beagle.log").read_text()


def test_experiments_do_not_inherit_the_secrets_of_settings_that_a_flag_overruled(tmp_path, monkeypatch):
    monkeypatch.setenv("BEAGLE_BUS", "amqp://beagle:correct-horse@broker/beagle")
    monkeypatch.setenv("BEAGLE_ORCHESTRATOR_TOKEN", "battery-staple")
    with Desk(tmp_path, f"env >> {tmp_path}/seen; {REPORT}") as desk:
        assert desk.beagle("run", "project.yml", "--bus", "memory").returncode == 0
        seen = "".join(desk.lines("seen"))
        monkeypatch.undo()
    assert "BEAGLE_EXPERIMENT" in seen
    assert "correct-horse" not in seen
    assert "battery-staple" not in seen
