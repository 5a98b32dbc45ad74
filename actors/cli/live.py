"""The live view of a run on a terminal: progress, what runs, the best so far, and when it will end."""

from __future__ import annotations

import time
from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table as RichTable
from rich.text import Text

from actors.cli.drawn import STYLES
from actors.cli.following import Look
from actors.cli.lines import ending
from actors.cli.words import ENDED, clean, duration, elapsed, number, pairs

# What the view takes besides the running experiments.
OTHER_LINES = 9
MOST_FAILURES = 10


class LiveView:
    """Drawn when it is shown a look, and at no other time. `close` leaves the last picture on the screen."""

    def __init__(self, *, owner: bool) -> None:
        self._hint = "Ctrl-C pauses" if owner else "Ctrl-C leaves it running"
        self._console = Console(highlight=False)
        self._since = time.monotonic()
        self._failures = 0
        self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="crop")
        self._live.start()

    def show(self, look: Look) -> None:
        for place, view in look.news:
            if view["state"] == "failed":
                self._tell_failure(ending(place, view, look.project))
        self._live.update(Picture(look, time.monotonic() - self._since, time.time(), self._hint), refresh=True)

    def close(self) -> None:
        self._live.stop()

    def _tell_failure(self, line: str) -> None:
        self._failures += 1
        if self._failures <= MOST_FAILURES:
            self._console.print(_one_line(line, STYLES["failed"]))
        if self._failures == MOST_FAILURES:
            self._console.print(Text("further failures are counted below, and listed by `beagle experiments`"))


class Picture:
    """One look, drawn to the width and height that there are."""

    def __init__(self, look: Look, ran: float, now: float, hint: str) -> None:
        self._look, self._ran, self._now, self._hint = look, ran, now, hint

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        room = max(1, (options.max_height or 24) - OTHER_LINES)
        yield Group(*self._parts(options.max_width, room))

    def _parts(self, width: int, room: int) -> Iterator[RenderableType]:
        look = self._look
        yield _bar(look, self._ran, width)
        yield _counts(look)
        if look.running:
            yield Text()
            yield self._running(room)
        if look.best is not None:
            yield Text()
            yield _best(look)
        if not look.is_over:
            yield Text(self._hint, style="dim")

    def _running(self, room: int) -> RichTable:
        table = RichTable(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
        table.add_column("running", no_wrap=True, justify="right")
        table.add_column("for", no_wrap=True, justify="right")
        # These two may shrink: each cell then keeps to its line, and loses its end.
        table.add_column("parameters")
        table.add_column("last metrics")
        shown = self._look.running[:room]
        for view in shown:
            table.add_row(
                Text(f"#{view['number']}", style=STYLES["pool"]),
                elapsed(view, self._now),
                _one_line(pairs(view["parameters"])),
                _one_line(pairs(view["metrics"])),
            )
        hidden = self._look.project["counts"]["pool"] - len(shown)
        if hidden > 0:
            table.add_row("", "", Text(f"and {hidden} more", style="dim"), "")
        return table


def _one_line(words: str, style: str = "") -> Text:
    return Text(words, style=style, no_wrap=True, overflow="ellipsis")


def _bar(look: Look, ran: float, width: int) -> RichTable:
    planned = look.project["planned"]
    line = RichTable.grid(padding=(0, 2, 0, 0))
    # Nothing is known of those that run for longer than the others did.
    times = f"{duration(ran)}, about {duration(look.left)} left" if look.left else duration(ran)
    progress = f"{look.ended} of {planned}" if planned is not None else f"{look.ended} ended"
    name = clean(look.project["name"])
    name = name if len(name) <= 24 else f"{name[:23]}…"
    bar = ProgressBar(
        total=planned or None,
        completed=look.ended,
        width=max(10, min(40, width - len(name) - len(progress) - len(times) - 6)),
        pulse=planned is None,
    )
    line.add_row(Text(name, style="bold"), bar, progress, times)
    return line


def _counts(look: Look) -> Text:
    counts = look.project["counts"]
    words = Text(f"{counts['pool']} of at most {look.limit} running", style=STYLES["pool"])
    words.append(f"  {counts['queue']} queued", style="default")
    for state in ENDED:
        if counts[state]:
            words.append(f"  {counts[state]} {state}", style=STYLES[state])
    return words


def _best(look: Look) -> Text:
    best = look.best or {}
    words = Text("best so far  ", style="dim")
    words.append(f"{clean(look.project['objective'])} {number(best['objective'])}", style="bold green")
    words.append(f"  #{best['number']}  {pairs(best['parameters'])}")
    return words
