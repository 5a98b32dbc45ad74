"""The live view, drawn to text: what it shows of a look, and that it fits."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from actors.cli.ending import chosen, exit_status
from actors.cli.following import Look
from actors.cli.live import LiveView, Picture

STATES = ("queue", "pool", "completed", "timeout", "accuracy_limit_reached", "stopped", "failed")
LAUNCHED = "1970-01-01T00:01:00+00:00"


def experiment(number: int, **more: object) -> dict[str, object]:
    return {
        "number": number,
        "name": f"digitsmodel{number}",
        "state": "pool",
        "parameters": {"LEARNING_RATE": number / 10, "HIDDEN_SIZE": "20,50"},
        "metrics": {"accuracy": 0.5},
        "objective": 0.5,
        "launch_time": LAUNCHED,
        "end_time": None,
        **more,
    }


def look(
    running: int = 2, *, state: str = "running", best: bool = True, planned: int | None = 18, **counts: int
) -> Look:
    counted = dict.fromkeys(STATES, 0) | {"pool": running, "queue": 9, "completed": 5} | counts
    return Look(
        project={
            "name": "digits",
            "objective": "accuracy",
            "state": state,
            "reason": "enough of it",
            "planned": planned,
            "counts": counted,
        },
        best=experiment(3, objective=0.98) if best else None,
        running=[experiment(number) for number in range(7, 7 + running)],
        limit=4,
        started=True,
        ended=sum(counted[name] for name in STATES[2:]),
        news=[],
        left=90.0,
    )


def drawn(shown: Look, width: int = 80, height: int = 24) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)
    console.print(Picture(shown, 65.0, 72.4, "Ctrl-C pauses"), height=height)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_it_shows_progress_counts_what_runs_and_the_best_so_far():
    text = "\n".join(drawn(look(failed=2)))
    assert "digits" in text
    assert "7 of 18  0:01:05, about 0:01:30 left" in text
    assert "2 of at most 4 running  9 queued  5 completed  2 failed" in text
    assert "#7  12.4s  LEARNING_RATE=0.7 HIDDEN_SIZE=20,50  accuracy=0.5" in text
    assert "best so far  accuracy 0.98  #3  LEARNING_RATE=0.3 HIDDEN_SIZE=20,50" in text
    assert text.endswith("Ctrl-C pauses")


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
@pytest.mark.parametrize("height", [12, 24, 50])
@pytest.mark.parametrize("running", [0, 1, 500])
def test_it_fits_the_terminal(width, height, running):
    lines = drawn(look(running, timeout=3, stopped=2, failed=1), width, height)
    assert all(len(line) <= width for line in lines)
    if width >= 80:
        assert len(lines) <= height


def test_what_has_no_room_is_counted():
    text = "\n".join(drawn(look(500), height=24))
    assert "and 485 more" in text


def test_without_a_plan_or_a_best_it_says_what_it_knows():
    text = "\n".join(drawn(look(best=False, planned=None)))
    assert "5 ended" in text
    assert "best so far" not in text


def test_who_only_watches_is_told_that_ctrl_c_leaves_it_running(capsys):
    for owner, hint in ((True, "Ctrl-C pauses"), (False, "Ctrl-C leaves it running")):
        view = LiveView(owner=owner)
        view.show(look())
        view.close()
        assert hint in capsys.readouterr().out


def test_a_time_that_is_not_known_is_not_told():
    assert "left" in "\n".join(drawn(look()))
    assert "left" not in "\n".join(drawn(replace(look(), left=0.0)))


def test_a_picture_of_the_end_offers_no_ctrl_c():
    assert "Ctrl-C" not in "\n".join(drawn(look(0, state="completed")))


@pytest.mark.parametrize(
    ("state", "running", "over"),
    [("running", 0, False), ("stopping", 0, False), ("completed", 0, True), ("stopped", 0, True)],
)
def test_a_project_is_over_when_its_state_says_so(state, running, over):
    assert look(running, state=state).is_over is over


def test_a_paused_project_is_over_when_nothing_of_it_runs_any_more():
    assert not look(1, state="paused").is_over
    assert look(0, state="paused").is_over


def ended(number: int, objective: float | None = None) -> dict[str, object]:
    return experiment(number, id=str(number), objective=objective, end_time=LAUNCHED)


def test_the_results_are_the_best_and_then_those_without_a_result():
    best = [ended(3, 0.9), ended(1, 0.2)]
    listed = [ended(1, 0.2), ended(2), ended(3, 0.9), experiment(4, id="4"), ended(5)]
    assert [view["number"] for view in chosen(best, listed)] == [3, 1, 2, 5]


def test_no_more_than_thirty_results_are_read_or_shown():
    best = [ended(number, 0.5) for number in range(28)]
    listed = map(ended, range(28, 10**9))
    assert [view["number"] for view in chosen(best, listed)] == list(range(30))
    assert next(listed)["number"] == 30


@pytest.mark.parametrize(
    ("counts", "status"),
    [({"completed": 0, "failed": 3}, 1), ({"completed": 1, "failed": 3}, 0), ({"completed": 0, "timeout": 2}, 0)],
)
def test_a_run_failed_when_every_experiment_failed(counts, status, capsys):
    assert exit_status(look(0, state="completed", **counts)) == status
    assert ("every experiment failed" in capsys.readouterr().err) is bool(status)


@pytest.mark.parametrize("state", ["paused", "stopped"])
def test_a_run_whose_project_was_paused_or_stopped_failed_and_says_why(state, capsys):
    assert exit_status(look(0, state=state)) == 1
    assert capsys.readouterr().err.startswith(f"{state}: enough of it")
