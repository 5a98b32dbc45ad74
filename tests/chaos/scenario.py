"""What the chaos tests run at a dock: every way to end, in two projects. Those of the second have a deadline, which
none of them meets; those of the first have none, so that what they come to does not hang on how fast a machine is."""

from __future__ import annotations

import math

from tests.journeys.beagle_run import Search
from tests.servers.script import steps

ORCHESTRATOR = "tests.servers.docked:DockOrchestrator"
SCRIPTS = (
    "say loss=3; wait 0.6; say loss=2; wait 0.4; say loss=1",
    "say loss=1; wait 0.9; say loss=0.5; exit 3",
    "wait 0.3; say accuracy=0.5; wait 0.5; say accuracy=0.95; wait 600",
    "say loss=1; wait 0.5; say <EXPERIMENT_COMPLETED>; wait 600",
    "say loss=2; exit-first 3; wait 0.7; say loss=1",
    "ignore; wait 0.2; say accuracy=0.99; wait 600",
    "exit 0",
    "wait 0.4; say accuracy=0.97; exit 3",
)
HANGING = ("say loss=5; wait 600", "ignore; say loss=6; wait 600", "on-stop loss=0 7; say loss=7; wait 600")
TIMEOUT, ACCURACY_LIMIT, RETRIES = 2.5, 0.9, 1


def ending(count: int, *, slow: int = 1) -> Search:
    """They end by themselves, by their limit or by an exit; `slow` times as late."""
    scripts = tuple(_slowed(script, slow) for script in SCRIPTS)
    return _search("ending", scripts, count, experiment_accuracy_limit=ACCURACY_LIMIT)


def hanging(count: int, *, slow: int = 1) -> Search:
    """They end by their deadline."""
    return _search("hanging", HANGING, count, experiment_timeout=TIMEOUT * slow)


def many(count: int) -> list[Search]:
    """At least `count` of both kinds."""
    return [ending(count * 4 // 5), hanging(count // 5)]


def sent(searches: list[Search]) -> int:
    """How many experiments they are."""
    return sum(math.prod(len(parameter["value"]) for parameter in search.parameters) for search in searches)


def _slowed(script: str, slow: int) -> str:
    told = [(step.word, f"{float(step.rest) * slow:g}" if step.word == "wait" else step.rest) for step in steps(script)]
    return "; ".join(" ".join(step) for step in told)


def _search(name: str, scripts: tuple[str, ...], count: int, **fields: object) -> Search:
    parameters = [
        {"name": "SCRIPT", "type": "absolute", "value": list(scripts)},
        {"name": "N", "type": "absolute", "value": list(range(-(-count // len(scripts))))},
    ]
    more = {"retries": {"exit": RETRIES}, "pause_after_failures": 0, **fields}
    return Search({"train": ["true"]}, count, parameters, more, name=name, grace="0.5s")
