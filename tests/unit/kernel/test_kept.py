"""A memory that holds no more than it may, and keeps what is used."""

from medfed.kernel.kept import Kept


def test_what_was_longest_not_used_is_forgotten_first() -> None:
    kept: Kept[str, int] = Kept(2)
    kept["a"], kept["b"] = 1, 2
    assert kept.used("a") == 1
    kept["c"] = 3
    assert list(kept) == ["a", "c"]
    kept["a"] = 4
    kept.update({"d": 5})
    assert list(kept.items()) == [("a", 4), ("d", 5)]
    assert kept.used("c") is None
