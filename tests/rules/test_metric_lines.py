"""What a line of output is taken for: every form of WIRE.md, the field's own, and anything else that programs print."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beagle.metric_lines import LONGEST_LINE, LONGEST_NAME, Reading, read_line


def read(text: str) -> Reading | None:
    return read_line(text, len(text.encode(errors="surrogatepass")))


def refusals(text: str) -> tuple[str, ...]:
    reading = read(text)
    assert reading is not None
    return reading.refusals


@pytest.mark.parametrize(
    ("text", "values", "step"),
    [
        ('{"type": "metrics", "metrics": {"accuracy": 0.61, "cost": 1.9}}', {"accuracy": 0.61, "cost": 1.9}, None),
        ('{"metrics": {"accuarcy": 0.61}, "type": "metrics"}', {"accuracy": 0.61}, None),
        ('{"type": "metrics", "step": 7, "metrics": {"epoch": 2, "cost": 1}}', {"epoch": 2.0, "cost": 1.0}, 7),
        ("1479823.5\t25.3\t100\t1.9\t0.61", {"accuracy": 0.61, "experimentTime": 25.3}, None),
        ("1479823.5\t25.3\t100\t1.9\t0.61\t7\tmore\t\n", {"accuracy": 0.61, "batches": 100.0, "time": 1479823.5}, None),
        ('{"epoch": 0, "loss": 0.5}', {"epoch": 0.0, "loss": 0.5}, 0),
        ('{"step": 4, "epoch": 1, "loss": 0.5}', {"epoch": 1.0, "loss": 0.5}, 4),
        (
            '  {"loss": 0.5, "message": "half way", "done": false, "layers": [1], "at": {"cost": 3}}',
            {"loss": 0.5},
            None,
        ),
        ("accuracy=0.93", {"accuracy": 0.93}, None),
        ("Epoch 3: accuracy=0.93, loss=1e-3", {"accuracy": 0.93, "loss": 0.001}, None),
        ("INFO [val/loss=+.5;top-1=7.](epoch=2)", {"val/loss": 0.5, "top-1": 7.0, "epoch": 2.0}, 2),
        ("step=12 loss=-3", {"loss": -3.0}, 12),
        ("loss=0.1\taccuarcy=0.9\r", {"loss": 0.1, "accuracy": 0.9}, None),
        ("loss=0.3 loss=0.2", {"loss": 0.2}, None),
        ("{accuracy=0.5}", {"accuracy": 0.5}, None),
    ],
)
def test_metrics_are_read_in_every_form(text, values, step):
    reading = read(text)
    assert reading is not None
    assert values.items() <= reading.values.items()
    assert "step" not in reading.values
    assert (reading.step, reading.refusals, reading.completed) == (step, (), False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Epoch 3 of 10, accuracy 0.93",
        "optimizer=adam, mode=fast",
        "--lr=0.1 http://host/?page=3 a==1 =1 x= 1e5=2",
        "lr=1_000 size=٣ version=1.2.3 hex=0x10",
        '{"level": "info", "message": "loss=0.3, accuracy=0.9"}',
        '{"done": true, "result": null, "sizes": [1, 2]}',
        '{"step": 4, "message": "warming up"}',
        '{"type": "service", "msg": "hello"}',
        '{"loss": 0.3',
        "[1, 2, {}]",
        "1\t2\t3\t4",
        "time\tseconds\tbatches\tcost\taccuracy",
        "it prints <EXPERIMENT_COMPLETED> at its end",
        "<EXPERIMENT_COMPLETED",
    ],
)
def test_other_lines_are_no_report(text):
    assert read(text) is None


@pytest.mark.parametrize(
    "text",
    ["<EXPERIMENT_COMPLETED>", " <EXPERIMENT_COMPLETED>\r", '{"msg": "experiment_completed", "type": "service"}'],
)
def test_the_end_is_read_in_both_forms(text):
    assert read(text) == Reading(completed=True)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("accuracy=nan", "accuracy is NaN, which is no metric"),
        ("Epoch 1: loss=-inf", "loss is infinite, which is no metric"),
        ("accuracy=1e999", "accuracy is infinite, which is no metric"),
        ("accuracy=93%", 'accuracy is "93%", which is not a number'),
        ('{"accuracy": "high"}', 'accuracy is "high", which is not a number'),
        ('{"accuarcy": true}', "accuracy is true, which is not a number"),
        ('{"cost": [1]}', "cost is list, which is not a number"),
        ('{"loss": NaN}', "loss is NaN, which is no metric"),
        ('{"loss": -Infinity}', "loss is infinite, which is no metric"),
        ('{"type": "metrics", "metrics": {"recall": null}}', "recall is null, which is not a number"),
        ('{"a\\ud800": 1}', r"""a metric's name has 1 to 128 printable characters, and "a\ud800" has not"""),
        ("0\t1\t2\t3\tnan", "accuracy is NaN, which is no metric"),
    ],
)
def test_a_value_that_is_no_metric_is_refused_with_a_sentence(text, sentence):
    assert refusals(text) == (sentence,)


def test_a_refused_value_leaves_the_others_of_its_line():
    reading = read("loss=nan accuracy=0.9 step=3")
    assert reading == Reading(values={"accuracy": 0.9}, step=3, refusals=("loss is NaN, which is no metric",))


def test_a_line_over_64_kib_is_refused_whole():
    text = json.dumps({"accuracy": 0.5, "note": "x" * 1_000_000})
    (sentence,) = refusals(text)
    assert sentence == f"a line of {len(text)} bytes was not read; at most 65536 are"


def test_a_long_line_of_plain_text_is_no_report():
    assert read("x" * 1_000_000) is None


def test_a_refusal_stays_short_whatever_was_reported():
    sentences = refusals(json.dumps({"accuracy": "x" * 60_000})) + refusals("n" * (LONGEST_NAME + 1) + "=1")
    assert all(len(sentence) < 150 for sentence in sentences)


def test_a_line_full_of_refused_values_gives_a_few_sentences():
    sentences = refusals(" ".join(f"x{n}=nan" for n in range(1000)))
    assert len(sentences) == 21
    assert sentences[-1] == "980 more values of this line are no metrics"


@given(st.text() | st.text(alphabet='{}[]":=,\t<> eE+-.019nNaif\\'))
def test_any_text_gives_an_answer(text):
    reading = read(text)
    assert reading is None or reading.values or reading.refusals or reading.completed


@given(st.dictionaries(st.from_regex(r"[a-z][a-z_/.0-9]{0,20}", fullmatch=True), st.floats(allow_nan=False, width=32)))
def test_what_json_and_pairs_say_is_the_same(values):
    line = " ".join(f"{name}={value!r}" for name, value in values.items())
    assert read(line) == (read(json.dumps(values)) if values else None)


@pytest.mark.parametrize(
    "piece",
    [
        '{"a":',
        "[",
        "{",
        "a",
        "a=",
        "=",
        "a=1",
        "1",
        "1e",
        "\t",
        "1\t",
        ",",
        " ",
        "<",
        "a=nan ",
        '"\\',
        "a=1 ",
        "é=",
        "-",
    ],
)
def test_the_time_for_a_line_is_linear_in_its_length(piece):
    # Measured: at most 0.03 s. Quadratic would take minutes.
    text = (piece * LONGEST_LINE)[: LONGEST_LINE - 8]
    for line in ("{" + text, text, "x=" + text, "x=1" + text):
        began = time.process_time()
        read_line(line, len(line))
        assert time.process_time() - began < 0.5
