"""Documents from outside become plain data with lines, or one sentence that says where they are wrong."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from beagle.documents import MOST_BYTES, read, read_text
from beagle.errors import InvalidInput

# YAML takes keys of 1,024 characters at most, and JSON writes one character with up to twelve.
KEYS = st.text(max_size=80)


def trees(leaves):
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
        max_leaves=20,
    )


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


def refusal(text: str, filename: str = "p.yml") -> str:
    with pytest.raises(InvalidInput) as caught:
        read(text, filename)
    return str(caught.value)


def test_every_field_and_item_has_its_line():
    document = read("a:\n  b: 1\n  c:\n    - x\n    - {d: 2}\n", "p.yml")
    assert document.data == {"a": {"b": 1, "c": ["x", {"d": 2}]}}
    assert document.line(("a", "b")) == 2
    assert document.line(("a", "c", 1)) == 5
    assert document.line(("a", "c", 1, "missing")) == 5


def test_a_sentence_names_elements_by_their_name_and_else_from_1():
    document = read("list:\n- {name: LR}\n- 5\n", "p.yml")
    assert document.sentence(("list", 0, "type"), "is missing") == "p.yml:2: list.LR.type: is missing"
    assert document.sentence(("list", 1), "is 5") == "p.yml:3: list[2]: is 5"
    assert document.sentence((), "is odd") == "p.yml:1: is odd"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("on", "on"),
        ("yes", "yes"),
        ("True", True),
        ("1e-3", 0.001),
        ("010", 10),
        ("0x1F", 31),
        ("0o17", 15),
        ("12:30", "12:30"),
        ("2020-01-01", "2020-01-01"),
        ("1_000", "1_000"),
        ("-.5", -0.5),
        (".inf", float("inf")),
        ("~", None),
        ("'1'", "1"),
        ("", None),
    ],
)
def test_scalars_mean_what_they_mean_in_yaml_1_2(written, value):
    data = read(f"a: {written}\n", "p.yml").data
    assert data == {"a": value}
    assert type(data["a"]) is type(value)


def test_scalars_are_kept_as_they_were_written_too():
    written = read("a: 1e-3\nb: 0.10\nc: True\nd: 'x'\n", "p.yml").written
    assert [written[(name,)] for name in "abcd"] == ["1e-3", "0.10", "True", "x"]


@given(trees(SCALARS))
def test_whatever_json_can_say_is_read_as_json_means_it(tree):
    assert read(json.dumps(tree, indent="\t"), "t.json").data == tree


@given(trees(st.text()))
def test_text_in_quotes_is_read_back_as_it_is(tree):
    assert read(yaml.safe_dump(tree, default_style='"'), "p.yml").data == tree


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: 1\nb: [1, 2\n", "p.yml:3:1: is not YAML"),
        ("a:\n\tb: 1\n", "p.yml:2:1: is not YAML: found character tab that cannot start any token; indent with spaces"),
        ("a: b: c\n", "p.yml:1:5: is not YAML: mapping values are not allowed here"),
        ("a: 1\nb: \x00\n", "p.yml:2:4: is not YAML: the character U+0000 cannot stand in a text file"),
        ("a: 1\n---\nb: 2\n", "p.yml:2:1: holds a second document"),
        ("", "p.yml:1: is empty"),
        ("# only a comment\n", "p.yml:1: is empty"),
        ("a: 1\nb: *x\n", "p.yml:2: `*x` names nothing before it; write `&x` before the part that it means"),
        ("a: &x\n  b: *x\n", "p.yml:2: `*x` stands within the part that `&x` names"),
        ("a: &x 1\nb: &x 2\n", "p.yml:2: `&x` was given in line 1 already"),
        ("a: [&x 1, &x 2]\n", "p.yml:1: `&x` was given in line 1 already"),
        ("a: !!python/object:os.system {}\n", "p.yml:1: `tag:yaml.org,2002:python/object:os.system` is a tag"),
        ("a: 1\nb: !x [1]\n", "p.yml:2: `!x` is a tag"),
        ("a:\n  <<: 5\n", "p.yml:2: `<<` takes an alias of a mapping, or a list of such"),
        ("a: &a {}\nb:\n  <<: [*a, [*a]]\n", "p.yml:3: `<<` takes an alias of a mapping"),
        ("a: &a {}\nb:\n  <<: *a\n  <<: *a\n", "p.yml:4: `<<` was given in line 3 already; write `<<: [*a, *b]`"),
        ("a: 1\nb: 2\na: 3\n", "p.yml:3: `a` was given in line 1 already"),
        ("? [a]\n: b\n", "p.yml:1: a key must be text"),
        ("a: " + "x" * MOST_BYTES, "p.yml: is larger than 256 KiB"),
        ("-\n" * 10_001, "p.yml:10000: has more than 10,000 values"),
        ("[" * 33 + "]" * 33, "p.yml:1: is nested deeper than 32 levels"),
    ],
)
def test_what_is_not_plain_yaml_is_refused_with_its_line(text, sentence):
    assert sentence in refusal(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"a": 1,\n}', "t.json:2:1: is not JSON"),
        ("a: 1", "t.json:1:1: is not JSON"),
        ('{"a": NaN}', "t.json: NaN is no number in JSON"),
        ('{"a": 1,\n"a": 2}', "t.json:2: `a` was given in line 1 already"),
        ('{"a": "\\ud83d"}', "t.json:1: half of a surrogate pair is no character"),
        ("[" * 100_000, "t.json: is nested deeper than 32 levels"),
    ],
)
def test_what_is_not_json_is_refused_with_its_line(text, sentence):
    assert sentence in refusal(text, "t.json")


def test_all_unknown_aliases_tags_and_repeated_keys_are_told_at_once():
    assert refusal("a: 1\nb: *x\nc: !y 1\na: 2\n").count("\n") == 2


def test_an_alias_is_what_it_stands_for_with_the_lines_where_that_is_written():
    document = read("a: &x\n  b: [1, 1e-3]\nc: *x\nd: [*x]\n*y : 1\n".replace("*y ", "e"), "p.yml")
    assert document.data == {"a": {"b": [1, 0.001]}, "c": {"b": [1, 0.001]}, "d": [{"b": [1, 0.001]}], "e": 1}
    assert document.line(("c",)) == 3
    assert document.line(("c", "b", 1)) == document.line(("d", 0, "b", 1)) == 2
    assert document.written[("c", "b", 1)] == "1e-3"


def test_a_merge_brings_the_fields_that_a_mapping_has_not():
    document = read(
        "x: &x\n  a: 1\n  b: 2\ny: &y\n  <<: *x\n  b: 3\n  c: 4\nz:\n  c: 5\n  <<: [*x, *y, {d: 6}]\n", "p.yml"
    )
    assert document.data["y"] == {"a": 1, "b": 3, "c": 4}
    assert document.data["z"] == {"a": 1, "b": 2, "c": 5, "d": 6}
    assert [document.line(("z", name)) for name in "abcd"] == [2, 3, 9, 10]


@given(trees(SCALARS | st.text()), st.text("abc<", min_size=1, max_size=3))
def test_aliases_and_merges_mean_what_they_mean_to_pyyaml(tree, name):
    shared = {name: tree, "own": [tree, {"deep": tree}]}
    text = yaml.safe_dump({"one": shared, "two": [shared, shared]})
    assert "*id001" in text
    plain = yaml.safe_dump(json.loads(json.dumps({"one": shared, "two": [shared, shared]})))
    assert read(text, "p.yml").data == read(plain, "p.yml").data


def laughs(way: str, levels: int) -> str:
    """Each line stands for the one before it ten times."""
    lines = ["a0: &a0 {x: haha}"]
    return "\n".join(lines + [way.format(f"a{n}", ", ".join([f"*a{n - 1}"] * 10)) for n in range(1, levels)]) + "\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (laughs("{0}: &{0} [{1}]", 30), "grows too large when its aliases are written out"),
        (laughs("{0}: &{0} {{<<: [{1}]}}", 30), "grows too large when its aliases are written out"),
        ("a: &a " + "ä" * 100_000 + "\nb: [*a, *a, *a]\n", "grows too large when its aliases are written out"),
        ("a: &a\n" + "- *b\n" * 10_000, "has more than 10,000 values"),
        (
            "a0: &a0 {}\n" + "".join(f"a{n}: &a{n} {{<<: *a{n - 1}}}\n" for n in range(1, 1_000)),
            "merges what merges, deeper than 32 levels",
        ),
        (
            "a0: &a0 []\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 1_000)),
            "is nested deeper than 32 levels, with its aliases",
        ),
    ],
)
def test_what_a_few_lines_would_grow_into_is_refused_before_it_does(text, sentence):
    began = time.monotonic()
    assert sentence in refusal(text)
    assert time.monotonic() - began < 20  # under 0.5 on a quiet machine


@pytest.mark.parametrize(
    "text", ["[" * 200_000, "- " * 100_000, "a: " + "x y " * 60_000, "? " * 100_000, "{a: " * 60_000]
)
def test_a_hostile_document_is_judged_in_seconds(text):
    began = time.monotonic()
    with suppress(InvalidInput):
        read(text, "p.yml")
    assert time.monotonic() - began < 20  # under 0.5 on a quiet machine


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path):
    (tmp_path / "latin.yml").write_bytes(b"a: 1\nb: \xe9\n")
    (tmp_path / "large.yml").write_bytes(b"#" * (MOST_BYTES + 1))
    for name, sentence in (
        ("missing.yml", "missing.yml: there is no such file"),
        ("latin.yml", "latin.yml:2: is not UTF-8 text"),
        ("large.yml", "large.yml: is larger than 256 KiB"),
        (".", "cannot be read: Is a directory"),
    ):
        with pytest.raises(InvalidInput, match=sentence):
            read_text(tmp_path / name)


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path):
    (tmp_path / "bom.yml").write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read(read_text(tmp_path / "bom.yml"), "bom.yml").data == {"a": 1}
    assert read("\ufeffa: 1\n", "p.yml").data == {"a": 1}
