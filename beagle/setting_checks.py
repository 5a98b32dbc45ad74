"""What a setting may be: each check answers with the value, or with None for a wrong one."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

Value = str | int | float
NAME_LENGTH = 63
# What BeagleML 1.0.0 called its orchestrators, in any case.
_ORCHESTRATORS = {"dockercompose": "docker-compose", "openshift": "openshift", "dcos": "marathon"}


def url(*schemes: str, words: tuple[str, ...] = ()) -> Callable[[object], str | None]:
    def check(given: object) -> str | None:
        if not isinstance(given, str):
            return None
        scheme, separator, rest = given.partition("://")
        fits = bool(separator) and scheme in schemes and rest != "" and not any(sign.isspace() for sign in rest)
        return given if given in words or fits else None

    return check


def one_of(*words: str) -> Callable[[object], str | None]:
    return lambda given: given if isinstance(given, str) and given in words else None


def text(given: object) -> str | None:
    return given if isinstance(given, str) and given.isprintable() else None


def orchestrator(given: object) -> str | None:
    found = text(given)
    return found if found is None else _ORCHESTRATORS.get(found.lower(), found)


def orchestrator_url(given: object) -> str | None:
    """`http://localhost` stands in the original's composition for Docker, where nobody read it."""
    found = text(given)
    return "" if found is not None and found.rstrip("/") == "http://localhost" else found


def name(given: object) -> str | None:
    """It becomes a word of routing keys, so it has no dots."""
    text = str(given) if isinstance(given, int) and not isinstance(given, bool) else given
    if not isinstance(text, str) or not 0 < len(text) <= NAME_LENGTH:
        return None
    return text if all(letter.isascii() and (letter.isalnum() or letter in "-_") for letter in text) else None


def seconds(given: object) -> float | None:
    if isinstance(given, bool) or not isinstance(given, int | float):
        return None
    return float(given) if 0 < given <= 3600 else None


def count(given: object) -> float | None:
    if isinstance(given, bool) or not isinstance(given, int | float):
        return None
    return float(given) if 1 <= given <= 1_000_000 else None


def port(given: object) -> str | None:
    if isinstance(given, str):
        return given if given in {"auto", "off"} else None
    return str(given) if isinstance(given, int) and not isinstance(given, bool) and 0 <= given <= 65535 else None


def words(given: object) -> str | None:
    """A list of words that commas separate; white space around them is nothing."""
    if not isinstance(given, str) or not given.isprintable():
        return None
    found = split(given)
    return ",".join(found) if not any(sign.isspace() for word in found for sign in word) else None


def words_of(*known: str) -> Callable[[object], str | None]:
    def check(given: object) -> str | None:
        found = words(given)
        return found if found is not None and set(split(found)) <= set(known) else None

    return check


def origins(given: object) -> str | None:
    found = words(given)
    if found is None:
        return None
    parts = [urlsplit(origin) for origin in split(found)]
    fit = all(part.scheme in {"http", "https"} and part.netloc and not (part.path or part.query) for part in parts)
    return found if fit else None


def folders(given: object) -> str | None:
    if not isinstance(given, str) or not given.isprintable():
        return None
    found = split(given)
    return ",".join(found) if all(path.startswith("/") for path in found) else None


def span(given: object) -> float | None:
    if isinstance(given, bool) or not isinstance(given, int | float):
        return None
    return float(given) if 60 <= given <= 31_536_000 else None


def split(listed: str) -> list[str]:
    """The words of a setting that lists some."""
    return [word.strip() for word in listed.split(",") if word.strip()]
