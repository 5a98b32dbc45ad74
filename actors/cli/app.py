"""The console script `beagle`. Every error ends here as one sentence, with its exit status."""

from __future__ import annotations

import signal
import sys

from actors.cli.interrupts import leave
from beagle.errors import BeagleError, InvalidInput, NotFound

DONE, FAILED, WRONG_INPUT = 0, 1, 2


def main() -> int:
    """Exit status: 0 done, 1 failed, 2 wrong input, 130 interrupted."""
    # Before anything else is imported, which takes a tenth of a second: Ctrl-C within it must be quiet too.
    signal.signal(signal.SIGINT, leave)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that cannot show a letter shows its number
            stream.reconfigure(errors="backslashreplace")
    try:
        return _command()
    except InvalidInput as error:
        return _end(WRONG_INPUT, *error.problems)
    except NotFound as error:
        return _end(WRONG_INPUT, str(error))
    except BeagleError as error:
        return _end(FAILED, str(error))
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        return _end(FAILED, f"{error.strerror or error}{where}")
    except Exception as error:  # noqa: BLE001 - the last door: no user is shown a traceback
        from actors.cli.crash import write_down  # noqa: PLC0415 - the modules that write tracebacks cost 10 ms

        return _end(FAILED, write_down(error))


def _command() -> int:
    from actors.cli.commands import app  # noqa: PLC0415 - Typer costs 80 ms, and the handler above comes first

    try:
        app()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else DONE
    return DONE


def _end(status: int, *sentences: str) -> int:
    for sentence in sentences:
        sys.stderr.write(f"beagle: {sentence}\n")
    return status
