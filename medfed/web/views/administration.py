"""What administrators, verifiers and moderators see."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from medfed.kernel.clock import Millis
from medfed.web import words
from medfed.web.views.people import PersonView, StampView, initials
from medfed.web.views.posts import AttachmentView, PostView

IssuedState: TypeAlias = Literal["offered", "accepted", "declined", "hidden", "revoked", "suspended", "expired"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BarView:
    """One day of deliveries. Percentages are of the tallest day."""

    percent: int
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedBar:
    """A bar in the drawing of 112 by 28."""

    x: int
    y: int
    height: int
    look: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneRowView:
    """What a peer is owed; `next_at` None: not before an administrator says so.

    `withdrawals`: how much of what waits is deletions and the like, the first of which is given up at
    `withdrawn_until`.
    """

    host: str
    state: str
    ails: bool
    waiting: int
    attempts: int
    is_due: bool
    next_at: Millis | None
    last_error: str
    failing_since: Millis | None = None
    last_heard: Millis | None = None
    last_sent: Millis | None = None
    withdrawals: int = 0
    withdrawn_until: Millis | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRowView:
    """A key of an account of this instance; `until` None: no end is set."""

    name: str
    kind: str
    state: str
    ails: bool
    since: Millis
    until: Millis | None
    ended: bool
    multikey: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerRowView:
    """Another instance and what passes between us."""

    name: str
    domain: str
    level: str
    receives: tuple[str, ...] = ()
    followers: int = 0
    waiting: int = 0
    bars: tuple[BarView, ...] = ()
    last_seen: Millis | None = None
    fault: str | None = None
    href: str = ""

    @property
    def letters(self) -> str:
        """For its folder."""
        return initials(self.name)

    @property
    def steps(self) -> tuple[bool, bool, bool, bool]:
        """Four steps, filled up to its level."""
        reached = words.LEVEL_STEPS.get(self.level, 0)
        return (reached > 0, reached > 1, reached > 2, reached > 3)

    @property
    def drawn_bars(self) -> tuple[PlacedBar, ...]:
        """Its delivery bars, placed."""
        return tuple(_place(index, bar) for index, bar in enumerate(self.bars[-14:]))


def _place(index: int, bar: BarView) -> PlacedBar:
    height = 2 if bar.percent <= 0 else max(3, round(bar.percent * 0.28))
    look = "nothing" if bar.percent <= 0 else "bad" if bar.failed else "done"
    return PlacedBar(x=index * 8, y=28 - height, height=height, look=look)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffLineView:
    """A line of a policy difference."""

    kind: Literal["same", "add", "del"]
    text: str

    @property
    def sign(self) -> str:
        """The sign before it."""
        return {"add": "+", "del": "−"}.get(self.kind, " ")


@dataclass(frozen=True, slots=True, kw_only=True)
class TallyView:
    """A consequence in people. `words` is in the reader's language."""

    change: int
    words: str
    counts: bool = False
    """It is a number of things, neither more nor fewer."""

    @property
    def tone(self) -> str:
        """Whether doors open or close."""
        if self.counts:
            return "even"
        return "gain" if self.change > 0 else "loss" if self.change < 0 else "even"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDiffView:
    """A dry run: what the rule says, what it does. `consequences` are in the reader's language."""

    lines: tuple[DiffLineView, ...]
    tallies: tuple[TallyView, ...]
    consequences: tuple[str, ...] = ()
    loosens: bool = False
    computed_at: Millis
    base: str
    """Names the policy it was computed against; sent back on apply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldCheckView:
    """A claim beside what a register says. `field` and `note` are in the reader's language; numbers come masked."""

    field: str
    claim: str
    register: str
    verdict: Literal["same", "near", "differs"]
    note: str = ""

    @property
    def icon(self) -> str:
        """The icon of the verdict."""
        return words.VERDICT_ICONS[self.verdict]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationItemView:
    """A request in the verifier's queue."""

    id: str
    href: str
    person: PersonView
    profession: str
    specialty: str | None
    country: str | None
    asked_at: Millis
    due_at: Millis
    overdue: bool = False
    scheme: str = ""
    """The register that the number is of, in the reader's language."""
    number: str = ""
    also: tuple[PersonView, ...] = ()
    """Other accounts that claim the same number."""
    statement: str = ""
    checks: tuple[FieldCheckView, ...] = ()
    evidence: tuple[AttachmentView, ...] = ()
    current: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedView:
    """An attestation that this instance issued, in the verifier's list."""

    id: str
    holder: PersonView
    stamp: StampView
    issued_at: Millis
    valid_until: Millis
    state: IssuedState
    can_revoke: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportView:
    """A report to be settled."""

    id: str
    at: Millis
    reporter: PersonView
    target: PersonView
    comment: str = ""
    posts: tuple[PostView, ...] = ()
    category: str = ""
    settled_at: Millis | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRowView:
    """Who did what to whom. `deed` is in the reader's language and ends the sentence that `actor` begins."""

    at: Millis
    actor: str
    deed: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureView:
    """A number of the overview that leads somewhere. `words` is in the reader's language."""

    number: int
    words: str
    href: str
    due: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemView:
    """An error page: what happened, whether work is safe, what to do; all in the reader's language."""

    status: int
    title: str
    text: str
    todo: str = ""
    draft_kept: bool = False
    draft: str = ""
    """What was typed and could not be kept elsewhere, given back to be copied."""
    request_id: str = ""
    back: str = "/"
    signed_out: bool = False
    """`back` leads to the door."""
