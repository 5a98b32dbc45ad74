"""Settings: which of the places they may stand in is stronger, and what is said about mistakes."""

from __future__ import annotations

import pytest

from beagle.errors import InvalidInput
from beagle.misspelt import misspelt
from beagle.settings import TABLE, Settings, hide_secrets, load

BUS = "amqp://beagle:correct-horse@rabbit:5672/beagle"


@pytest.fixture
def file(tmp_path):
    """Writes a settings file and answers with its name."""

    def write(text: str, name: str = "settings.yml") -> str:
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write


def problems(flags, environment=None) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        load(flags, environment or {})
    return list(caught.value.problems)


def test_without_anything_given_the_defaults_hold_and_are_embedded():
    chosen = load({}, {})
    assert chosen.settings == Settings()
    assert not chosen.settings.apart
    assert set(chosen.sources.values()) == {"default"}


def test_a_flag_is_stronger_than_the_environment_the_environment_than_the_file_the_file_than_the_default(file):
    where = file("site: of-the-file\n")
    flags, environment = {"settings": where, "site": "of-the-flag"}, {"BEAGLE_SITE": "of-the-environment"}
    found = [
        load(given, around)
        for given, around in (
            (flags, environment),
            ({"settings": where}, environment),
            ({"settings": where}, {}),
            ({}, {}),
        )
    ]
    assert [(each.settings.site, each.sources["site"]) for each in found] == [
        ("of-the-flag", "--site"),
        ("of-the-environment", "BEAGLE_SITE"),
        ("of-the-file", f"{where}:1"),
        ("local", "default"),
    ]


def test_the_file_may_be_named_by_the_environment_and_the_flag_names_it_more_strongly(file):
    one, other = file("site: one\n", "one.yml"), file('{"site": "other"}', "other.json")
    assert load({}, {"BEAGLE_SETTINGS": one}).settings.site == "one"
    assert load({"settings": other}, {"BEAGLE_SETTINGS": one}).settings.site == "other"


def test_the_variables_of_the_original_are_read_and_ours_are_stronger():
    original = {"ORCHESTRATOR": "docker", "ORCHESTRATOR_URL": "http://o:1", "ORCHESTRATOR_TOKEN": "sesame"}
    chosen = load({}, original)
    settings = chosen.settings
    found = (settings.orchestrator, settings.orchestrator_url, settings.orchestrator_token)
    assert found == ("docker", "http://o:1", "sesame")
    assert chosen.sources["orchestrator"] == "ORCHESTRATOR"
    assert load({}, original | {"BEAGLE_ORCHESTRATOR": "swarm"}).settings.orchestrator == "swarm"


def test_an_empty_variable_counts_as_not_set():
    assert load({}, {"BEAGLE_BUS": "", "BEAGLE_SITE": ""}).settings == Settings()


def test_numbers_and_ports_are_read_from_text_and_from_yaml(file):
    where = file("grace: 2\nhealth_port: 9000\n")
    assert (load({"settings": where}, {}).settings.grace, load({"settings": where}, {}).settings.health_port) == (
        2.0,
        "9000",
    )
    assert load({}, {"BEAGLE_GRACE": "0.5"}).settings.grace == 0.5
    assert load({"health_port": "0"}, {}).settings.health_port == "0"


def test_every_setting_has_a_default_that_it_takes_itself():
    assert {name: row.default for name, row in TABLE.items() if row.check(_written(row.default)) != row.default} == {}


def _written(default):
    return int(default) if isinstance(default, str) and default.isdigit() else default


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("stoer: sqlite\n", "settings.yml:1: stoer: is no setting; did you mean store?"),
        (
            "site: a\nstore: mysql://h/x\n",
            "settings.yml:2: store: is 'mysql://h/x'; give sqlite, or the URL of a MongoDB",
        ),
        ("grace: soon\n", "settings.yml:1: grace: is 'soon'; give seconds, above 0 and at most 3600"),
        ("grace: -1\n", "settings.yml:1: grace: is -1; give seconds"),
        ("health_port: 70000\n", "settings.yml:1: health_port: is 70000; give auto, off, or a port"),
        ("site: a.b\n", "settings.yml:1: site: is 'a.b'; give at most 63 letters, digits, - and _"),
        ("log_format: [json]\n", "settings.yml:1: log_format: is a list; give lines or json"),
        ("- site\n", "settings.yml:1: is a list; write settings as `name: value` lines"),
        ("site: [\n", "settings.yml:"),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_line_and_what_would_be_right(file, text, sentence):
    (problem,) = problems({"settings": file(text)})
    assert sentence in problem


def test_all_mistakes_are_told_at_once(file):
    assert len(problems({"settings": file("stoer: 1\ngrace: -1\n")})) == 2
    found = problems({"site": "a b"}, {"BEAGLE_GRACE": "0", "BEAGLE_BUS": "rabbit"})
    assert [problem.split(":")[0] for problem in found] == ["BEAGLE_BUS", "BEAGLE_GRACE", "--site"]


def test_a_file_that_is_not_there_is_one_sentence(tmp_path):
    assert problems({"settings": str(tmp_path / "none.yml")}) == [f"{tmp_path}/none.yml: there is no such file"]


@pytest.mark.parametrize(
    "bus",
    ["amqp//beagle:correct-horse@rabbit", "http://beagle:correct-horse@rabbit", "amqp://u:correct-horse@ " + "x" * 80],
)
def test_a_wrong_url_is_told_without_its_password(bus):
    (problem,) = problems({"bus": bus})
    assert "correct-horse" not in problem
    assert "--bus" in problem


def test_what_is_shown_hides_passwords_and_tokens():
    chosen = load({"bus": BUS, "orchestrator_token": "sesame"}, {})
    assert chosen.shown("bus") == "amqp://beagle:***@rabbit:5672/beagle"
    assert chosen.shown("orchestrator_token") == "***"
    assert chosen.secrets() == {"correct-horse", "sesame"}


def test_a_mistyped_variable_is_told_and_those_of_experiments_are_not():
    found = misspelt(
        {"BEAGLE_STROE": "x", "BEAGLE_SEED": "1", "BEAGLE_PROJECT": "p", "BEAGLE_NUMBER": "1", "OTHER": "x"}
    )
    assert found == ["BEAGLE_STROE is no setting; did you mean BEAGLE_STORE?"]


def test_variables_with_secrets_are_taken_out_of_the_environment_and_no_others():
    """Those of settings that a flag overrules too: what was chosen does not matter."""
    environment = {
        "BEAGLE_BUS": "amqp://u:abc@h/x",
        "BEAGLE_STORE": "mongodb://h:27017/beagle",
        "ORCHESTRATOR_TOKEN": "sesame",
        "BEAGLE_SITE": "here",
        "PATH": "/bin",
    }
    hide_secrets(environment)
    assert environment == {"BEAGLE_STORE": "mongodb://h:27017/beagle", "BEAGLE_SITE": "here", "PATH": "/bin"}


@pytest.mark.parametrize(
    ("written", "name"),
    [("DockerCompose", "docker-compose"), ("OpenShift", "openshift"), ("DCOS", "marathon"), ("own:Class", "own:Class")],
)
def test_the_original_s_names_of_orchestrators_are_known(written, name):
    environment = {"ORCHESTRATOR": written, "ORCHESTRATOR_URL": "http://localhost", "ORCHESTRATOR_TOKEN": '"no_token"'}
    found = load({}, environment).settings
    assert (found.orchestrator, found.orchestrator_url) == (name, "")
