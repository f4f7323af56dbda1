"""The page about security cases is complete, and true."""

from tests.support.cases import IDS, NOT_YET, PAGE, ROOT, listed, marked


def test_every_case_is_on_the_page_once() -> None:
    assert [id_ for id_, _ in listed(PAGE.read_text())] == list(IDS)


def test_a_case_without_a_test_has_a_reason() -> None:
    silent = [id_ for id_, text in listed(PAGE.read_text()) if not text.startswith(("`", NOT_YET)) or len(text) < 20]
    assert silent == []


def test_tests_named_on_the_page_carry_the_id() -> None:
    """More may carry it: `python -m tests.support.cases` adds them."""
    carried = marked()
    wrong = [
        (id_, name)
        for id_, text in listed(PAGE.read_text())
        if not text.startswith(NOT_YET)
        for name in (each.strip("`") for each in text.split(", "))
        if name not in carried.get(id_, []) or not (ROOT / name).is_file()
    ]
    assert wrong == []


def test_no_test_carries_an_id_that_is_no_case() -> None:
    assert set(marked()) - set(IDS) == set()
