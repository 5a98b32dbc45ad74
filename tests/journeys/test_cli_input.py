"""Wrong input on the command line: one clear sentence for each mistake, status 2, and nothing created."""

import pytest

from tests.journeys.cli_desk import Desk

PROJECT = """\
name: demo
template: template.yml
optimization: {type: grid}
parameters:
  - {name: LR, type: absolute, value: [0.1]}
"""
TEMPLATE = """\
services:
  train:
    command: ["true"]
    environment: {LR: 1}
"""

# What is wrong: (the project, the template, what the sentences must say, each with its file and line).
MISTAKES = {
    "not YAML": ("name: [", TEMPLATE, ["project.yml:"]),
    "an empty file": ("", TEMPLATE, ["project.yml:1: is empty"]),
    "an alias of nothing": (PROJECT + "retries: *a\n", TEMPLATE, ["project.yml:6", "`*a` names nothing"]),
    "a tag": (PROJECT.replace("demo", "!!python/object:os.system demo"), TEMPLATE, ["project.yml:1", "tag"]),
    "a key twice": (PROJECT + "name: again\n", TEMPLATE, ["project.yml:6", "name"]),
    "an unknown field": (PROJECT + "paramters: []\n", TEMPLATE, ["project.yml:6", "parameters"]),
    "a missing field": (PROJECT.replace("name: demo\n", ""), TEMPLATE, ["project.yml:1", "name"]),
    "a wrong type": (PROJECT + "experiment_timeout: soon\n", TEMPLATE, ["project.yml:6: experiment_timeout"]),
    "several at once": (
        PROJECT + "experiment_timeout: -1\npause_after_failures: many\n",
        TEMPLATE,
        ["project.yml:6: experiment_timeout", "project.yml:7: pause_after_failures"],
    ),
    "mistakes in both files": (PROJECT + "surprise: 1\n", "services: {}\n", ["project.yml:6", "template.yml:1"]),
    "an unknown heuristic": (PROJECT.replace("grid", "gird"), TEMPLATE, ["project.yml:3", "grid"]),
    "a parameter that the template lacks": (PROJECT.replace("LR", "LT"), TEMPLATE, ["project.yml:5", "LT", "LR"]),
    "a template that is not there": (
        PROJECT.replace("template.yml", "templat.yml"),
        TEMPLATE,
        ["project.yml:2: template", "templat.yml", "--template"],
    ),
    "a template without a service": (PROJECT, "services: {}\n", ["template.yml:1", "service"]),
    "a command that does not exist": (
        PROJECT,
        TEMPLATE.replace("true", "trane"),
        ["template.yml", "train", "trane", "PATH"],
    ),
    "too many experiments": (
        PROJECT.replace(
            "absolute, value: [0.1]", "lineal, value: {initial_value: 0, final_value: 1, interval: 1.0e-9}"
        ),
        TEMPLATE,
        ["total_n_experiments"],
    ),
}


@pytest.fixture
def desk(tmp_path):
    with Desk(tmp_path, "true") as desk:
        yield desk


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_files_is_told_and_nothing_is_created(desk, mistake):
    project, template, said = MISTAKES[mistake]
    (desk.folder / "project.yml").write_text(project)
    (desk.folder / "template.yml").write_text(template)
    done = desk.beagle("run", "project.yml")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert all(words in done.stderr for words in said), done.stderr
    assert all(line.startswith("beagle: ") for line in done.stderr.splitlines())
    assert sorted(file.name for file in desk.folder.iterdir()) == ["project.yml", "template.yml"]


@pytest.mark.parametrize("mistake", ["mistakes in both files", "a command that does not exist"])
def test_check_tells_the_same_mistakes_as_run(desk, mistake):
    project, template, _ = MISTAKES[mistake]
    (desk.folder / "project.yml").write_text(project)
    (desk.folder / "template.yml").write_text(template)
    checked, run = desk.beagle("check", "project.yml"), desk.beagle("run", "project.yml")
    assert (checked.returncode, checked.stdout, checked.stderr) == (2, "", run.stderr)


def test_a_file_that_is_no_text_is_told(desk):
    (desk.folder / "project.yml").write_bytes(b"name: caf\xe9\n")
    done = desk.beagle("run", "project.yml")
    assert done.returncode == 2
    assert "project.yml:1" in done.stderr
    assert "UTF-8" in done.stderr


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_file_that_is_not_there_is_told(desk, command):
    done = desk.beagle(command, "nowhere.yml")
    assert done.returncode == 2
    assert "nowhere.yml: there is no such file" in done.stderr


def test_a_huge_file_is_refused_unread(desk):
    (desk.folder / "project.yml").write_text("# long\n" * 1_000_000)
    done = desk.beagle("check", "project.yml")
    assert done.returncode == 2
    assert "project.yml" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["experiments", "--state", "running"],
        ["experiments", "--format", "xml"],
        ["run", "project.yml", "--limit", "-1"],
        ["run"],
        ["limit", "many"],
        ["dance"],
    ],
)
def test_a_wrong_word_on_the_command_line_is_told(desk, words):
    done = desk.beagle(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Error" in done.stderr


@pytest.mark.parametrize("words", [["status"], ["experiments"], ["logs", 1], ["stop", 1], ["limit"], ["export"]])
def test_a_command_without_a_state_folder_says_what_to_do(desk, words):
    done = desk.beagle(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no .beagle" in done.stderr
    assert "beagle run project.yml" in done.stderr
    assert not (desk.folder / ".beagle").exists()


def test_a_folder_that_is_not_there_or_not_ours_is_told(desk):
    missing = desk.beagle("status", "--folder", "nowhere")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "there is no folder nowhere" in missing.stderr
    (desk.folder / "mine").mkdir()
    (desk.folder / "mine" / "thesis.tex").touch()
    for words in (["status"], ["run", "project.yml"]):
        done = desk.beagle(*words, "--folder", "mine")
        assert (done.returncode, done.stdout) == (2, "")
        assert "thesis.tex" in done.stderr
    assert [file.name for file in (desk.folder / "mine").iterdir()] == ["thesis.tex"]


def test_a_state_folder_of_another_version_is_told(desk):
    (desk.folder / ".beagle").mkdir()
    (desk.folder / ".beagle" / "version").write_text("9\n")
    for words in (["status"], ["run", "project.yml"]):
        done = desk.beagle(*words)
        assert done.returncode == 2
        assert "version '9'" in done.stderr


def test_an_unknown_orchestrator_is_told(desk):
    done = desk.beagle("run", "project.yml", "--orchestrator", "proces")
    assert done.returncode == 2
    assert "did you mean process?" in done.stderr
    assert not (desk.folder / ".beagle").exists()


def test_an_experiment_or_a_project_that_is_not_there_is_told(desk):
    assert desk.beagle("run", "project.yml").returncode == 0
    for words in (["show", 99], ["why", "demomodel99"], ["logs", 99], ["stop", 99], ["retry", 99], ["metrics", 99]):
        done = desk.beagle(*words)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"no experiment is called {words[1]}" in done.stderr
    for words in (["experiments"], ["best"], ["export"]):
        done = desk.beagle(*words, "--project", "nobody")
        assert (done.returncode, done.stdout) == (2, "")
        assert "no project is called nobody" in done.stderr
