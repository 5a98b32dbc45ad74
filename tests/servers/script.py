"""What a workload of the dock does, in words that a shell understands too, once translated.

Steps are separated by `;`: `say TEXT`, `write "TEXT"` (a JSON string, as it is), `fill CHARACTER TIMES`,
`wait SECONDS`, `until FILE` (is there), `mark FILE` (with one more line), `exit STATUS` (-9: by SIGKILL),
`exit-first STATUS` (at the first attempt only), `on-stop TEXT STATUS` (what a stop makes it do, instead of its death by
SIGTERM), and `ignore` (stops, from here on). What reaches the end of its steps exits with 0.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    word: str
    rest: str


def steps(script: str) -> Iterator[Step]:
    for told in script.split(";"):
        if told.strip():
            word, _, rest = told.lstrip().partition(" ")
            yield Step(word, rest)


def text_of(step: Step) -> str:
    """What `say`, `write` and `fill` put out."""
    if step.word == "say":
        return step.rest + "\n"
    if step.word == "fill":
        character, times = step.rest.split()
        return character * int(times)
    written: str = json.loads(step.rest)
    return written


def as_shell(script: str) -> str:
    """The same for `sh`, but for what it needs the attempt for."""
    return "\n".join(_line(step) for step in steps(script))


def as_container(script: str) -> str:
    """The same for a shell alone in a container, whose first process dies of SIGTERM only if it says so."""
    told = [f"sleep {step.rest} & wait $!" if step.word == "wait" else _line(step) for step in steps(script)]
    return "\n".join(["trap 'exit 143' TERM", *told])


def _line(step: Step) -> str:
    match step.word:
        case "say" | "write":
            return f"printf %s {shlex.quote(text_of(step))}"
        case "fill":
            character, times = step.rest.split()
            return f"head -c {times} /dev/zero | tr '\\0' {character}"
        case "wait":
            # In pieces: a shell looks at its traps between commands.
            return f"n=0; while [ $n -lt {round(float(step.rest) * 100)} ]; do sleep 0.01; n=$((n+1)); done"
        case "until":
            return f"while ! test -e {shlex.quote(step.rest)}; do sleep 0.01; done"
        case "mark":
            return f"echo ran >> {shlex.quote(step.rest)}"
        case "exit":
            status = int(step.rest)
            return f"kill -{-status} $$" if status < 0 else f"exit {status}"
        case "exit-first":
            return f"test $BEAGLE_ATTEMPT != 1 || exit {step.rest}"
        case "on-stop":
            text, _, status = step.rest.rpartition(" ")
            return f"trap {shlex.quote(f'echo {text}; exit {status}')} TERM"
        case "ignore":
            return "trap '' TERM"
    raise ValueError(f"a script has no step {step.word!r}")
