"""The example clients, as they stand in `examples/clients`, against a real broker and a gateway that listens there."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pika
import pytest

from actors.base import World
from actors.clock import Clock
from actors.gateway import Gateway
from beagle import projects
from beagle.commands import SetLimit, StopExperiment, UploadTemplate
from beagle.messages import encode
from beagle.records import Applied
from beagle.stores.sqlite import SqliteStore
from bus.rabbitmq import RabbitBus
from bus.routes import COMMANDS, bindings
from tests.actors.office import DEFINITION, TEMPLATE
from tests.actors.paper import PaperOrchestrator
from tests.journeys.beagle_run import eventually
from tests.servers.keeper import Missing

CLIENTS = Path(__file__).parents[2] / "examples" / "clients"
LANGUAGES = {"python": [sys.executable, CLIENTS / "client.py"], "ruby": ["ruby", CLIENTS / "client.rb"]}


class Front:
    """A gateway at a broker, and one of the clients."""

    def __init__(self, folder: Path, url: str, metrics: str, client: list[str | Path]) -> None:
        self.folder, self.url, self.client = folder, url, client
        self.store, self.clock = SqliteStore(folder / "beagle.sqlite"), Clock()
        self.bus = RabbitBus(url, bindings=bindings("local"), metrics_url=metrics)
        self.world = World(
            store=self.store, bus=self.bus, clock=self.clock, site="local", plans=projects.Plans(self.store)
        )
        self.gateway = Gateway.start(self.world, ("gateway",), PaperOrchestrator(time.time).check)

    def close(self) -> None:
        self.gateway.stop()
        self.clock.close()
        self.bus.close()
        self.store.close()

    def run(self, *words: str) -> tuple[int, dict]:
        done = subprocess.run(
            [*self.client, self.url, *words], cwd=self.folder, capture_output=True, text=True, timeout=60, check=False
        )
        return done.returncode, json.loads(done.stdout or "{}")

    def publish(self, body: bytes, key: str = "gateway.set_limit", **properties: object) -> None:
        with pika.BlockingConnection(pika.URLParameters(self.url)) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            channel.basic_publish(COMMANDS, key, body, pika.BasicProperties(**properties), mandatory=True)


@pytest.fixture
def front(tmp_path, rabbitmq, hosts, request):
    language = getattr(request, "param", "python")
    if language == "ruby" and (
        shutil.which("ruby") is None or subprocess.run(["ruby", "-e", "require 'bunny'"], check=False).returncode
    ):
        raise Missing("ruby with its bunny is not installed, and this test needs it: run scripts/services.sh")
    opened = Front(tmp_path, rabbitmq.url(hosts[0]), rabbitmq.url(hosts[1]), LANGUAGES[language])
    yield opened
    opened.close()


@pytest.mark.parametrize("front", LANGUAGES, indirect=True)
def test_a_client_sends_files_gives_orders_asks_and_is_told_what_is_wrong(front):
    (front.folder / "project.yml").write_text(DEFINITION)
    (front.folder / "t.yml").write_text(TEMPLATE)
    status, uploaded = front.run("UploadTemplate", "filename=t.yml", "text=@t.yml")
    assert (status, uploaded["template"]["filename"]) == (0, "t.yml")
    status, made = front.run("SubmitProject", "definition=@project.yml")
    assert (status, made["projects"][0]["name"], made["taken_up"]) == (0, "digits", False)
    assert front.run("SetLimit", "limit=4") == (0, {"running": False, "limit": 4})
    status, listed = front.run("ListProjects")
    assert [view["id"] for view in listed["projects"]] == [made["projects"][0]["id"]]
    assert front.run("SetLimit", "limit=-1")[1]["error"]["kind"] == "invalid"
    status, refused = front.run("StopExperiment", 'experiment="7"')
    assert (status, refused["error"]["kind"]) == (1, "not_found")
    assert refused["error"]["message"].startswith("no experiment is called 7")


def answers(front, *bodies, key="gateway.set_limit"):
    """What is answered to each, in its order, over one channel."""
    found = []
    with pika.BlockingConnection(pika.URLParameters(front.url)) as connection:
        channel = connection.channel()
        channel.basic_consume(
            "amq.rabbitmq.reply-to", lambda _c, _m, _p, body: found.append(json.loads(body)), auto_ack=True
        )
        for body in bodies:
            properties = pika.BasicProperties(reply_to="amq.rabbitmq.reply-to", correlation_id="1")
            channel.basic_publish(COMMANDS, key, body, properties, mandatory=True)
        until = time.monotonic() + 30
        while len(found) < len(bodies) and time.monotonic() < until:
            connection.process_data_events(time_limit=0.05)
    return found


def test_an_order_that_is_sent_again_gets_its_first_answer_and_changes_nothing(front):
    first, second = encode(SetLimit(limit=3)), encode(SetLimit(limit=5))
    assert [a["limit"] for a in answers(front, first, second, first)] == [3, 5, 3]
    assert len(front.store.page(Applied, "at").records) == 2
    assert answers(front, encode(SetLimit(limit=5)))[0]["limit"] == 5


def test_what_is_wrong_is_answered_where_somebody_waits(front):
    good = json.loads(encode(SetLimit(limit=3)))
    long = UploadTemplate(filename="t.yml", text="#" * (1 << 20))
    wrong = {
        b"\xff\x00": "Invalid JSON",
        b"{}": "the message has no type",
        json.dumps({**good, "type": "Nonsense"}).encode(): "no message has the type 'Nonsense'",
        json.dumps({**good, "v": 2}).encode(): "v: Input should be 1",
        json.dumps({**good, "later": 1}).encode(): "later: there is no such field",
        long.model_dump_json().encode(): "at most 1048576 are taken",
        encode(StopExperiment(experiment="7", expires_at=time.time() - 60)): "it was not applied",
    }
    found = answers(front, *wrong)
    assert [answer["error"]["kind"] for answer in found] == ["invalid"] * len(wrong)
    for answer, sentence in zip(found, wrong.values(), strict=True):
        assert sentence in answer["error"]["message"]
    assert answers(front, encode(SetLimit(limit=2)))[0]["limit"] == 2


def test_what_is_wrong_is_among_the_dead_letters_where_nobody_waits(front):
    expired = encode(SetLimit(limit=9, expires_at=time.time() - 60))
    for body in (b"nonsense", b'{"type": "Nonsense"}', expired):
        front.publish(body)
    letters = eventually(lambda: found if len(found := front.bus.dead_letters(10)) == 3 else None)
    assert [letter.body for letter in letters] == [b"nonsense", b'{"type": "Nonsense"}', expired]
    assert all(letter.reason for letter in letters)
    assert "it was not applied" in letters[2].reason
    assert front.run("ShowSystem")[1]["limit"] == 1
