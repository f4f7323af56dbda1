"""Who may do what with a post: the policy that its author gave it, and what that means for somebody."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from medfed.kernel.clock import Millis

EVERYBODY: Final = "https://www.w3.org/ns/activitystreams#Public"

Deed: TypeAlias = Literal["like", "reply", "boost", "quote"]
DEEDS: Final[tuple[Deed, ...]] = ("like", "reply", "boost", "quote")

Leave: TypeAlias = Literal["free", "known", "asked", "none"]
"""Whether somebody may: yes, as anybody can see; yes, as who follows or is followed, which only the author's server
can tell; if the author agrees, each time; or not."""

QuoteChoice: TypeAlias = Literal["public", "followers", "ask", "nobody"]
QUOTE_CHOICES: Final[tuple[QuoteChoice, ...]] = ("public", "followers", "ask", "nobody")
AnswerChoice: TypeAlias = Literal["public", "followers", "mentioned"]
ANSWER_CHOICES: Final[tuple[AnswerChoice, ...]] = ("public", "followers", "mentioned")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Ids of actors and collections that may do a thing: at once, or when the author agrees each time."""

    automatic: tuple[str, ...] = ()
    manual: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What an author says of each deed. None: nothing; whoever may read may do it, but nobody else may quote."""

    like: Rule | None = None
    reply: Rule | None = None
    boost: Rule | None = None
    quote: Rule | None = None

    def rule(self, deed: Deed) -> Rule | None:
        """What is said of one deed."""
        match deed:
            case "like":
                return self.like
            case "reply":
                return self.reply
            case "boost":
                return self.boost
            case "quote":
                return self.quote

    def saying(self, deed: Deed, rule: Rule | None) -> "Policy":
        """The policy with something else said of one deed."""
        return replace(self, **{deed: rule})


SILENT: Final = Policy()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tie:
    """What somebody is to the author of a post that they may read."""

    uri: str
    author_uri: str
    author_followers: str
    author_following: str
    audience: str = ""
    """The collection that the post is addressed to, if it is for verified practitioners: who may read is in it."""
    follows: bool = False
    followed: bool = False
    mentioned: bool = False
    """By the post: whoever is spoken of may answer, whatever the policy says."""


def leave(policy: Policy, deed: Deed, tie: Tie) -> Leave:
    """Whether somebody may do a thing. Who is named counts before who follows, and that before everybody."""
    rule = policy.rule(deed)
    if tie.uri == tie.author_uri or (deed == "reply" and tie.mentioned):
        return "free"
    if rule is None:
        return "none" if deed == "quote" else "free"
    if tie.uri in rule.automatic or (tie.audience and tie.audience in rule.automatic):
        return "free"
    if tie.uri in rule.manual:
        return "asked"
    circles = _circles(tie)
    if circles.intersection(rule.manual) and not circles.intersection(rule.automatic):
        return "asked"
    if EVERYBODY in rule.automatic:
        return "free"
    if circles.intersection(rule.automatic):
        return "known"
    return "asked" if EVERYBODY in rule.manual else "none"


def _circles(tie: Tie) -> set[str]:
    """The collections of the author that somebody is in."""
    circles = {tie.author_followers} if tie.follows else set()
    if tie.followed:
        circles.add(tie.author_following)
    return circles - {""}


def quote_rule(choice: QuoteChoice, followers_uri: str) -> Rule | None:
    """A member's choice of who may quote, as a rule."""
    match choice:
        case "public":
            return Rule(automatic=(EVERYBODY,))
        case "followers":
            return Rule(automatic=(followers_uri,))
        case "ask":
            return Rule(manual=(EVERYBODY,))
        case "nobody":
            return None


def quote_choice(rule: Rule | None) -> QuoteChoice:
    """The choice behind a rule of ours."""
    if rule is None or not (rule.automatic or rule.manual):
        return "nobody"
    if rule.manual:
        return "ask"
    return "public" if EVERYBODY in rule.automatic else "followers"


def answer_rule(choice: AnswerChoice, followers_uri: str) -> Rule | None:
    """A member's choice of who may answer, as a rule; those whom the post names may in any case."""
    match choice:
        case "public":
            return None
        case "followers":
            return Rule(automatic=(followers_uri,))
        case "mentioned":
            return Rule()


def answer_choice(rule: Rule | None) -> AnswerChoice:
    """The choice behind a rule of ours."""
    if rule is None:
        return "public"
    return "followers" if rule.automatic else "mentioned"


def known_as(uris: Sequence[str], *, followers: str, following: str) -> list[str]:
    """The words that client programs have for the entries of a rule; one word for all that they have none for."""
    words = {EVERYBODY: "public", followers: "followers", following: "following"}
    words.pop("", None)
    return list(dict.fromkeys(words.get(uri, "unsupported_policy") for uri in uris))


ConsentState: TypeAlias = Literal["waiting", "granted", "refused", "revoked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """That somebody was allowed, or asks, to do something with a post written here."""

    id: int
    deed: Deed
    post_id: int
    author_id: int
    """Of the post: who decides."""
    account_id: int
    """Who does it."""
    object_uri: str
    """With what: the quoting post, the answer, the Like, the Announce."""
    request_uri: str = ""
    """The activity that asked; '' when it was done without asking."""
    excerpt: str = ""
    """How the quoting post begins, in plain text."""
    state: ConsentState = "granted"
    created_at: Millis = 0
