"""Writes the pages of `PAGES` from the tables of the code: `python docs/generate.py`."""
# ruff: noqa: INP001 - a script beside the pages that it writes, no package

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter
from pydantic.fields import FieldInfo

from actors.base import BusActor
from actors.gateway import Gateway
from actors.heuristic import HeuristicActor
from actors.launcher import Launcher
from actors.monitor import Monitor
from actors.queue_manager import QueueManager
from actors.watch import ExperimentMonitor
from beagle.commands import Order, Question
from beagle.dangers import DANGERS
from beagle.experiment import FINAL, TRANSITIONS, Event, State
from beagle.message import Command, Message
from beagle.messages import ExperimentChanged, Nudge, ProjectChanged, Stream
from beagle.orchestrators.permits import RULES
from beagle.settings import TABLE
from bus.routes import COMMANDS, EVENTS, METRICS, ROUTES, SHARDS, Route, bindings

HERE = Path(__file__).parent
ACTORS: dict[str, type[BusActor]] = {
    "gateway": Gateway,
    "heuristic": HeuristicActor,
    "queue manager": QueueManager,
    "launcher": Launcher,
    "monitor": Monitor,
    "the experiment's monitor": ExperimentMonitor,
}
MEANINGS = {
    State.QUEUE: "it waits for a place",
    State.POOL: "it holds a place: it is launched, runs, or is about to be judged",
    State.COMPLETED: "it said so itself, or exited with status 0",
    State.TIMEOUT: "it ran for as long as it may",
    State.ACCURACY_LIMIT_REACHED: "it reported a metric at or over the limit",
    State.STOPPED: "a user or an early-stopping rule ended it",
    State.FAILED: "an attempt failed, and no retry is left",
    State.DELETED: "it is shown nowhere; only its number is kept, so that it is not tried again",
}
EXCHANGES = {
    COMMANDS: "Orders, questions and nudges. A sender learns when no queue takes one. "
    "With an address to answer to, a command is answered.",
    METRICS: f"What belongs to one attempt, in its order. An experiment's shard, of {SHARDS}, never changes.",
    EVENTS: "What has happened. They may go unheard.",
}
HEAD = "<!-- Written by docs/generate.py from the code; a test holds it against the code. -->\n"


def states() -> str:
    return "\n".join([HEAD, "# The states of an experiment\n", *_state_intro(), *_diagram(), *_state_tables()]) + "\n"


def _state_intro() -> Iterator[str]:
    yield "The words are those on the wire. An event that has no line here in a state is refused there, and changes"
    yield "nothing. Whoever writes a state does it by a compare-and-set; who loses the race reads what won.\n"


def _diagram() -> Iterator[str]:
    yield "```mermaid\nstateDiagram-v2"
    yield f"    [*] --> {State.QUEUE}"
    for before, row in TRANSITIONS.items():
        arrows: dict[State, list[str]] = {}
        for event, after in row.items():
            arrows.setdefault(after, []).append(event.__name__)
        for after, events in arrows.items():
            yield f"    {before} --> {after}: {', '.join(events)}"
    yield "```\n"


def _state_tables() -> Iterator[str]:
    yield "| state | means | ended |\n| --- | --- | --- |"
    for state in State:
        yield f"| `{state}` | {MEANINGS[state]} | {'yes' if state in FINAL else 'no'} |"
    yield "\n| in | event | leads to | when |\n| --- | --- | --- | --- |"
    for before, row in TRANSITIONS.items():
        for event, after in row.items():
            yield f"| `{before}` | {event.__name__} | `{after}` | {_said(event)} |"


def messages() -> str:
    parts = [HEAD, "# The messages between the actors\n", *_message_intro()]
    for exchange, meaning in EXCHANGES.items():
        parts += [f"## `{exchange}`\n", f"{meaning}\n"]
        for kind, route in ROUTES.items():
            if route.exchange == exchange:
                parts += _message(kind, route)
    return "\n".join([*parts, *_queues()]) + "\n"


def _message_intro() -> Iterator[str]:
    yield "A body is one JSON object with `type`, `id` (24 hexadecimal digits), `time` (seconds since the epoch) and"
    yield "`v`, the version, 1. Further fields are the message's own; an unknown one is refused. What goes to the"
    yield "gateway may have `expires_at` (seconds since the epoch) besides: after that it is not applied. The store is"
    yield "the truth: a nudge that is lost, doubled or late never matters, because its receiver finds the same there.\n"


def _message(kind: type[Message], route: Route) -> Iterator[str]:
    yield f"### {kind.__name__}\n"
    yield f"{_said(kind)}\n"
    handled = [name for name, actor in ACTORS.items() if kind in actor.handles]
    yield f"Key `{route.key}`; handled by {' and '.join(handled) or 'any front end that binds'}.\n"
    fields = [(name, field) for name, field in kind.model_fields.items() if name not in {*Command.model_fields, "type"}]
    if fields:
        yield "| field | type | default |\n| --- | --- | --- |"
        yield from (f"| `{name}` | `{_type(field)}` | {_default(field)} |" for name, field in fields)
        yield ""


def _queues() -> Iterator[str]:
    yield "## Queues\n"
    yield "For a site named `local`.\n"
    yield "| queue | exchange | takes | consumers |\n| --- | --- | --- | --- |"
    for name, binding in bindings("local").items():
        patterns = ", ".join(f"`{pattern}`" for pattern in binding.patterns)
        consumers = "each has its own" if binding.each else "one is active" if binding.single else "compete"
        yield f"| `{name}` | `{binding.exchange}` | {patterns} | {consumers} |"


def _said(kind: type[Event | Message]) -> str:
    return " ".join((kind.__doc__ or "").split())


def _type(field: FieldInfo) -> str:
    annotation = field.annotation
    plain = annotation.__name__ if isinstance(annotation, type) and not hasattr(annotation, "__args__") else None
    limits = [f"{word} {getattr(each, key)}" for each in field.metadata for key, word in _LIMITS if hasattr(each, key)]
    shown = plain or str(annotation).replace("typing.", "").replace("beagle.messages.", "").replace(
        "beagle.commands.", ""
    )
    return ", ".join([shown.replace("|", "\\|"), *limits])


_LIMITS = (("ge", "at least"), ("le", "at most"))


def _default(field: FieldInfo) -> str:
    return "required" if field.is_required() else f"`{field.default!r}`"


def settings() -> str:
    return "\n".join([HEAD, "# Settings\n", *_settings_intro(), *_settings_table()]) + "\n"


def _settings_intro() -> Iterator[str]:
    yield "Each setting can be a flag, a variable of the environment, or a line `name: value` of a settings file, in"
    yield "YAML or JSON, which `--settings FILE` or `BEAGLE_SETTINGS` names. **A flag is stronger than the environment,"
    yield "the environment than the file, the file than the default.** A variable that is empty counts as not set.\n"
    yield "`beagle settings` lists what holds and where it comes from. No command and no log shows a password of a URL"
    yield "or a token. Each command takes the flags that it reads.\n"


def _settings_table() -> Iterator[str]:
    yield "| setting | flag | variable | default | meaning | takes |\n| --- | --- | --- | --- | --- | --- |"
    for setting in TABLE.values():
        variables = ", ".join(f"`{variable}`" for variable in (setting.variable, *setting.also))
        default = f"`{setting.default}`" if setting.default != "" else ""
        yield f"| `{setting.name}` | `{setting.flag}` | {variables} | {default} | {setting.meaning} | {setting.right} |"


def permits() -> str:
    return "\n".join([HEAD, *_permits_intro(), *_permits_table(), *_permits_more()]) + "\n"


def _permits_intro() -> Iterator[str]:
    yield "# What a template may do\n"
    yield """\
Whoever may hand in a template has containers started on your machines. With `docker` and `docker-compose` a template
can do what happens within its own containers, and nothing that reaches the machine or others on it. Each field that
would is refused, with file and line, what it would give away, and what permits it. A refused template is not stored,
and starts nothing.

Only what is known to be harmless passes. So a value that Compose puts together from variables (`${X:-host}`) is refused
wherever a danger could stand, and a field that is not known is refused anyway.

* `permit` is a list of words of this table, for all templates: `BEAGLE_PERMIT`, a line of the settings file, or
  `--permit` of `beagle up` and `beagle actor`.
* `permit_folders` are folders of the machine that may be bound; see below.
* `trusted: yes` refuses nothing: for a deployment whose users could do all of it anyway.

The gateway refuses what is handed in, and the launcher asks once more before it makes containers: apart, both have
these settings, and the stricter of the two decides. What runs by then goes on.
"""


def _permits_table() -> Iterator[str]:
    yield "| word | would give an experiment | where |\n| --- | --- | --- |"
    for word, gives in DANGERS.items():
        fields = [rule.place for rule in RULES if rule.word == word] + _JUDGED.get(word, [])
        yield f"| `{word}` | {gives} | {', '.join(f'`{field}`' for field in fields)} |"


_JUDGED = {
    "docker-socket": ["services.*.volumes.*"],
    "binds": ["services.*.volumes.*", "volumes.*.driver_opts"],
    "volume-drivers": ["volumes.*.driver", "volumes.*.driver_opts"],
    "external": ["networks.*.external", "networks.*.name", "services.*.networks", "services.*.volumes.*"],
    "networks": ["services.*.networks.*.aliases", "services.*.networks.*.ipv4_address"],
}


def _permits_more() -> Iterator[str]:
    yield """
## Folders

`permit_folders: /data,/scratch:rw` lets templates bind `/data` and whatever is in it, read-only (`/data/a:/a:ro`), and
`/scratch` for writing, but nothing **in** `/scratch`: a container that writes there can make a link to `/etc`, and
another one that binds the link would have `/etc`. So list each folder for writing by itself. A program can leave a file
there that makes whoever runs it root (setuid): mount such a folder with `nosuid`.

A path is judged as it is written, as the machine may be another one: relative ones, `~`, `..` and variables are in no
folder. That links within a read-only folder lead nowhere else is yours to see to. Named volumes of the template itself
are its own and need no permission, nor do `tmpfs` and volumes in memory.

## What is not refused

Published `ports` take a port of the machine, and one that is taken makes the launch fail. GPUs (`gpus`, and `deploy`'s
reservations for the driver `nvidia`), `shm_size`, `ulimits` and limits are what training needs. How much of the machine
an experiment may use, and which images, is not limited here. PyTorch's workers, for which `ipc: host` is often advised,
are content with `shm_size`.

## Experiments as processes

With `process` a template's commands run as the user that Beagle runs as, with all that this user may: read and change
its files, its own store too. No field changes that, none is refused, and the words above mean nothing there. Give
templates to that orchestrator only from people whom you would let log in as that user."""


def _schema(kinds: object, title: str) -> str:
    """What a body must look like. The tag is required, as it is when a body is read."""
    adapter: TypeAdapter[object] = TypeAdapter(Annotated[kinds, Field(discriminator="type")])
    schema = adapter.json_schema()
    for body in schema["$defs"].values():
        if "type" in body["properties"]:
            body["required"] = sorted({"type", *body.get("required", ())})
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title}
    return json.dumps(head | schema, indent=1, sort_keys=True) + "\n"


PAGES = {
    "states.md": states,
    "messages.md": messages,
    "settings.md": settings,
    "permits.md": permits,
    "schemas/commands.json": lambda: _schema(Order | Question, "What front ends send to beagle.commands"),
    "schemas/events.json": lambda: _schema(ExperimentChanged | ProjectChanged, "What beagle.events says"),
    "schemas/between-actors.json": lambda: _schema(Nudge | Stream, "What the actors tell each other"),
}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (HERE / name).write_text(page())
