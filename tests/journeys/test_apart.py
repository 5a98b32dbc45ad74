"""Actors in processes of their own, over RabbitMQ and a server of MongoDB's protocol, as an operator runs them."""

from __future__ import annotations

import json
import re
import signal

import pytest

from tests.journeys.apart import KINDS, Apart
from tests.journeys.cli_desk import PROJECT, TEMPLATE, eventually

SECRET = "canary-b1rd"


def write(folder, command: str, values: str) -> None:
    (folder / "project.yml").write_text(PROJECT.format(values=values))
    (folder / "template.yml").write_text(TEMPLATE.format(command=json.dumps(command)))


@pytest.fixture
def apart(tmp_path, rabbitmq, hosts, database):
    main, metrics = hosts
    with Apart(tmp_path, rabbitmq.url(main), rabbitmq.url(metrics), database) as apart:
        yield apart


def test_a_project_runs_to_its_end_and_each_process_is_healthy_measured_and_ends_in_order(apart):
    write(apart.folder, "echo accuracy=0.$BEAGLE_NUMBER; env > seen-$BEAGLE_NUMBER", "[0.1, 0.2, 0.3, 0.4]")
    actors = apart.start_each()
    done = apart.beagle("run", "project.yml", "--limit", 2)
    assert done.returncode == 0, done.stderr
    assert "demo is completed: 4 completed" in done.stdout
    for actor in actors.values():
        assert actor.page("/healthz") == (200, "ok\n")
        assert 'beagle_experiments{state="completed"} 4.0' in eventually(lambda a=actor: a.page("/metrics")[1])
    assert (
        'beagle_messages_total{actor="Launcher",outcome="handled",type="LaunchExperiment"}'
        in (actors["launcher"].page("/metrics")[1])
    )
    assert {kind: actor.end() for kind, actor in actors.items()} == dict.fromkeys(KINDS, 0)
    said = "\n".join(actor.said for actor in actors.values())
    seen = "\n".join(path.read_text() for path in apart.folder.glob("seen-*"))
    assert re.search(r"INFO QueueManager experiment=\w{24} attempt=1 project=\w{24} \S+ demomodel4 is in pool\n", said)
    assert re.search(r"INFO Launcher experiment=\w{24} .* demomodel4 is launched at site local\n", said)
    assert re.search(r"INFO \w+ experiment=\w{24} .* demomodel4 is in completed: exit status 0\n", said)
    assert "serving: queue-manager\n" in said
    assert SECRET not in said + seen + done.stdout + done.stderr
    assert "Traceback" not in said


def test_the_looking_and_changing_commands_speak_over_the_bus(apart):
    write(apart.folder, "echo accuracy=0.5; echo hello; sleep 60", "[0.1, 0.2]")
    apart.start_each()
    follower = apart.start("run", "project.yml", "--limit", "2")
    running = eventually(lambda: "2 of at most 2 experiments running" in apart.beagle("status").stdout)
    assert running
    assert apart.beagle("limit").stdout == "at most 2 experiments at a time\n"
    assert "accuracy" in eventually(lambda: apart.beagle("metrics", 1).stdout)
    assert "hello" in eventually(lambda: apart.beagle("logs", 1).stdout)
    assert "it has run for" in apart.beagle("why", 1).stdout
    assert apart.beagle("stop", 1).returncode == 0
    assert apart.beagle("experiments", "--state", "stopped").stdout.count("\n") == 2
    follower.process.send_signal(signal.SIGINT)
    assert follower.process.wait(30) == 130
    assert "detached" in follower.said
    assert "1 of at most" in apart.beagle("status").stdout
    assert "nothing runs" in apart.beagle("pause").stdout
    assert "paused" in apart.beagle("status").stdout
    assert "the system is paused; `beagle start` starts it" in apart.beagle("why", 2).stdout
    assert apart.beagle("start").returncode == 0
    eventually(lambda: "1 of at most" in apart.beagle("status").stdout)


def test_dead_letters_of_the_broker_are_listed_shown_and_dropped(apart, rabbitmq, hosts):
    apart.start_each(["gateway", "monitor"])
    body = {"properties": {}, "routing_key": "gateway.nonsense", "payload": "[]", "payload_encoding": "string"}
    rabbitmq.call("POST", f"/exchanges/{hosts[0]}/beagle.commands/publish", **body).raise_for_status()
    (letter,) = eventually(lambda: json.loads(apart.beagle("dead", "ls", "--format", "json").stdout))
    assert (letter["queue"], letter["key"], letter["size"]) == ("gateway", "gateway.nonsense", 2)
    assert "[]" in apart.beagle("dead", "show", letter["id"]).stdout
    assert apart.beagle("dead", "drop", letter["id"]).stdout == "1 of 1 dead letter dropped\n"
    assert apart.beagle("dead", "ls").stdout == "no dead letters\n"


def test_an_actor_that_starts_before_its_store_waits_with_one_line_and_goes_at_a_signal(apart):
    actor = apart.start("actor", "gateway", BEAGLE_STORE="mongodb://127.0.0.1:1/beagle")
    eventually(lambda: "waiting:" in actor.said)
    assert "serving" not in actor.said
    assert actor.end() == 0
    assert actor.said.count("waiting:") == 1
    assert "Traceback" not in actor.said


def test_an_actor_that_starts_before_its_broker_becomes_unhealthy_and_says_why_and_goes_at_a_signal(apart):
    actor = apart.start("actor", "monitor", BEAGLE_BUS="amqp://u:secret@127.0.0.1:1/x", BEAGLE_HEALTH_AFTER="1")
    eventually(lambda: "cannot be reached" in actor.said)
    actor.serves()
    assert actor.end() == 0
    assert "secret" not in actor.said
    assert "Traceback" not in actor.said


def test_a_command_says_once_that_the_broker_is_away_or_was_never_used(apart, rabbitmq):
    with rabbitmq.hosts() as (empty, _):
        for bus, why in (
            ("amqp://u:secret@127.0.0.1:1/x", "cannot be reached"),
            (rabbitmq.url(empty), "has been there"),
        ):
            done = apart.beagle("status", "--bus", bus)
            assert (done.returncode, done.stdout) == (1, "")
            assert why in done.stderr
            assert done.stderr.count("\n") == 1


def test_a_launcher_whose_folder_cannot_be_made_says_which_and_what_to_do(apart):
    done = apart.beagle("actor", "launcher", "--folder", "/proc/nobody/writes/here")
    assert done.returncode == 2
    assert "beagle: /proc/nobody/writes/here cannot be used" in done.stderr
    assert "--folder" in done.stderr


def test_without_a_gateway_a_question_ends_in_one_sentence(apart):
    apart.start_each(["monitor"])
    done = apart.beagle("status")
    assert done.returncode == 1
    told, ended = done.stderr.splitlines()
    assert told.startswith("no answer yet, and it is waited for up to 30 s")
    assert ended.startswith("beagle: ShowSystem was not answered within 30 s: does a gateway run?")


def test_all_actors_in_one_process_serve_over_the_bus_too(apart):
    write(apart.folder, "echo accuracy=0.5", "[0.1, 0.2]")
    up = apart.start("up").serves()
    assert apart.beagle("run", "project.yml").returncode == 0
    assert up.end() == 0


def test_a_run_says_once_that_its_deployment_does_not_answer_and_follows_it_again(apart, tmp_path):
    from tests.servers.mongodb import MongoNode

    write(apart.folder, "sleep 3; echo accuracy=0.5", "[0.1, 0.2]")
    node = MongoNode.start_new(tmp_path / "mongodb")
    apart.environment["BEAGLE_STORE"] = f"{node.address}/beagle"
    try:
        apart.start("up").serves()
        follower = apart.start("run", "project.yml", "--limit", "2")
        eventually(lambda: "2 running" in apart.beagle("status").stdout)
        node.kill()
        eventually(lambda: "is followed again when it can be" in follower.said)
        node.start()
        assert follower.process.wait(60) == 0, follower.said
        assert follower.said.count("followed again") == 1
        assert "demo is completed: 2 completed" in follower.said
    finally:
        node.kill()


def test_a_process_whose_actor_is_stopped_by_its_store_is_unhealthy_with_the_reason(apart, rabbitmq, hosts, tmp_path):
    from tests.servers.mongodb import MongoNode

    node = MongoNode.start_new(tmp_path / "mongodb")
    try:
        actor = apart.start("actor", "gateway", BEAGLE_STORE=f"{node.address}/beagle", BEAGLE_HEALTH_AFTER="2").serves()
        assert actor.page("/healthz") == (200, "ok\n")
        node.kill()
        eventually(lambda: actor.page("/healthz")[0] == 503)
        reason = eventually(lambda: "cannot be reached" in (page := actor.page("/healthz")[1]) and page)
        assert reason.startswith("Gateway has not looked into the store for ")
        assert "beagle_store_up 0.0" in actor.page("/metrics")[1]
    finally:
        node.kill()
