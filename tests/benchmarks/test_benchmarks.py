"""Every benchmark, run briefly: it does the work that it says it measures. Times are not looked at."""

from __future__ import annotations

import pytest

from tests.benchmarks import (
    containers,
    distributed,
    http,
    metrics,
    monitors,
    overhead,
    reaction,
    scale,
    stops,
    takeover,
    throughput,
)
from tests.benchmarks.page import busy_percent, page, section
from tests.benchmarks.result import Count, Figure, Result, Verdict, percentile


def counted(result: Result) -> dict[str, int]:
    assert result.wrong == []
    assert all(figure.values and min(figure.values) >= 0 for figure in result.figures)
    return {count.what: count.found for count in result.counts}


def test_throughput_runs_every_experiment_on_both_sides(tmp_path):
    found = counted(throughput.measure(tmp_path, count=6, repetitions=1))
    assert found == {
        "python3 completed": 6,
        "python3 started by xargs": 6,
        "sh completed": 6,
        "sh started by xargs": 6,
    }


def test_overhead_runs_every_experiment(tmp_path):
    found = counted(overhead.measure(tmp_path, count=8, places=4, seconds=0.1, repetitions=1))
    assert found == {"completed": 8}


def test_reaction_sees_every_program_die_of_its_metric(tmp_path):
    found = counted(reaction.measure(tmp_path, count=4, repetitions=2))
    assert found == {"accuracy_limit_reached": 8, "killed by the bare loop": 4}


def test_scale_claims_one_of_each_project_in_every_round(tmp_path):
    found = counted(scale.measure(tmp_path, small=20, large=300, rounds=5))
    assert found == {"claimed of 20": 10, "claimed of 300": 10}


def test_every_monitor_lives_and_every_metric_is_stored(tmp_path):
    found = counted(monitors.measure(tmp_path, sizes=(3, 12), metrics=50, repetitions=1))
    assert found == {
        "3 monitors that watch": 3,
        "stored by 3 monitors": 50,
        "12 monitors that watch": 12,
        "stored by 12 monitors": 50,
        "stored by bare inserts": 50,
    }


def test_every_metric_is_stored_by_the_bare_consumer_and_by_monitor_processes(tmp_path):
    found = counted(metrics.measure(tmp_path, metrics=200, repetitions=1))
    assert found == {f"stored by {side}": 200 for side in metrics.MONITORS}


def test_every_crossing_metric_leads_to_its_stop(tmp_path):
    assert counted(stops.measure(tmp_path, count=4, repetitions=1)) == {"stopped": 4}


def test_one_of_each_actor_that_is_killed_is_followed_by_the_other(tmp_path):
    found = counted(takeover.measure(tmp_path, count=1))
    assert found == {f"{kind} taken over": 1 for kind in takeover.KINDS}


def test_every_experiment_completes_in_one_process_and_in_many(tmp_path):
    found = counted(distributed.measure(tmp_path, count=6, repetitions=1))
    assert found == {"completed apart": 6, "completed in one process": 6}


def test_every_container_ends_on_both_sides_and_each_crossing_metric_stops_one(tmp_path):
    found = counted(containers.measure(tmp_path, count=4, stops=2, repetitions=1))
    ended = {f"{network}: {how}": 4 for network in containers.NETWORKS for how in ("completed", "awaited")}
    assert found == ended | {f"stopped by {side}": 2 for side in containers.SIDES}


def test_every_busy_call_is_answered(tmp_path):
    found = counted(http.measure(tmp_path, stored=300, count=40, repetitions=1))
    assert found == {f"{name} answered with 200": 10 for name in http.calls("x")} | {
        f"{http.EMPTY} answered with 200": 40
    }


def result(*, verdict: Verdict, found: int = 3) -> Result:
    return Result(
        name="speed",
        measured="How fast it is.",
        verdicts=[verdict],
        figures=[Figure(what="Beagle", unit="/s", values=[1200.0, 1000.0, 1800.0])],
        counts=[Count(what="completed", found=found, expected=3)],
        limits="The disk.",
    )


def test_the_page_gives_the_ratio_first_then_the_figures_of_both_sides():
    text = page([result(verdict=Verdict(what="to xargs", values=[0.5, 0.7, 0.9], aim=0.85, least=0.7))], 25.0)
    ratio = "| to xargs | **0.7** | 0.5 to 0.9 | aim: 0.85, missed; at least 0.7, met |"
    figure = "| Beagle | 1,200 /s | 1,000 to 1,800 | 3 |"
    assert (
        -1
        < text.index("| busy with other things before | 25 % |")
        < text.index(ratio)
        < text.index(figure)
        < text.index("The disk.")
    )


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (Verdict(what="", values=[49.0], unit=" ms", most=50.0), "aim: at most 50 ms, met"),
        (Verdict(what="", values=[51.0], unit=" ms", most=50.0), "aim: at most 50 ms, missed"),
        (Verdict(what="", values=[0.6], aim=0.85, least=0.7), "aim: 0.85, missed; at least 0.7, missed"),
        (Verdict(what="", values=[0.9], aim=0.85), "aim: 0.85, met"),
        (Verdict(what="", values=[0.1]), "no aim is set"),
    ],
)
def test_a_verdict_says_whether_the_aim_is_met(verdict, said):
    assert verdict.sentence == said
    assert f"| {said} |" in section(result(verdict=verdict))
    assert result(verdict=verdict).met == ("missed" not in said.partition(";")[0])


def test_how_busy_the_machine_is_is_a_share_of_its_processors():
    assert 0 <= busy_percent(0.05) <= 100


def test_work_that_was_not_done_is_named():
    assert result(verdict=Verdict(what="", values=[1.0]), found=2).wrong == ["completed: 2 instead of 3"]


def test_percentiles_are_values_that_were_seen():
    values = [float(n) for n in range(200, 0, -1)]
    assert [percentile(values, percent) for percent in (0, 50, 99, 100)] == [1.0, 100.0, 198.0, 200.0]
    assert percentile([7.0], 99) == 7.0
