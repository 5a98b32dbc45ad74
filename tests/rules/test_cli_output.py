"""What goes to standard output, and what becomes of errors."""

import json
import os
import subprocess
import sys

import pytest
import yaml

from actors.cli.crash import Crashed, write_down
from actors.cli.output import Format, Table, show_list, show_table, show_view

VIEWS = [
    {"number": 1, "name": "a: b", "parameters": {"LR": 0.1, "NAME": "no"}},
    {"number": 2, "name": "grüße\x1b[2J", "parameters": {}},
]


@pytest.mark.parametrize("views", [VIEWS, VIEWS[:1], []])
def test_a_list_is_read_back_from_json_and_from_yaml(views, capsys):
    show_list(iter(views), Format.JSON)
    assert json.loads(capsys.readouterr().out) == views
    show_list(iter(views), Format.YAML)
    assert yaml.safe_load(capsys.readouterr().out) == views


def test_one_answer_is_read_back_from_json_and_from_yaml(capsys):
    show_view(VIEWS[0], Format.JSON)
    assert json.loads(capsys.readouterr().out) == VIEWS[0]
    show_view(VIEWS[0], Format.YAML)
    assert yaml.safe_load(capsys.readouterr().out) == VIEWS[0]


def test_a_table_that_is_no_terminals_has_no_escape_codes_and_whole_cells(capsys):
    show_table(Table(columns=("name", "why"), rows=[("x" * 100, "y" * 300 + "\x1b[31m")]))
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "y" * 300 in said


def test_a_list_is_read_no_further_when_its_reader_has_gone():
    program = (
        "import sys\n"
        "from actors.cli.output import Format, show_list\n"
        "def views():\n"
        "    for number in range(10**6):\n"
        "        print(number, file=sys.stderr) if number % 10000 == 0 else None\n"
        "        yield {'number': number}\n"
        "show_list(views(), Format.JSON)\n"
    )
    done = subprocess.run(
        ["sh", "-c", '"$0" -c "$1" | head -1', sys.executable, program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[\n"
    assert len(done.stderr.splitlines()) < 50
    assert "Broken" not in done.stderr


def test_a_surprise_is_written_into_the_state_folder(tmp_path):
    (tmp_path / "version").write_text("1\n")
    surprise = Crashed(tmp_path)
    surprise.__cause__ = ZeroDivisionError("of the moon")
    sentence = write_down(surprise)
    assert sentence == f"something unexpected went wrong (ZeroDivisionError); the details are in {tmp_path}/beagle.log"
    assert "ZeroDivisionError: of the moon" in (tmp_path / "beagle.log").read_text()


def test_a_folder_that_is_not_a_state_folder_is_left_alone(tmp_path, monkeypatch):
    elsewhere = tmp_path / "temporary"
    elsewhere.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(elsewhere))
    sentence = write_down(Crashed(tmp_path / "nowhere"))
    assert str(elsewhere / "beagle.log") in sentence
    assert [file.name for file in tmp_path.iterdir()] == ["temporary"]


def test_a_surprise_that_cannot_be_written_down_is_told_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    assert write_down(ValueError("lost")) == "something unexpected went wrong: ValueError: lost"


def test_letters_that_a_terminal_does_not_know_are_no_error(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", "from actors.cli.app import main; raise SystemExit(main())", "check", "grüße.yml"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, b"Traceback" in done.stderr) == (2, False)
