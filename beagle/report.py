"""What a training program calls inside an experiment: `beagle.report`, `beagle.parameters`, `beagle.completed`.

Runs in the user's process: the standard library only, and nothing done at import. Without Beagle around it, the same
program runs as it is and prints what it would have reported. Safe from any thread, and after a fork. Over
RabbitMQ it needs pika too, which `report_publisher` loads.
"""

from __future__ import annotations

import errno
import os

# The open report file of a process: a forked child has another process id, hence a file of its own.
_files: dict[tuple[int, str], int] = {}


def report(step: int | None = None, **metrics: object) -> None:
    """Report numbers, such as `report(step=epoch, accuracy=0.93, cost=0.2)`; they are written when this returns.

    Whatever converts to a float will do: NumPy and PyTorch scalars too. Raises `TypeError` for anything else, and then
    reports nothing of the call. NaN and infinities are passed on; the scheduler says that it refused them.
    """
    if not metrics:
        raise TypeError("beagle.report needs a metric, such as accuracy=0.93")
    values = {name: _number(name, value) for name, value in metrics.items()}
    head = {} if step is None else {"step": _whole(step)}
    url = os.environ.get("BEAGLE_REPORT_URL")
    if url is None:
        print(*(f"{name}={value}" for name, value in {**head, **values}.items()), flush=True)  # noqa: T201 - as said above
        return
    import json  # noqa: PLC0415 - 5 ms that a program that reports nothing need not pay

    _append(url, json.dumps({"type": "metrics", **head, "metrics": values}))


def parameters() -> dict[str, str | int | float | bool]:
    """The experiment's parameters with their types; empty outside Beagle."""
    import json  # noqa: PLC0415 - as above

    given: dict[str, str | int | float | bool] = json.loads(os.environ.get("BEAGLE_PARAMETERS", "{}"))
    return given


def completed() -> None:
    """Say that the experiment is completed: it is ended and counts as a success, whatever its exit status."""
    url = os.environ.get("BEAGLE_REPORT_URL")
    if url is not None:
        _append(url, "<EXPERIMENT_COMPLETED>", last=True)


def _append(url: str, line: str, *, last: bool = False) -> None:
    """One write for each line: with O_APPEND it lands whole or, on a full disk, as the last of its file."""
    if url.startswith(("amqp://", "amqps://", "http://", "https://")):
        from beagle.report_publisher import send  # noqa: PLC0415 - threads and sockets, which a file needs none of

        send(url, line, last=last)
        return
    key = (os.getpid(), url)
    descriptor = _files.get(key)
    if descriptor is None:
        descriptor = _open(key)
    data = f"{line}\n".encode()
    written = os.write(descriptor, data)
    if written < len(data):
        _files.pop(key, None)  # and left open: another thread may be about to write to it
        raise OSError(errno.ENOSPC, f"only {written} of {len(data)} bytes of the report could be written")


def _open(key: tuple[int, str]) -> int:
    process, url = key
    service = os.environ.get("BEAGLE_SERVICE", "").replace("/", "_") or "main"
    path = os.path.join(_folder(url), f"{service}-{process}-{os.urandom(6).hex()}.report")  # noqa: PTH118 - pathlib costs 4 ms
    mine = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o644)
    descriptor = _files.setdefault(key, mine)
    if descriptor != mine:
        os.close(mine)
        os.unlink(path)  # noqa: PTH108 - the same; another thread opened the file of this process first
    return descriptor


def _folder(url: str) -> str:
    if not url.startswith("file:///"):
        raise ValueError(f"BEAGLE_REPORT_URL is {url!r}; it must be amqp://…, http://… or file:// and an absolute path")
    return url.removeprefix("file://")


def _number(name: str, value: object) -> float:
    # Booleans and complex numbers of NumPy and PyTorch would convert: they are told by the name of their dtype.
    kind = str(getattr(value, "dtype", ""))
    if not isinstance(value, str | bytes | bytearray | bool) and "bool" not in kind and "complex" not in kind:
        try:
            return float(value)  # type: ignore[arg-type] # what does not convert is told below
        except OverflowError:
            return float("inf")
        except (TypeError, ValueError, RuntimeError):
            pass
    raise TypeError(f"{name} is {_shown(value)}; a metric is one number")


def _whole(step: object) -> int:
    if not isinstance(step, bool):
        try:
            return int(step.__index__())  # type: ignore[attr-defined] # the same
        except (AttributeError, TypeError, ValueError, RuntimeError):
            pass
    raise TypeError(f"step is {_shown(step)}; it must be a whole number")


def _shown(value: object) -> str:
    if value is None or isinstance(value, str | int | float | complex):
        return f"{value!r:.60} ({type(value).__name__})"
    return type(value).__name__
