"""Which message goes where: exchanges, routing keys and queues, as one table. A test holds it against the actors."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from typing import get_args

from beagle.commands import Order, Question
from beagle.messages import (
    AnyMessage,
    EndingRelayed,
    ExperimentChanged,
    FillPlaces,
    LaunchExperiment,
    Message,
    MetricsReported,
    ProjectChanged,
    ReadSiteLog,
    StopWorkload,
    Streamed,
    WorkloadEnded,
    WorkloadLaunched,
)

COMMANDS, EVENTS, METRICS, DEAD = "beagle.commands", "beagle.events", "beagle.metrics", "beagle.dead"
SHARDS = 8
# A message that comes back this often kills its handler each time. The limit is high, because a consumer that dies
# sends back messages that did no harm.
DELIVERY_LIMIT = 100
LONGEST_QUEUE = 100_000
# What a queue takes in bytes, and in one body; config/rabbitmq/rabbitmq.conf lets the broker refuse longer ones, and
# then it closes the sender's channel.
LARGEST_QUEUE = 256 << 20
LARGEST_BODY = 2 << 20
METRIC_QUEUES = tuple(f"metrics.{number}" for number in range(SHARDS))
# Of the replicas of an actor one at a time takes from these; so that each of them has as many as the others.
DUTIES = frozenset({"queue_manager", *METRIC_QUEUES})
# Where the original's keys arrive, `<experiment>-metrics`: one word, which no pattern can spread over the shards.
METRICS_TOPIC_QUEUE = METRIC_QUEUES[0]


@dataclass(frozen=True, slots=True)
class Route:
    """`key` is filled from the message's fields; `mandatory`: a message that no queue takes is an error."""

    exchange: str
    key: str
    mandatory: bool = True


_STREAM = Route(METRICS, "metric.{shard}.{experiment}-{attempt}")


def _gateway_key(kind: type[Message]) -> str:
    """`StopExperiment` goes to `gateway.stop_experiment`."""
    return "gateway." + re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


ROUTES: dict[type[Message], Route] = {
    **{kind: Route(COMMANDS, _gateway_key(kind)) for kind in (*get_args(Order), *get_args(Question))},
    FillPlaces: Route(COMMANDS, "queue_manager.fill_places"),
    LaunchExperiment: Route(COMMANDS, "launcher.{site}.launch_experiment"),
    StopWorkload: Route(COMMANDS, "launcher.{site}.stop_workload"),
    ReadSiteLog: Route(COMMANDS, "launcher.{site}.read_site_log"),
    WorkloadLaunched: _STREAM,
    MetricsReported: _STREAM,
    WorkloadEnded: _STREAM,
    EndingRelayed: Route(METRICS, "{experiment}-metrics"),
    ExperimentChanged: Route(EVENTS, "experiment.{state}.{project}", mandatory=False),
    ProjectChanged: Route(EVENTS, "project.{event}.{project}", mandatory=False),
}


@dataclass(frozen=True, slots=True)
class Binding:
    """A queue takes from one exchange what fits one of the patterns.

    `each`: every consumer has a queue of its own, which goes with it, and hears all that comes meanwhile; when it is
    full the oldest goes. `single`: of the consumers of the queue one is active, and the next follows when it goes.
    """

    exchange: str
    patterns: tuple[str, ...]
    each: bool = field(default=False, kw_only=True)
    single: bool = field(default=False, kw_only=True)


# What ended, by the words of the states: `queue` and `pool` are of no interest to a search.
_ENDED = ("completed", "timeout", "accuracy_limit_reached", "stopped", "failed", "deleted")
_ENDINGS = tuple(f"experiment.{state}.*" for state in _ENDED)
# Someone else than its monitor moved an experiment.
_MOVED = ("experiment.stopped.*", "experiment.queue.*", "experiment.deleted.*")

_FOR_ONE_LAUNCHER = ("launch_experiment", "read_site_log")


def bindings(site: str) -> dict[str, Binding]:
    """Every queue of a deployment whose launchers serve `site`."""
    return {
        "gateway": Binding(COMMANDS, ("gateway.*",)),
        "queue_manager": Binding(COMMANDS, ("queue_manager.*",)),
        f"launcher.{site}": Binding(COMMANDS, tuple(f"launcher.{site}.{what}" for what in _FOR_ONE_LAUNCHER)),
        f"stops.{site}": Binding(COMMANDS, (f"launcher.{site}.stop_workload",), each=True),
        "events.heuristic": Binding(EVENTS, (*_ENDINGS, "project.*.*"), each=True),
        "events.gateway": Binding(EVENTS, ("experiment.*.*", "project.*.*"), each=True),
        "events.monitor": Binding(EVENTS, _MOVED, each=True),
    } | {queue: Binding(METRICS, _metric_patterns(queue), single=True) for queue in METRIC_QUEUES}


def _metric_patterns(queue: str) -> tuple[str, ...]:
    own = f"metric.{queue.removeprefix('metrics.')}.*"
    return (own, "*") if queue == METRICS_TOPIC_QUEUE else (own,)


_FIELD = re.compile(r"\{(\w+)\}")
# For each type its key with places instead of names, and the names: filling in by place costs half.
_PARTS = {kind: (_FIELD.sub("{}", route.key), _FIELD.findall(route.key)) for kind, route in ROUTES.items()}


def address(message: AnyMessage) -> tuple[Route, str]:
    """The route and the routing key of a message."""
    route = ROUTES[type(message)]
    if isinstance(message, Streamed):
        return route, metric_key(message.experiment, message.attempt)
    key, fields = _PARTS[type(message)]
    return route, key.format(*[getattr(message, name) for name in fields]) if fields else key


def metric_key(experiment: str, attempt: int) -> str:
    """What an attempt's own stream is published with, by whoever publishes to it."""
    return f"metric.{shard(experiment)}.{experiment}-{attempt}"


def shard(experiment: str) -> int:
    """Fixed for an experiment as long as `SHARDS` is: any process computes the same."""
    return zlib.crc32(experiment.encode()) % SHARDS


def fits(pattern: str, key: str) -> bool:
    """Topic matching as RabbitMQ does it: `*` is one word, `#` any number of words, none included."""
    return _fits(pattern.split("."), key.split("."))


def _fits(pattern: list[str], words: list[str]) -> bool:
    if not pattern:
        return not words
    if pattern[0] == "#":
        return any(_fits(pattern[1:], words[skipped:]) for skipped in range(len(words) + 1))
    return bool(words) and pattern[0] in ("*", words[0]) and _fits(pattern[1:], words[1:])
