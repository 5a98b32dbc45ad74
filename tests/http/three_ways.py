"""The same command over HTTP, over AMQP and from the command line, each to an office of its own like the others.

One broker serves all; the gateway of the office that is asked just now listens there.
"""

from __future__ import annotations

import io
import json
import os
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from typing import Any

import requests

from actors.base import World
from actors.cli.app import main
from actors.clock import Clock
from actors.gateway import Gateway
from actors.http.app import make_app
from actors.http.server import HttpServer, bound
from actors.live import live
from beagle import lifecycle, models, projects
from beagle.answers import raise_for
from beagle.experiment import Stopped
from beagle.message import Answer, Command
from beagle.messages import encode
from beagle.records import Applied, ProjectState
from beagle.settings import Settings
from bus.rabbitmq import RabbitBus
from bus.routes import COMMANDS
from tests.actors.office import TEMPLATE, Office, everything, office
from tests.contracts.records import plan, project
from tests.journeys.cli_desk import eventually

LETTER = b'{"type": "Nonsense"}'
_ID = re.compile(r"\b[0-9a-f]{24}\b")


@dataclass(frozen=True, slots=True)
class Said:
    """What a way answered with, and what the store held after it: ids that are new are told by their order."""

    answer: Answer
    status: int
    after: str


class Ways:
    """`url` is that of the broker, as everybody reaches it."""

    def __init__(self, bus: RabbitBus, url: str) -> None:
        self._bus, self._broker = bus, url

    def over_amqp(self, message: Command, *, quiet: bool) -> Said:
        with self._office(quiet=quiet) as (desk, _):
            answer = self._bus.request(_about(message, self._letter(message)), timeout=20.0)
            return self._said(desk, answer, 0)

    def over_http(self, message: Command, *, quiet: bool) -> Said:
        with self._office(quiet=quiet) as (desk, world), self._served(world) as url:
            answer = requests.post(
                f"{url}/api/v1/commands",
                data=encode(_about(message, self._letter(message))),
                headers={"Content-Type": "application/json"},
                timeout=30,
            )
            return self._said(desk, answer.json(), answer.status_code)

    def from_the_command_line(self, message: Command, words: Sequence[str], *, quiet: bool) -> Said:
        """`message` only says which letter is meant; the answer is what was printed."""
        with self._office(quiet=quiet) as (desk, _):
            letter = self._letter(message)
            status, said, complained = self._beagle([letter if word == "LETTER" else word for word in words])
            return self._said(desk, {"said": said, "complained": complained}, status)

    def _beagle(self, words: Sequence[str]) -> tuple[int, str, str]:
        """In this process: to start another takes longer than all that it does."""
        kept, before = dict(os.environ), signal.getsignal(signal.SIGINT)
        os.environ |= {"BEAGLE_BUS": self._broker}
        said, complained, argv = io.StringIO(), io.StringIO(), sys.argv
        try:
            sys.argv = ["beagle", *words]
            with redirect_stdout(said), redirect_stderr(complained):
                status = main()
        finally:
            sys.argv = argv
            os.environ.clear()
            os.environ.update(kept)
            signal.signal(signal.SIGINT, before)
        return status, said.getvalue(), complained.getvalue()

    @contextmanager
    def _served(self, world: World) -> Iterator[str]:
        settings, lively = Settings(port="0"), live(world)
        door = bound(settings)
        assert door is not None
        app = make_app(lambda message: raise_for(self._bus.request(message, timeout=20.0)), settings, lively)
        http = HttpServer(app, door, lively.close)
        yield http.url
        http.close(5.0)

    @contextmanager
    def _office(self, *, quiet: bool) -> Iterator[tuple[Office, World]]:
        """Numbers 1 and 2 run, 3 waits, 4 was stopped; another project is paused, a template is stored. When `quiet`
        nothing runs yet."""
        with office() as desk:
            if not quiet:
                desk.run(1)
            lifecycle.advance(desk.store, desk.one(4), Stopped("stopped by the user"), desk.now())
            desk.report(1)
            other = replace(project(2), name="paused", state=ProjectState.PAUSED, digest="other", source="")
            projects.create(desk.store, other, replace(plan(), id=other.id))
            models.store_model(desk.store, models.read_model("t.yml", TEMPLATE, "/", desk.now()))
            clock = Clock()
            world = World(
                store=desk.store,
                bus=self._bus,
                clock=clock,
                site="local",
                plans=projects.Plans(desk.store),
                now=desk.now,
            )
            gateway = Gateway.start(world, ("gateway",), desk.check_template)
            try:
                yield desk, world
            finally:
                gateway.stop()
                clock.close()
                for letter in self._bus.dead_letters(100):
                    self._bus.drop(letter.id)

    def _letter(self, message: Command) -> str:
        """One that could not be handled, where the command is about such."""
        if "DeadLetter" not in type(message).__name__:
            return ""
        self._bus.publish_raw(COMMANDS, "gateway.nonsense", LETTER)
        return eventually(lambda: self._bus.dead_letters(1))[0].id

    @staticmethod
    def _said(desk: Office, answer: Answer, status: int) -> Said:
        """When what is done in the background is done too."""
        known = {*desk.ids, desk.project_id, models.model_id("t.yml")}
        before, after = "", _held(desk, known)
        while before != after:
            desk.gateway.reconcile()
            before, after = after, _held(desk, known)
        return Said(json.loads(_told(json.dumps(answer), known)), status, after)


def _about(message: Command, letter: str) -> Command:
    return message.model_copy(update={"letter": letter}) if getattr(message, "letter", "") == "LETTER" else message


def _held(desk: Office, known: set[str]) -> str:
    found = everything(desk.store, but=(Applied,))
    return "\n".join(sorted(_told(repr(record), known) for record in found.values()))


def _told(text: str, known: set[str]) -> str:
    """The ids of orders and of new projects differ each time."""
    plain = _ID.sub(lambda found: found[0] if found[0] in known else "an id", text)
    plain = re.sub(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "an id", plain)
    return re.sub(r'"at": "[^"]+"', '"at": "then"', plain)


def same_error(amqp: Any, http: Any) -> None:
    assert http.answer["error"] == amqp.answer["error"]
    assert http.answer["message"] == amqp.answer["error"]["message"]
    statuses = {"not_found": 404, "refused": 409, "invalid": 400, "unavailable": 503}
    assert http.status == statuses[amqp.answer["error"]["kind"]]
