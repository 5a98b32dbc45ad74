"""Tables on a terminal, by Rich."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from actors.cli.output import Table
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


def draw(table: Table) -> None:
    """Print it to the terminal's width."""
    Console(highlight=False).print(rich_table(table))


def rich_table(table: Table) -> RichTable:
    """Cells are plain text: brackets in a user's names mean nothing."""
    drawn = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for name in table.columns:
        folds = name in table.folding
        drawn.add_column(
            name,
            justify="right" if name in table.numeric else "left",
            no_wrap=not folds,
            overflow="fold" if folds else "ellipsis",
            ratio=None,
        )
    for row in table.rows:
        drawn.add_row(*(Text(clean(cell) or "-", style=STYLES.get(cell, "")) for cell in row))
    return drawn
