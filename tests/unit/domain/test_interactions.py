"""What an interaction policy means for somebody: who is named counts before who follows, and that before everybody."""

from dataclasses import replace

import pytest

from medfed.domain.interactions import (
    ANSWER_CHOICES,
    EVERYBODY,
    QUOTE_CHOICES,
    SILENT,
    Deed,
    Leave,
    Policy,
    Rule,
    Tie,
    answer_choice,
    answer_rule,
    known_as,
    leave,
    quote_choice,
    quote_rule,
)
from medfed.storage import policies

AUTHOR, ME = "https://good.test/users/alice", "https://lyon.test/users/dr-roy"
FOLLOWERS, FOLLOWING, AUDIENCE = f"{AUTHOR}/followers", f"{AUTHOR}/following", f"{AUTHOR}/audiences/1"
TIE = Tie(uri=ME, author_uri=AUTHOR, author_followers=FOLLOWERS, author_following=FOLLOWING)
FOLLOWER = replace(TIE, follows=True)
BOTH = replace(FOLLOWER, followed=True)


@pytest.mark.parametrize(
    ("automatic", "manual", "tie", "expected"),
    [
        ((EVERYBODY,), (), TIE, "free"),
        ((), (EVERYBODY,), TIE, "asked"),
        ((), (), TIE, "none"),
        ((FOLLOWERS,), (), TIE, "none"),
        ((FOLLOWERS,), (), FOLLOWER, "known"),
        ((FOLLOWING,), (), FOLLOWER, "none"),
        ((FOLLOWING,), (), BOTH, "known"),
        ((FOLLOWERS,), (EVERYBODY,), TIE, "asked"),
        ((FOLLOWERS,), (EVERYBODY,), FOLLOWER, "known"),
        ((EVERYBODY,), (FOLLOWERS,), FOLLOWER, "asked"),
        ((EVERYBODY,), (FOLLOWERS,), TIE, "free"),
        ((EVERYBODY, FOLLOWERS), (), FOLLOWER, "free"),
        ((ME,), (EVERYBODY,), TIE, "free"),
        ((EVERYBODY,), (ME,), TIE, "asked"),
        ((ME,), (ME,), TIE, "free"),
        ((AUTHOR,), (), replace(TIE, uri=AUTHOR), "free"),
        ((AUDIENCE,), (), replace(TIE, audience=AUDIENCE), "free"),
        ((AUDIENCE,), (), TIE, "none"),
    ],
)
@pytest.mark.parametrize("deed", ["like", "reply", "boost", "quote"])
def test_the_more_specific_says_who_may(
    deed: Deed, automatic: tuple[str, ...], manual: tuple[str, ...], tie: Tie, expected: Leave
) -> None:
    assert leave(SILENT.saying(deed, Rule(automatic=automatic, manual=manual)), deed, tie) == expected


def test_who_says_nothing_lets_everybody_but_quote() -> None:
    assert [leave(SILENT, deed, TIE) for deed in ("like", "reply", "boost", "quote")] == ["free"] * 3 + ["none"]
    assert leave(SILENT, "quote", replace(TIE, uri=AUTHOR)) == "free"


def test_who_is_mentioned_may_answer_and_nothing_else() -> None:
    nobody = Policy(like=Rule(), reply=Rule(), boost=Rule())
    mentioned = replace(TIE, mentioned=True)
    assert [leave(nobody, deed, mentioned) for deed in ("like", "reply", "boost")] == ["none", "free", "none"]


def test_nobody_is_in_a_collection_that_has_no_name() -> None:
    nameless = replace(BOTH, author_followers="", author_following="")
    assert leave(Policy(reply=Rule(automatic=("",))), "reply", nameless) == "none"


def test_choices_of_members_are_rules_and_back() -> None:
    for choice in QUOTE_CHOICES:
        assert quote_choice(quote_rule(choice, FOLLOWERS)) == choice
    for answer in ANSWER_CHOICES:
        assert answer_choice(answer_rule(answer, FOLLOWERS)) == answer


def test_policies_are_kept_as_they_are() -> None:
    for policy in (SILENT, Policy(quote=Rule(manual=(EVERYBODY,))), Policy(like=Rule(), reply=Rule(automatic=(ME,)))):
        assert policies.from_text(policies.as_text(policy)) == policy
    assert policies.as_text(SILENT) == ""


def test_clients_have_one_word_for_all_that_they_do_not_know() -> None:
    said = [EVERYBODY, FOLLOWERS, FOLLOWING, ME, AUDIENCE]
    assert known_as(said, followers=FOLLOWERS, following=FOLLOWING) == [
        "public", "followers", "following", "unsupported_policy",
    ]  # fmt: skip
