"""What clients send, in every form."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from medfed.api.params import Params, nested
from medfed.kernel.errors import Invalid, Malformed


@pytest.mark.parametrize(
    ("pairs", "tree"),
    [
        ([("a", "1")], {"a": "1"}),
        ([("a", "1"), ("a", "2")], {"a": ["1", "2"]}),
        ([("a[]", "1")], {"a": ["1"]}),
        ([("a[]", "1"), ("a", "2")], {"a": ["1", "2"]}),
        ([("a", "1"), ("a[]", "2")], {"a": ["1", "2"]}),
        ([("a[b]", "1"), ("a[c][]", "2")], {"a": {"b": "1", "c": ["2"]}}),
        ([("a[0][n]", "x"), ("a[1][n]", "y")], {"a": {"0": {"n": "x"}, "1": {"n": "y"}}}),
        (
            [("a[][n]", "x"), ("a[][v]", "1"), ("a[][n]", "y"), ("a[][v]", "2")],
            {"a": [{"n": "x", "v": "1"}, {"n": "y", "v": "2"}]},
        ),
        ([("a[", "1"), ("]", "2")], {"a[": "1", "]": "2"}),
    ],
)
def test_names_with_brackets_are_read_as_every_client_means_them(
    pairs: list[tuple[str, str]], tree: dict[str, object]
) -> None:
    assert nested(pairs) == tree


@pytest.mark.parametrize("pairs", [[("a", "1"), ("a[b]", "2")], [("a[b]", "1"), ("a", "2")], [("a[b][c][d][e]", "1")]])
def test_names_that_contradict_each_other_are_refused(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(Malformed):
        nested(pairs)


@given(some.lists(some.tuples(some.text(alphabet="ab[]0", max_size=8), some.text(max_size=3)), max_size=6))
def test_no_name_breaks_the_reader(pairs: list[tuple[str, str]]) -> None:
    try:
        params = Params(nested(pairs))
    except Malformed:
        return
    for name in list(params.raw):
        for read in (params.text, params.ids, params.texts, params.items, params.inner, params.flag, params.id):
            try:
                read(name)
            except Invalid:
                continue


def test_numbered_parts_come_in_the_order_of_their_numbers() -> None:
    params = Params(nested([(f"f[{n}][v]", str(n)) for n in (10, 2, 1)]))
    assert [one.text("v") for one in params.items("f")] == ["1", "2", "10"]


def test_the_last_of_repeated_values_counts_where_one_is_wanted() -> None:
    assert Params({"a": ["1", "2"]}).id("a") == 2
    assert Params({"a": []}).optional_text("a") is None


@pytest.mark.parametrize("value", ["x", "-1", "1.5", "٣", str(2**63), True, {"b": 1}, [["1"]]])
def test_what_is_no_id_is_refused_by_name(value: object) -> None:
    with pytest.raises(Invalid) as refused:
        Params({"a": value}).id("a")
    assert list(refused.value.fields) == ["a"]
