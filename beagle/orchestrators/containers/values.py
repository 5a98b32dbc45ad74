"""What values of a Compose file mean to the engine. Each function raises `ValueError` that says what would be right."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from typing import TypeVar

from pydantic import JsonValue

from beagle.durations import seconds
from beagle.sentences import shown

Data = JsonValue
T = TypeVar("T")
_BYTES = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?", re.IGNORECASE)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def wrong(value: Data, right: str) -> ValueError:
    return ValueError(f"is {shown(value)}; give {right}")


def text(value: Data) -> str:
    if isinstance(value, bool | list | dict) or value is None:
        raise wrong(value, "text")
    return str(value)


def switch(value: Data) -> bool:
    if not isinstance(value, bool):
        raise wrong(value, "true or false")
    return value


def whole(value: Data) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"-?\d+", str(value)):
        raise wrong(value, "a whole number")
    return int(str(value))


def number(value: Data) -> float:
    try:
        if not isinstance(value, bool | list | dict) and value is not None:
            return float(value)
    except ValueError:
        pass
    raise wrong(value, "a number")


def size(value: Data) -> int:
    """Bytes."""
    found = None if isinstance(value, bool) else _BYTES.fullmatch(str(value).strip())
    if found is None:
        raise wrong(value, "a size in bytes, or such as 512m or 2g")
    return int(float(found[1]) * _UNITS[found[2].lower()])


def nanoseconds(value: Data) -> int:
    return int(seconds(value) * 1e9)


def nano_cpus(value: Data) -> int:
    return int(number(value) * 1e9)


def words(value: Data) -> list[str]:
    """One text, or a list of them."""
    return [text(item) for item in (value if isinstance(value, list) else [value])]


def listed(value: Data) -> list[str]:
    if not isinstance(value, list):
        raise wrong(value, "a list")
    return [text(item) for item in value]


def command(value: Data) -> list[str]:
    return shlex.split(value) if isinstance(value, str) else listed(value)


def pairs(value: Data) -> dict[str, str]:
    """A mapping, or a list of `name=value`."""
    if isinstance(value, dict):
        return {name: "" if each is None else text(each) for name, each in value.items()}
    return {name: rest for name, _, rest in (each.partition("=") for each in listed(value))}


def mapping(value: Data, **known: Callable[[Data], T]) -> dict[str, T]:
    """The fields of a mapping, each as its function reads it."""
    if not isinstance(value, dict):
        raise wrong(value, "a mapping")
    for name in value:
        if name not in known:
            raise ValueError(f"has the field {name}, of which `docker` knows nothing; {COMPOSE}")
    return {name: known[name](each) for name, each in value.items() if each is not None}


COMPOSE = "remove it, or use --orchestrator docker-compose"
