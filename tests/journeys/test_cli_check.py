"""`beagle check` on files without a mistake."""

from tests.journeys.cli_desk import Desk


def test_check_says_what_a_run_would_do_and_does_nothing(tmp_path):
    more = "experiment_timeout: 90\nexperiment_accuracy_limit: 0.9\n"
    with Desk(tmp_path, "echo accuracy=$LR", values="[1, 2, 3, 4, 5, 6, 7]", more=more) as desk:
        done = desk.beagle("check", "project.yml")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "demo: 7 experiments, grid search",
        "looks for the largest accuracy, by the last value that each reports",
        "an experiment ends as soon as its accuracy reaches 0.9",
        "an attempt ends after 0:01:30 at the latest",
        "  1  LR=1",
        "  2  LR=2",
        "  3  LR=3",
        "  4  LR=4",
        "  5  LR=5",
        "  …",
        "each runs template.yml:",
        "  train: sh -c 'echo accuracy=$LR'",
    ]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["project.yml", "template.yml"]


def test_a_billion_combinations_are_checked_at_once_when_they_are_capped(tmp_path):
    with Desk(tmp_path, "true") as desk:
        (tmp_path / "project.yml").write_text(
            "name: huge\ntemplate: template.yml\noptimization: {type: random, total_n_experiments: 50}\n"
            "parameters:\n"
            "  - {name: LR, type: lineal, value: {initial_value: 0, final_value: 1, interval: 1.0e-9}}\n"
        )
        done = desk.beagle("check", "project.yml")
    assert done.returncode == 0
    assert done.stdout.startswith("huge: 50 experiments, random search\n")


def test_what_a_template_may_not_do_in_a_container_is_told_with_what_permits_it(tmp_path, monkeypatch):
    with Desk(tmp_path, "true") as desk:
        (tmp_path / "template.yml").write_text(
            "x-common: &common\n"
            "  image: registry.example/model:1\n"
            "  privileged: true\n"
            "services:\n"
            "  train:\n"
            "    <<: *common\n"
            "    environment: {LR: 1}\n"
            "    volumes: ['/data/sets:/sets:ro']\n"
        )
        monkeypatch.setenv("BEAGLE_NETWORK", "none")
        refused = desk.beagle("check", "project.yml", "--orchestrator", "docker")
        monkeypatch.setenv("BEAGLE_PERMIT", "privileged")
        monkeypatch.setenv("BEAGLE_PERMIT_FOLDERS", "/data")
        permitted = desk.beagle("check", "project.yml", "--orchestrator", "docker")
    assert refused.returncode == 2
    assert "template.yml:3: services.train.privileged: would give an experiment all rights of root" in refused.stderr
    assert "template.yml:8: services.train.volumes[1]: would give an experiment files of this machine" in refused.stderr
    assert (permitted.returncode, permitted.stderr) == (0, "")
