"""One of each message, with every field away from its default."""

from __future__ import annotations

from beagle.messages import (
    AdvanceSearch,
    EndingRelayed,
    ExperimentChanged,
    ExplainExperiment,
    FillPlaces,
    LaunchExperiment,
    ListBest,
    ListEndings,
    ListExperiments,
    ListMetrics,
    Message,
    MetricsReported,
    PauseSystem,
    ProjectChanged,
    ReadLog,
    ReadSiteLog,
    Report,
    RetryExperiment,
    SetLimit,
    ShowExperiment,
    ShowProject,
    ShowSystem,
    StartSystem,
    StopExperiment,
    StopWorkload,
    SubmitProject,
    WorkloadEnded,
    WorkloadLaunched,
)

_E, _P = "e" * 24, "b" * 24
_HEAD = {"id": "0123456789abcdef01234567", "time": 1_800_000_000.123456}
_STREAM = {**_HEAD, "experiment": _E, "attempt": 2}
_REPORT = Report(
    source="report/main-größe",
    sequence=2**40,
    values={"accuracy": 0.1 + 0.2, "größe": -1e-300},
    step=3,
    completed=True,
    refusals=("cost is no number",),
)
_PAGE = {"after": "cursor", "limit": 7}

_MESSAGES: tuple[Message, ...] = (
    SubmitProject(
        **_HEAD,
        definition="name: größer\n",
        definition_name="p.yml",
        template="services: {}\n",
        template_name="t.yml",
        folder="/home/user",
        source="/home/user/p.yml",
        anew=True,
    ),
    ShowSystem(**_HEAD),
    StartSystem(**_HEAD),
    PauseSystem(**_HEAD),
    SetLimit(**_HEAD, limit=10_000),
    ShowProject(**_HEAD, project=_P),
    ListExperiments(**_HEAD, **_PAGE, project=_P, state="pool"),
    ListEndings(**_HEAD, **_PAGE, project=_P),
    ShowExperiment(**_HEAD, experiment="7"),
    ExplainExperiment(**_HEAD, experiment="digitsmodel7"),
    ListMetrics(**_HEAD, **_PAGE, experiment=_E, attempt=2),
    ListBest(**_HEAD, project=_P, count=3),
    ReadLog(**_HEAD, experiment=_E, attempt=2, stream="err", offset=-4096),
    StopExperiment(**_HEAD, experiment=_E, reason="too slow\n🐶"),
    RetryExperiment(**_HEAD, experiment=_E),
    FillPlaces(**_HEAD),
    AdvanceSearch(**_HEAD, project=_P),
    LaunchExperiment(**_STREAM, site="local"),
    StopWorkload(**_STREAM, site="local", watcher="launcher.host.1"),
    ReadSiteLog(**_STREAM, site="local", stream="err", offset=9),
    WorkloadLaunched(**_STREAM, site="local", at=1_800_000_000.5, fresh=True),
    MetricsReported(**_STREAM, reports=(_REPORT, Report(source="out", sequence=0))),
    WorkloadEnded(
        **_STREAM,
        status=-9,
        ended_at=1_800_000_001.5,
        tail='line\n"\x00\u2028',
        error="killed",
        out_of_memory=True,
        lost=True,
        launch_failed=True,
    ),
    EndingRelayed(**_HEAD, experiment=_E, ending=WorkloadEnded(**_STREAM, status=-9, ended_at=1.5)),
    ExperimentChanged(**_STREAM, project=_P, state="completed", reason="it exited with status 0"),
    ProjectChanged(**_HEAD, project=_P, event="paused", reason="5 experiments failed"),
)
ONE_OF_EACH: dict[type[Message], Message] = {type(message): message for message in _MESSAGES}
