"""Tables on a terminal, by Rich."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from actors.cli.output import GAP, Table
from actors.cli.words import clean

STYLES = {
    "pool": "cyan",
    "running": "cyan",
    "completed": "green",
    "accuracy_limit_reached": "green",
    "timeout": "yellow",
    "paused": "yellow",
    "stopping": "yellow",
    "stopped": "yellow",
    "failed": "red",
}
# The columns that wrap take seven tenths of what the fixed ones leave, before those that are cut get anything.
FOLDING_SHARE = 0.7
NARROWEST = 12


def draw(table: Table) -> None:
    """Print it to the terminal's width."""
    console = Console(highlight=False)
    console.print(rich_table(table, console.width))


def rich_table(table: Table, width: int) -> RichTable:
    """Cells are plain text: brackets in a user's names mean nothing. A column without room is left out."""
    widths = fitted(table, width)
    drawn = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold", padding=(0, 1))
    kept = [at for at, name in enumerate(table.columns) if widths[name]]
    for name in (table.columns[at] for at in kept):
        drawn.add_column(
            name,
            width=widths[name],
            justify="right" if name in table.numeric else "left",
            no_wrap=name not in table.folding,
            overflow="fold" if name in table.folding else "ellipsis",
        )
    for row in table.rows:
        drawn.add_row(*(Text(clean(row[at]) or "-", style=STYLES.get(row[at], "")) for at in kept))
    return drawn


def fitted(table: Table, width: int) -> dict[str, int]:
    """How wide each column may be, in letters; 0 for one that has no room."""
    natural = {
        name: max([len(name), *(len(clean(row[at])) for row in table.rows)]) for at, name in enumerate(table.columns)
    }
    folding, cut = ({name: natural[name] for name in group} for group in (table.folding, table.cut))
    gaps = (len(GAP) + 1) * (len(natural) - 1)
    left = width - gaps - sum(natural[name] for name in natural.keys() - folding.keys() - cut.keys())
    if sum(folding.values()) + sum(cut.values()) <= left:
        return natural
    room = min(sum(folding.values()), int(left * FOLDING_SHARE)) if cut else left
    spare = left - room
    if spare < NARROWEST * len(cut):
        cut, room = dict.fromkeys(cut, 0), left
    return natural | _shared(folding, room) | _shared(cut, spare)


def _shared(columns: dict[str, int], room: int) -> dict[str, int]:
    """Narrow columns get what they need; the others share the rest evenly."""
    shared: dict[str, int] = {}
    for at, (name, needed) in enumerate(sorted(columns.items(), key=lambda column: column[1])):
        shared[name] = min(needed, max(NARROWEST, room // (len(columns) - at))) if needed else 0
        room -= shared[name]
    return shared
