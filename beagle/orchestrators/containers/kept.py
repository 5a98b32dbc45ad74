"""What is kept of containers in the state folder, beyond their own life: their output, and how it ended.

containers/<workload>/<service>.out, <service>.err, ended.json
"""

from __future__ import annotations

import codecs
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from beagle.errors import NotFound
from beagle.orchestrators.tail import Tail
from beagle.ports import Ended, Line, Log

TAIL_BYTES, TAIL_LINES = 4096, 20


@dataclass(frozen=True, slots=True)
class Ending:
    """`services` are all that there were, the main one first."""

    ended: Ended
    started_at: float
    services: tuple[str, ...]


class Kept:
    """The files of all workloads of this folder. Several schedulers may write the same there at once."""

    def __init__(self, folder: Path) -> None:
        self._root = folder.absolute() / "containers"

    def file(self, name: str, service: str, stream: str) -> Path:
        return self._root / name / f"{service}.{stream}"

    @contextmanager
    def writing(self, name: str, service: str, stream: str) -> Iterator[Callable[[bytes, int], None]]:
        """To write pieces at their offsets: whoever reads the same again writes the same again.

        What a full disk does not take is not kept: a workload is judged all the same.
        """
        path, file = self.file(name, service, stream), -1
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)

        def write(piece: bytes, offset: int) -> None:
            with suppress(OSError):
                os.pwrite(file, piece, offset)

        try:
            yield write
        finally:
            if file >= 0:
                os.close(file)

    def end(self, name: str, ending: Ending) -> None:
        draft = self._root / name / f"ended.{os.getpid()}"
        with suppress(OSError):
            draft.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(json.dumps(asdict(ending)))
            draft.replace(draft.with_name("ended.json"))

    def ending(self, name: str) -> Ending | None:
        try:
            told = json.loads((self._root / name / "ended.json").read_text())
            return Ending(Ended(**told["ended"]), told["started_at"], tuple(told["services"]))
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def lines(self, name: str, services: tuple[str, ...]) -> Iterator[list[Line]]:
        """All that it wrote to standard output, a piece at a time, once it has ended."""
        for service in services:
            with suppress(OSError):
                tail, more = Tail(str(self.file(name, service, "out"))), True
                while more:
                    read, more = tail.read()
                    yield [line(name, service, *each) for each in read]
                yield [line(name, service, *each) for each in tail.last()]
                tail.close()

    def last_lines(self, name: str, services: tuple[str, ...]) -> str:
        """Of standard error, else of standard output."""
        for stream in ("err", "out"):
            for service in services:
                with suppress(OSError):
                    with self.file(name, service, stream).open("rb") as file:
                        file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
                        content = file.read(TAIL_BYTES)
                    if content.strip():
                        return "\n".join(content.decode(errors="replace").splitlines()[-TAIL_LINES:])
        return ""

    def log(self, name: str, service: str, stream: str, offset: int, limit: int, *, ended: bool) -> Log:
        """Raises `NotFound` when there is no such file."""
        try:
            with self.file(name, service, stream).open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                begin = max(0, size + offset) if offset < 0 else offset
                # Far behind the end no file can be read at all.
                content = os.pread(file.fileno(), limit, begin) if begin <= size else b""
        except OSError as error:
            raise NotFound(f'{name} has not written to "{service}/{stream}"') from error
        last = begin + len(content) >= size
        # A character that the limit cuts comes with the next piece.
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        text = decoder.decode(content, final=(ended and last) or len(content) < 4)
        return Log(text, begin + len(content) - len(decoder.getstate()[0]), ended and last)


def line(name: str, service: str, offset: int, text: str, length: int) -> Line:
    return Line(workload=name, source=f"{service}/out", offset=offset, text=text, length=length)
