"""`beagle settings`: what holds, and where each value comes from."""

from __future__ import annotations

import os

from actors.cli.output import Format, Table, show_list, show_table, warn
from beagle.misspelt import misspelt
from beagle.settings import TABLE, Chosen


def settings(chosen: Chosen, form: Format) -> None:
    """Nothing secret is printed."""
    for sentence in misspelt(os.environ):
        warn(sentence)
    views = [{"setting": name, "value": chosen.shown(name), "from": chosen.sources[name]} for name in TABLE]
    if form is not Format.TABLE:
        show_list(views, form)
        return
    rows = [(view["setting"], view["value"], view["from"]) for view in views]
    show_table(Table(columns=("setting", "value", "from"), rows=rows, folding=frozenset({"value", "from"})))
