import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_engine.errors import TopologyError, pointer_to
from workflow_engine.topology.document import Document

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def at(document: Document, pointer: str, length: int, *, key: bool = False) -> str:
    line, column = document.locate(pointer, key=key)
    return document.text.split("\n")[line - 1][column - 1 :][:length]


def test_positions_of_values_and_keys():
    document = Document('{\n "a": [1,\n  {"b/c": "x"}]\n}')
    assert document.locate("/a/1/b~1c") == (3, 11)
    assert document.locate("/a/1/b~1c", key=True) == (3, 4)
    assert document.locate("/a/0") == (2, 8)
    assert document.locate("") == (1, 1)


def test_what_is_absent_is_shown_at_what_encloses_it():
    document = Document('{"a": {"b": 1}}')
    assert document.locate("/a/missing/deeper") == document.locate("/a")


@given(json_values, st.integers(0, 3))
def test_pointers_go_on_into_encoded_strings(value: object, depth: int):
    encoded: object = {"n": 7, "v": value}
    for _ in range(depth):
        encoded = json.dumps(encoded)
    document = Document(json.dumps({"outer": encoded}))
    assert at(document, "/outer/n", 1) == "7"


def test_escapes_before_the_place_do_not_shift_it():
    inner = json.dumps({'ä"\\\n😀': "é", "deep": json.dumps({"z": 5})})
    document = Document(json.dumps({"Outputs": inner}))
    assert at(document, "/Outputs/deep/z", 1) == "5"


@given(json_values)
def test_every_leaf_is_found_where_it_stands(value: object):
    text = json.dumps({"root": value}, indent=1)
    document = Document(text)

    def check(pointer: str, part: object) -> None:
        if isinstance(part, dict):
            for name, member in part.items():
                check(pointer + pointer_to(name), member)
        elif isinstance(part, list):
            for index, member in enumerate(part):
                check(pointer + pointer_to(index), member)
        else:
            literal = json.dumps(part)
            assert at(document, pointer, len(literal)) == literal

    check("/root", value)


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ('{"a": 1,\n "b" 2}', 2, 6),
        ("", 1, 1),
        ("{'a': 1}", 1, 2),
        ('{"a": NaN}', 1, 1),
        ('{"a": "\\ud800"}', 1, 8),
    ],
)
def test_broken_json_names_the_place(text: str, line: int, column: int):
    with pytest.raises(TopologyError) as caught:
        Document(text, "f.json")
    (problem,) = caught.value.problems
    assert problem.code == "InvalidParameter.JsonFormatInvalid"
    assert (problem.file, problem.line, problem.column) == ("f.json", line, column)


def test_every_duplicate_key_is_reported_at_its_second_place():
    with pytest.raises(TopologyError) as caught:
        Document('{"a": 1,\n "a": 2,\n "o": {"x": 1, "x": 2}}')
    places = [(p.pointer, p.line, p.column) for p in caught.value.problems]
    assert places == [("/a", 2, 2), ("/o/x", 3, 16)]


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_five_megabytes_of_nesting_are_refused(opening: str):
    with pytest.raises(TopologyError, match="nests too deep"):
        Document(opening * (5_000_000 // len(opening)))


def test_a_topology_may_be_one_encoded_string():
    assert Document(json.dumps(json.dumps({"a": 1}))).value == {"a": 1}
