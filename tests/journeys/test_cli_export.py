"""`beagle export`: what is written is what there is, and is read back as such."""

import csv
import json

from tests.journeys.cli_desk import Desk

VALUES = '[0.5, "=1+2", "a,b", "-3"]'


def finished(folder) -> Desk:
    # Only some report a second metric: the columns are those of all experiments together.
    desk = Desk(folder, 'echo accuracy=0.5; [ "$LR" != "a,b" ] || echo loss=2', values=VALUES)
    assert desk.beagle("run", "project.yml", "--limit", 4).returncode == 0
    return desk


def test_json_lines_hold_what_the_list_holds(tmp_path):
    with finished(tmp_path) as desk:
        done = desk.beagle("export", "--format", "json")
        assert [json.loads(line) for line in done.stdout.splitlines()] == desk.experiments()


def test_csv_is_read_back_with_every_parameter_and_metric(tmp_path):
    with finished(tmp_path) as desk:
        assert desk.beagle("export", "--output", "out.csv").stdout == ""
        with (tmp_path / "out.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert (tmp_path / "out.csv").read_text() == desk.beagle("export", "--format", "csv").stdout
    assert [(row["number"], row["state"], row["parameters.LR"]) for row in rows] == [
        ("1", "completed", "0.5"),
        ("2", "completed", "'=1+2"),
        ("3", "completed", "a,b"),
        ("4", "completed", "-3"),
    ]
    assert [row["metrics.loss"] for row in rows] == ["", "", "2.0", ""]


def test_a_file_that_cannot_be_written_is_one_sentence_and_leaves_nothing(tmp_path):
    with finished(tmp_path) as desk:
        done = desk.beagle("export", "--output", "nowhere/out.csv")
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert "nowhere" in done.stderr
        full = desk.beagle("export", "--output", "/dev/full")
        assert (full.returncode, full.stderr) == (1, "beagle: No space left on device\n")
        assert list(tmp_path.glob("*out.csv*")) == []


def test_an_export_replaces_an_older_one_whole(tmp_path):
    with finished(tmp_path) as desk:
        (tmp_path / "out.json").write_text("older\n" * 1000)
        assert desk.beagle("export", "--format", "json", "-o", "out.json").returncode == 0
        assert len((tmp_path / "out.json").read_text().splitlines()) == 4
        assert [file.name for file in tmp_path.iterdir() if "out.json" in file.name] == ["out.json"]
