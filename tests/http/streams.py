"""Server-sent events as a client reads them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import requests

from tests.http.client import PATIENCE, Client


@dataclass(frozen=True)
class Said:
    """`comments` stood before it; one without a name is comments alone."""

    name: str = ""
    id: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    comments: tuple[str, ...] = ()


class Stream:
    """Listens from its making on."""

    def __init__(self, client: Client, **query: str) -> None:
        self._answer = requests.get(
            f"{client.url}/api/v1/events", params=query, headers=client.headers, stream=True, timeout=PATIENCE
        )
        assert self._answer.status_code == 200, self._answer.text
        assert self._answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        self._all = self._read()
        assert next(self._all).comments == ("listening",)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._answer.close()

    def next(self) -> Said:
        """The next one that is no comment."""
        return next(said for said in self._all if said.name)

    def anything(self) -> Said:
        return next(self._all)

    def rest(self) -> list[Said]:
        """Up to the end of the stream."""
        return [*self._all]

    def _read(self) -> Iterator[Said]:
        name, identity, data, comments = "", "", {}, []
        for line in self._answer.iter_lines(chunk_size=None, decode_unicode=True):
            kind, _, text = line.partition(": ")
            match kind:
                case "event":
                    name = text
                case "id":
                    identity = text
                case "data":
                    data = json.loads(text)
                case "" if line:
                    comments.append(text)
                case "":
                    yield Said(name, identity, data, tuple(comments))
                    name, identity, data, comments = "", "", {}, []
