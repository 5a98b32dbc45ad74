"""Variables in the text of a Compose file. Only a default can stand for one: our own environment is none of its."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydantic import JsonValue

Place = tuple[str | int, ...]
_VARIABLE = re.compile(
    r"\$(?:(?P<dollar>\$)|(?P<bare>[A-Za-z_]\w*)|\{(?P<name>[A-Za-z_]\w*)(?::?-(?P<default>[^{}$]*))?\}|(?P<wrong>))"
)


def filled(text: str) -> str:
    """As Compose reads it where no variable is set: `$$` is `$`, `${NAME:-text}` is the text. Raises `ValueError`."""

    def value(found: re.Match[str]) -> str:
        if found["dollar"]:
            return "$"
        if found["name"] and found["default"] is not None:
            return found["default"]
        if found["wrong"] is not None:
            raise ValueError("has a `$` that begins no variable; write `$$` for the sign itself")
        name = found["name"] or found["bare"]
        raise ValueError(
            f"takes {name} from the environment of who starts it, which no template sees;"
            f" write the value, or a default: ${{{name}:-…}}"
        )

    return _VARIABLE.sub(value, text)


def filled_all(data: JsonValue) -> JsonValue:
    """All texts of it, but for the names of fields. Raises `ValueError`."""
    match data:
        case str():
            return filled(data)
        case list():
            return [filled_all(item) for item in data]
        case dict():
            return {name: filled_all(value) for name, value in data.items()}
    return data


def problems(data: JsonValue, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """Each text that cannot be filled, by its place."""
    match data:
        case str():
            try:
                filled(data)
            except ValueError as error:
                yield place, str(error)
        case list():
            for index, item in enumerate(data):
                yield from problems(item, (*place, index))
        case dict():
            for name, value in data.items():
                yield from problems(value, (*place, name))
