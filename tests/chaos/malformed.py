"""Messages that are none, made from ones that are: seeded, each with a name for what was done to it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from beagle.errors import InvalidInput
from beagle.messages import LONGEST, decode, encode
from tests.rules.instances import ONE_OF_EACH

_VALID = [encode(message) for message in ONE_OF_EACH.values()]
_WRONG = [None, True, -1, 2**70, 1.5, "", "x", "\x00", "é" * 300, [], [1], {}, {"a": {"b": []}}, "NaN"]
HEADERS: tuple[dict[str, str | int], ...] = (
    {},
    {"CC": "metric.0.e"},
    {"x-death": "often", "x-delivery-count": 99},
    {"source": "é" * 300, "sequence": 2**62},
    {"source": "", "sequence": "many"},
    {f"h{n}": "v" * 50 for n in range(60)},
)


@dataclass(frozen=True, slots=True)
class Malformed:
    how: str
    body: bytes
    headers: dict[str, str | int]


def malformed(seed: int, count: int, actor: Callable[[bytes], bool] = lambda _: False) -> Iterator[Malformed]:
    """`count` of all sorts in turn. What became a message that its actor would take, `actor` says so, is left out."""
    chance = random.Random(seed)
    made = 0
    while made < count:
        how, make = _SORTS[made % len(_SORTS)]
        body = make(chance, chance.choice(_VALID))
        if not _is_message(body) or not actor(body):
            made += 1
            yield Malformed(how, body, chance.choice(HEADERS))


def _is_message(body: bytes) -> bool:
    try:
        decode(body)
    except InvalidInput:
        return False
    return True


def _fields(body: bytes) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(body)
    return fields


def _with(body: bytes, **fields: object) -> bytes:
    return json.dumps(_fields(body) | fields).encode()


def _truncated(chance: random.Random, body: bytes) -> bytes:
    return body[: chance.randrange(len(body))]


def _flipped(chance: random.Random, body: bytes) -> bytes:
    flipped = bytearray(body)
    for _ in range(chance.randint(1, 8)):
        flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
    return bytes(flipped)


def _mistyped(chance: random.Random, body: bytes) -> bytes:
    return _with(body, **{chance.choice([*_fields(body)]): chance.choice(_WRONG)})


def _without(chance: random.Random, body: bytes) -> bytes:
    fields = _fields(body)
    del fields[chance.choice([*fields])]
    return json.dumps(fields).encode()


def _nested(chance: random.Random, body: bytes) -> bytes:
    deep = chance.choice([b"[", b'{"a":']) * chance.choice([100, 5000])
    return chance.choice([deep, body[:-1] + b',"more":' + deep])


def _huge(chance: random.Random, body: bytes) -> bytes:
    """Most are only large; the few that are over the longest would take all the time."""
    size = LONGEST + 1 if chance.random() < 0.02 else 20_000
    return _with(body, padding="x" * size)


_SORTS: tuple[tuple[str, Callable[[random.Random, bytes], bytes]], ...] = (
    ("truncated", _truncated),
    ("flipped", _flipped),
    ("mistyped", _mistyped),
    ("a field less", _without),
    ("a field more", lambda chance, body: _with(body, **{f"more{chance.random()}": 1})),
    ("another version", lambda chance, body: _with(body, v=chance.choice([0, 2, "1", None, 1.5]))),
    (
        "an unknown type",
        lambda chance, body: _with(body, type=chance.choice(["Nonsense", "", 7, None, ["ShowSystem"]])),
    ),
    ("an id that is none", lambda chance, body: _with(body, id=chance.choice(["", "x" * 24, 5, "0" * 25]))),
    ("binary", lambda chance, _: chance.randbytes(chance.randint(1, 300))),
    ("nothing", lambda _, __: b""),
    ("no object", lambda chance, _: chance.choice([b"null", b"[]", b"1", b'"a"', b"true", b"NaN", b"1e999", b"{}"])),
    ("two objects", lambda _, body: body + body),
    ("deep", _nested),
    ("no text", lambda chance, body: body.replace(b'"', chance.choice([b"\xff", b"\x00", b"\xed\xa0\x80"]))),
    ("another's", lambda _, body: body),
    ("huge", _huge),
)
