"""What a deployment is told about itself: one table of settings, and where each may be given.

A flag is stronger than the environment, the environment than the file, the file than the default. Reading a file is in
`settings_file`: this module is imported by the command line, which must start at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field, fields
from typing import Any

from beagle import setting_checks as checks
from beagle.dangers import DANGERS
from beagle.errors import InvalidInput
from beagle.redaction import redacted, secrets_in
from beagle.scalars import resolved
from beagle.sentences import shown
from beagle.setting_checks import Value

PREFIX = "BEAGLE_"
FILE = "settings"
MEMORY, SQLITE = "memory", "sqlite"
DEFAULT, FLAG = "default", "flag"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """`right` says what would be right; `check` answers with the value, or None for a wrong one.

    `also` are variables of the original that mean the same; the one with the prefix is stronger.
    """

    name: str
    default: Value
    check: Callable[[object], Value | None]
    right: str
    meaning: str
    also: tuple[str, ...] = ()
    secret: bool = False

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        return PREFIX + self.name.upper()


def _setting(
    default: Value,
    check: Callable[[object], Value | None],
    right: str,
    meaning: str,
    *,
    also: tuple[str, ...] = (),
    secret: bool = False,
) -> Any:  # noqa: ANN401 - as dataclasses.field, whose type is that of the default
    row = {"check": check, "right": right, "meaning": meaning, "also": also, "secret": secret}
    return field(default=default, metadata=row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The table: its rows are the settings, in the order in which they are shown."""

    bus: str = _setting(
        MEMORY,
        checks.url("amqp", "amqps", words=(MEMORY,)),
        "memory, or the URL of a RabbitMQ virtual host: amqp://user:password@host:5672/beagle",
        "What carries the messages: `memory` within one process, or RabbitMQ between many.",
    )
    metrics_bus: str = _setting(
        "",
        checks.url("amqp", "amqps", words=("",)),
        "the URL of a RabbitMQ virtual host: amqp://user:password@host:5672/beagle-metrics",
        "The virtual host of the metrics, where experiments may publish; by default that of `bus`.",
    )
    store: str = _setting(
        SQLITE,
        checks.url("mongodb", "mongodb+srv", words=(SQLITE,)),
        "sqlite, or the URL of a MongoDB database: mongodb://user:password@host:27017/beagle",
        "What keeps the records: `sqlite`, a file in the state folder of one process, or MongoDB for many.",
    )
    management: str = _setting(
        "auto",
        checks.url("http", "https", words=("auto", "off")),
        "auto, off, or the URL of RabbitMQ's management interface: http://user:password@host:15672",
        "RabbitMQ's management interface, by which each attempt gets a broker user of its own; `auto` looks for it at"
        " port 15672 of the broker.",
    )
    experiment_bus: str = _setting(
        "",
        checks.url("amqp", "amqps", words=("",)),
        "the URL of the metrics' virtual host as experiments reach it: amqp://broker:5672/beagle-metrics",
        "The broker as experiments see it, when that is another address than ours; user and password are put in for"
        " each attempt. Without `management` they must be in it, for one user of all experiments.",
    )
    metrics_rate: float = _setting(
        1000.0,
        checks.count,
        "a number from 1 to 1000000",
        "How many messages a second an experiment may publish in the long run; what comes beyond is not kept.",
    )
    metrics_burst: float = _setting(
        10_000.0, checks.count, "a number from 1 to 1000000", "How many it may publish at once, before that rate holds."
    )
    orchestrator: str = _setting(
        "process", checks.orchestrator, "the name of an orchestrator", "What runs experiments.", also=("ORCHESTRATOR",)
    )
    orchestrator_url: str = _setting(
        "", checks.orchestrator_url, "a URL", "Where the orchestrator is.", also=("ORCHESTRATOR_URL",)
    )
    orchestrator_token: str = _setting(
        "", checks.text, "text", "What it asks for as proof.", also=("ORCHESTRATOR_TOKEN",), secret=True
    )
    site: str = _setting(
        "local",
        checks.name,
        f"at most {checks.NAME_LENGTH} letters, digits, - and _",
        "The host or cluster that this launcher starts experiments on; launchers of one site compete.",
    )
    host: str = _setting(
        "127.0.0.1",
        checks.text,
        "an address of this machine, or 0.0.0.0 for all",
        "Where the gateway serves HTTP. On any address but loopback it needs a `token`.",
    )
    port: str = _setting(
        "5000",
        checks.port,
        "auto, off, or a port from 0 to 65535",
        "The port of the HTTP gateway; `off` serves none, 0 and `auto` take any free one.",
    )
    token: str = _setting(
        "",
        checks.text,
        "text",
        "What every HTTP call must bear (`Authorization: Bearer …`): asked for by the gateway, and given by the command"
        " line.",
        secret=True,
    )
    origins: str = _setting(
        "",
        checks.origins,
        "origins, separated by commas: http://localhost:8080",
        "The origins of front ends that browsers may call the gateway from.",
    )
    hosts: str = _setting(
        "",
        checks.words,
        "names, separated by commas",
        "More names by which HTTP clients may call the gateway, such as that of a proxy before it.",
    )
    server: str = _setting(
        "",
        checks.url("http", "https", words=("",)),
        "the URL of a gateway: http://localhost:5000",
        "The gateway that the command line speaks to, instead of a state folder or a bus.",
    )
    experiment_server: str = _setting(
        "",
        checks.url("http", "https", words=("",)),
        "the URL of a gateway: http://gateway:5000",
        "The gateway as experiments reach it, for those that report over HTTP.",
    )
    network: str = _setting(
        "auto",
        checks.text,
        "auto, none, or the name of a Docker network",
        "The Docker network that containers join: `auto` is the one that this process runs in itself, else the one"
        " whose name contains `beagleml`, else Docker's own.",
    )
    main_service: str = _setting(
        "",
        checks.text,
        "the name of a service",
        "The service whose end ends an experiment, where a template has several and no label `beagle.main` says it.",
    )
    trusted: str = _setting(
        "no",
        checks.one_of("no", "yes"),
        "yes or no",
        "`yes`: templates may do whatever containers can, to this machine too.",
    )
    permit: str = _setting(
        "",
        checks.words_of(*DANGERS),
        f"some of these, separated by commas: {', '.join(DANGERS)}",
        "What templates may do although it is dangerous, each by the word that its refusal names.",
    )
    permit_folders: str = _setting(
        "",
        checks.folders,
        "absolute paths, separated by commas, with :rw behind those that may be written",
        "Folders of the machine that templates may bind into containers; those with `:rw` only as a whole.",
    )
    keep_ended: float = _setting(
        3600.0,
        checks.span,
        "seconds, from 60 to 31536000",
        "How long what is left of an ended experiment stays at the orchestrator (containers, networks); its log is"
        " kept in the state folder after that.",
    )
    folder: str = _setting(
        "",
        checks.text,
        "the path of a folder",
        "The state folder: outputs and checkpoints, with `sqlite` the store too. By default `.beagle` beside the"
        " project file, or the nearest one here and upwards.",
    )
    log_format: str = _setting(
        "lines",
        checks.one_of("lines", "json"),
        "lines or json",
        "How actor processes write their log, to standard error.",
    )
    log_level: str = _setting(
        "info",
        checks.one_of("debug", "info", "warning", "error"),
        "debug, info, warning or error",
        "The least that is logged.",
    )
    health_address: str = _setting(
        "127.0.0.1",
        checks.text,
        "an address of this machine, or 0.0.0.0 for all",
        "Where actor processes serve `/healthz` and `/metrics`.",
    )
    health_port: str = _setting(
        "auto",
        checks.port,
        "auto, off, or a port from 0 to 65535",
        "The port of both; `auto` is 9464, or a free one when that is taken, and 0 is any free one.",
    )
    health_after: float = _setting(
        15.0,
        checks.seconds,
        "seconds, above 0 and at most 3600",
        "How long a loop may stand still before it is unhealthy.",
    )
    grace: float = _setting(
        8.0,
        checks.seconds,
        "seconds, above 0 and at most 3600",
        "How long an actor process may take to finish what it has begun, after SIGTERM.",
    )

    @property
    def apart(self) -> bool:
        """Whether the bus is one that other processes reach."""
        return self.bus != MEMORY

    @property
    def remote(self) -> bool:
        """Whether commands speak to actors elsewhere, and to no state folder: over a bus, or to a gateway."""
        return self.apart or bool(self.server)


TABLE: dict[str, Setting] = {
    row.name: Setting(name=row.name, default=getattr(Settings(), row.name), **row.metadata) for row in fields(Settings)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What holds, and for each setting where it came from: a flag, a variable, a file and its line, or the default."""

    settings: Settings
    sources: Mapping[str, str]

    def shown(self, name: str) -> str:
        """Its value without what is secret in it."""
        value = str(getattr(self.settings, name))
        return "***" if TABLE[name].secret and value else redacted(value)

    def secrets(self) -> set[str]:
        """What no log and no message may show."""
        found: set[str] = set()
        for name, setting in TABLE.items():
            value = str(getattr(self.settings, name))
            found |= {value} - {""} if setting.secret else secrets_in(value)
        return found


def load(flags: Mapping[str, str | None], environment: Mapping[str, str]) -> Chosen:
    """Raises `InvalidInput` with a sentence for each mistake; `flags` may name the settings file as `settings`."""
    values: dict[str, Value] = {name: setting.default for name, setting in TABLE.items()}
    sources = dict.fromkeys(TABLE, DEFAULT)
    problems: list[str] = []
    file = flags.get(FILE) or environment.get(PREFIX + FILE.upper())
    if file:
        from beagle.settings_file import read_settings  # noqa: PLC0415 - YAML costs 20 ms, and few have a file

        for name, (written, line) in read_settings(file).items():
            values[name], sources[name] = written, line
    for name, text, source in [*_variables(environment), *_flags(flags)]:
        value = _value(TABLE[name], text)
        if value is None:
            problems.append(f"{source}: {wrong(TABLE[name], text)}")
        else:
            values[name], sources[name] = value, source
    if problems:
        raise InvalidInput(problems)
    known: Any = values
    return Chosen(settings=Settings(**known), sources=sources)


def hide_secrets(environment: MutableMapping[str, str]) -> None:
    """Take out what holds secrets, whether it was chosen or not: experiments that are processes inherit the rest."""
    for setting in TABLE.values():
        for variable in (setting.variable, *setting.also):
            value = environment.get(variable, "")
            if value and (setting.secret or redacted(value) != value):
                del environment[variable]


def wrong(setting: Setting, given: object) -> str:
    """What is wrong with a value, without its secrets."""
    if isinstance(given, str):
        # Of a malformed URL only what stands behind its user and password is known to be no secret.
        _, at, rest = given.rpartition("@")
        given = f"***@{rest}" if at else given
    value = "no such text" if setting.secret else shown(given)
    return f"is {value}; give {setting.right}"


def _variables(environment: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Name, text and variable of each that is set; an empty one counts as none, as Compose files leave them."""
    for name, setting in TABLE.items():
        variable = next((each for each in (setting.variable, *setting.also) if environment.get(each)), None)
        if variable is not None:
            yield name, environment[variable], variable


def _flags(flags: Mapping[str, str | None]) -> Iterator[tuple[str, str, str]]:
    for name, text in flags.items():
        if name in TABLE and text is not None:
            yield name, text, TABLE[name].flag


def _value(setting: Setting, text: str) -> Value | None:
    """What a text means for a setting: some names and all texts look like numbers too."""
    found = setting.check(text)
    if found is None:
        found = setting.check(resolved(text))
    return found
