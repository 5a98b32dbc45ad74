"""`beagle dead`: the messages that could not be handled, why, and what to do with them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from actors.cli.client import located, opened
from actors.cli.output import Format, Table, say, show_list, show_table, show_view, warn
from actors.cli.words import View, clean, moment, plural
from actors.main import Session
from beagle.commands_dead import DropDeadLetter, ListDeadLetters, ReplayDeadLetter, ShowDeadLetter
from beagle.errors import BeagleError, InvalidInput
from beagle.message import Command
from beagle.settings import Settings

MOST = 1000


def listed(settings: Settings, form: Format, most: int) -> None:
    with opened(located(settings)) as session:
        letters = session.ask(ListDeadLetters(limit=most))["letters"]
    if form is not Format.TABLE:
        show_list(letters, form)
    elif letters:
        show_table(_table(letters))
    else:
        say("no dead letters")


def shown(settings: Settings, form: Format, letter: str) -> None:
    """What stands in it came from anywhere: nothing of it can steer the terminal."""
    with opened(located(settings)) as session:
        view = session.ask(ShowDeadLetter(letter=letter))["letter"]
    if form is not Format.TABLE:
        show_view(view, form)
        return
    for name in ("id", "at", "queue", "exchange", "key", "reason", "size"):
        say(f"{name:<9} {moment(view['at']) if name == 'at' else clean(str(view[name]))}")
    say("")
    say("\n".join(clean(line) for line in _pretty(view["body"]).splitlines()))
    if view["cut"]:
        warn("the rest is left out")


def replay(settings: Settings, letters: Sequence[str], *, every: bool, confirmed: bool) -> None:
    _settle(settings, letters, lambda letter: ReplayDeadLetter(letter=letter), "replay", every=every, sure=confirmed)


def drop(settings: Settings, letters: Sequence[str], *, every: bool, confirmed: bool) -> None:
    _settle(settings, letters, lambda letter: DropDeadLetter(letter=letter), "drop", every=every, sure=confirmed)


def _settle(
    settings: Settings, letters: Sequence[str], order: Callable[[str], Command], verb: str, *, every: bool, sure: bool
) -> None:
    if bool(letters) == every:
        raise InvalidInput([f"name the dead letters to {verb}, as `beagle dead ls` lists them, or give --all"])
    with opened(located(settings)) as session:
        found = [view["id"] for view in session.ask(ListDeadLetters(limit=MOST))["letters"]] if every else letters
        if not found:
            say("no dead letters")
            return
        if every and not sure:
            what = plural(len(found), "dead letter") + (" or more" if len(found) == MOST else "")
            raise InvalidInput([f"--all would {verb} {what}; add --yes to do it"])
        say(f"{_each(session, found, order)} of {plural(len(found), 'dead letter')} {_PAST[verb]}")


_PAST = {"replay": "replayed", "drop": "dropped"}


def _each(session: Session, letters: Sequence[str], order: Callable[[str], Command]) -> int:
    """How many could be; what could not is told, whatever becomes of the others."""
    refused: list[str] = []
    for letter in letters:
        try:
            session.ask(order(letter))
        except BeagleError as error:
            refused.append(str(error))
    if refused:
        raise InvalidInput(refused)
    return len(letters)


def _table(letters: Sequence[View]) -> Table:
    columns = ("id", "since", "queue", "key", "size", "reason")
    rows = [
        [letter["id"], moment(letter["at"]), letter["queue"], letter["key"], str(letter["size"]), letter["reason"]]
        for letter in letters
    ]
    return Table(columns=columns, rows=rows, folding=frozenset({"reason"}), numeric=frozenset({"size"}))


def _pretty(body: str) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):  # any nesting may stand in it
        return body
