"""The log of an actor process: what stands in each line, and what must not."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading

import pytest

from actors.journal import Json, Lines, about, learn

SECRET = "correct-horse"


def record(text: str, *words: object, level: int = logging.INFO, error: Exception | None = None) -> logging.LogRecord:
    exc_info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("actors.launcher", level, "launcher.py", 1, text, words, exc_info)


def test_a_line_names_actor_experiment_and_attempt():
    with about(actor="Launcher"):
        learn(experiment="5f", attempt=2)
        line = Lines().format(record("%s started", "it"))
    moment, rest = line.split(" ", 1)
    assert moment.endswith("Z")
    assert rest == "INFO Launcher experiment=5f attempt=2 actors.launcher: it started"


def test_json_has_one_object_on_a_line_with_the_same_fields():
    with about(actor="Monitor"):
        learn(experiment="5f", attempt=1)
        line = Json().format(record("two\nlines", level=logging.WARNING))
    assert "\n" not in line
    entry = json.loads(line)
    assert entry.pop("time").endswith("Z")
    assert entry == {
        "level": "warning",
        "logger": "actors.launcher",
        "message": "two\nlines",
        "actor": "Monitor",
        "experiment": "5f",
        "attempt": 1,
    }


def test_what_one_thread_is_about_is_not_what_another_is_about():
    seen = []
    with about(actor="Launcher"):
        thread = threading.Thread(target=lambda: seen.append(Lines().format(record("hello"))))
        thread.start()
        thread.join()
    assert "Launcher" not in seen[0]
    assert "Launcher" not in Lines().format(record("afterwards"))


@pytest.mark.parametrize("form", [Lines, Json])
def test_no_secret_is_written_not_even_in_a_traceback(form):
    error = ValueError(f"no route to amqp://beagle:{SECRET}@rabbit and token sesame")
    text = form({"sesame"}).format(record("failed at mongodb://u:%s@h", SECRET, error=error))
    assert SECRET not in text
    assert "sesame" not in text
    assert "ValueError" in text


def test_what_came_from_outside_cannot_look_like_a_line_of_its_own():
    assert Lines().format(record("%s", "a\n2026-01-01 ERROR forged")).count("\n") == 0


@pytest.mark.parametrize("form", ["lines", "json"])
def test_a_process_logs_to_standard_error_from_its_level_on(form):
    program = (
        "import logging, sys; from actors import journal; journal.begin(sys.argv[1], 'info', {'sesame'});"
        "logging.debug('too little'); logging.info('open sesame'); logging.getLogger('pika').error('noise')"
    )
    done = subprocess.run([sys.executable, "-c", program, form], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "open ***" in line
