"""What pages show: frozen facts with every decision already taken, so that templates only lay them out."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import ClassVar, Final, Literal, TypeAlias

from markupsafe import Markup

from medfed.domain.codes import SPECIALTIES
from medfed.kernel.clock import Millis
from medfed.web import words

Theme: TypeAlias = Literal["auto", "light", "dark"]
Tone: TypeAlias = Literal["plain", "warn", "harm"]
RequestStatus: TypeAlias = Literal["waiting", "approved", "refused"]
IssuedState: TypeAlias = Literal["offered", "accepted", "declined", "hidden", "revoked", "suspended", "expired"]
Relation: TypeAlias = Literal["self", "stranger", "following", "requested", "anonymous", "blocked"]

NAME_LENGTH: Final = 60
_SEEN_STAMPS: Final = 2
_SHORT: Final = 3
_TITLES: Final = frozenset({"Dr", "Pr", "Prof", "Mr", "Mrs", "Ms", "Mme", "M"})


# ---------------------------------------------------------------------------------------------- names


def display_name(name: str, fallback: str) -> str:
    """A name as one line of letters: no pictures, marks or direction tricks that could imitate a stamp."""
    kept = "".join(character for character in name if _is_plain(character))
    return " ".join(kept.split())[:NAME_LENGTH].strip() or fallback


def initials(name: str) -> str:
    """Up to two capitals to stand in for a missing picture."""
    parts = [part for part in name.replace("-", " ").replace("’", " ").split() if part[0].isalnum()]
    proper = [part for part in parts if part[0].isupper() or part[0].isdigit()]
    named = [part for part in proper if part.rstrip(".") not in _TITLES] or parts
    if len(named) == 1:
        # "Société alpine de cardiologie": what is short is an article or a preposition.
        named = [part for part in parts if part in named or (len(part) > _SHORT and part not in proper)]
    return "".join(part[0] for part in named[:2]).upper() or "·"


def _is_plain(character: str) -> bool:
    # So: dingbats, emoji, seals. Sk: emoji modifiers. Cf: bidi overrides and joiners.
    # Co, Cn, Cs: whatever a font makes of them. Sm, Me: check-like signs, enclosing circles.
    return character == " " or unicodedata.category(character) not in {
        "So",
        "Sk",
        "Cf",
        "Cc",
        "Co",
        "Cn",
        "Cs",
        "Me",
        "Sm",
    }


# ----------------------------------------------------------------------------------- people and proofs


@dataclass(frozen=True, slots=True, kw_only=True)
class StampView:
    """One attestation, as small as a stamp. `href` leads to its explanation."""

    state: str
    """trusted, pseudonymous, stale, key-discontinuity, revoked, suspended, expired, untrusted or invalid."""
    profession: str
    specialty: str | None = None
    title: str | None = None
    """The issuer's own words for the claim, where no code fits."""
    issuer: str
    href: str
    ended_at: Millis | None = None

    @property
    def look(self) -> str:
        """The style of the stamp; only `trusted` and `pseudo` are filled."""
        return _LOOKS.get(self.state, "unknown")

    @property
    def claim(self) -> tuple[str, str] | None:
        """Vocabulary and code of what is claimed, or None when only `title` says it."""
        if self.title is not None:
            return None
        if self.specialty in SPECIALTIES and self.profession == "physician":
            return "specialist", str(self.specialty)
        return "practitioner", self.profession


_LOOKS: Final = {
    "trusted": "trusted",
    "pseudonymous": "pseudo",
    "stale": "stale",
    "key-discontinuity": "stale",
    "revoked": "ended",
    "suspended": "ended",
    "expired": "ended",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonView:
    """A person, an institution or a pseudonym, wherever their account lives."""

    name: str
    handle: str
    """With @; with the domain unless local."""
    href: str
    kind: Literal["person", "institution", "pseudonym"] = "person"
    avatar: str | None = None
    stamps: tuple[StampView, ...] = ()
    yours: bool = False

    @property
    def plain_name(self) -> str:
        """The name without anything that could pass for a mark."""
        return display_name(self.name, self.handle)

    @property
    def letters(self) -> str:
        """Initials for a missing picture."""
        return initials(self.plain_name.lstrip("@"))

    @property
    def few_stamps(self) -> tuple[StampView, ...]:
        """What a list shows; the rest is on the profile."""
        return self.stamps[:_SEEN_STAMPS]


@dataclass(frozen=True, slots=True, kw_only=True)
class PathStepView:
    """One station on the way from this instance to the issuer."""

    name: str
    role: Literal["yours", "list", "issuer"]
    since: Millis | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialView:
    """An attestation, explained."""

    id: str
    stamp: StampView
    holder: PersonView
    issuer: str
    issuer_href: str | None = None
    types: tuple[str, ...] = ()
    specialties: tuple[str, ...] = ()
    country: str | None = None
    assurance: str | None = None
    method: str | None = None
    verified_at: Millis | None = None
    valid_until: Millis | None = None
    checked_at: Millis | None = None
    path: tuple[PathStepView, ...] = ()
    note: str | None = None
    """A published reason for a withdrawal, or what failed; in the words of whoever gave it."""
    document_href: str | None = None
    published: bool = True
    action: str | None = None
    """Where its holder posts what to do with it; None for everyone else."""

    @property
    def reason(self) -> str:
        """The message that explains its state."""
        return words.REASONS.get(self.stamp.state, words.REASONS["invalid"])


# ------------------------------------------------------------------------------------ the frame of a page


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceView:
    """The institution that keeps this instance. `letters` are two or three, for its mark."""

    name: str
    domain: str
    letters: str
    motto: str = ""
    description: str = ""
    operator: str = ""
    contact: str | None = None
    rules: tuple[str, ...] = ()
    members: int = 0
    peers: int = 0
    source_href: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NavItemView:
    """One entry of the navigation. `word` is a message of the catalogues."""

    key: str
    href: str
    icon: str
    word: str
    count: int = 0
    current: bool = False
    desk: bool = False
    """Only where there is room: rail and side list."""
    first: bool = False
    """The main action."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NavView:
    """The one navigation that serves tab bar, rail and side list."""

    items: tuple[NavItemView, ...]
    administration: bool = False


def main_nav(current: str, *, notices: int = 0, messages: int = 0, administrator: bool = False) -> NavView:
    """The navigation of members. `current` is the key of the page's own entry, or empty."""
    rows = (
        ("home", "/", "home", words.N_("Home"), 0, False),
        ("cases", "/cases", "case", words.N_("Cases"), 0, False),
        ("write", "/compose", "pen", words.N_("Write"), 0, False),
        ("notifications", "/notifications", "bell", words.N_("Notifications"), notices, False),
        ("messages", "/messages", "mail", words.N_("Messages"), messages, False),
        ("search", "/search", "search", words.N_("Search"), 0, True),
        ("directory", "/directory", "people", words.N_("Directory"), 0, True),
        ("verification", "/verification", "key", words.N_("Attestations"), 0, True),
        ("settings", "/settings", "sliders", words.N_("Settings"), 0, True),
    )
    if administrator:
        return NavView(items=_nav_items((*rows, _ADMINISTRATION), current))
    return NavView(items=_nav_items(rows, current))


def admin_nav(current: str, *, verifications: int = 0, reports: int = 0) -> NavView:
    """The navigation of administrators. `current` is the key of the page's own entry."""
    rows = (
        ("overview", "/admin", "home", words.N_("Overview"), 0, False),
        ("peers", "/admin/peers", "network", words.N_("Peers"), 0, False),
        ("verification", "/admin/verification", "page", words.N_("Verification"), verifications, False),
        ("reports", "/admin/reports", "flag", words.N_("Reports"), reports, False),
        ("queue", "/admin/queue", "out", words.N_("Deliveries"), 0, True),
        ("policy", "/admin/policy", "sliders", words.N_("Policy"), 0, False),
        ("audit", "/admin/audit", "book", words.N_("Audit"), 0, True),
        ("back", "/", "back", words.N_("Back to the instance"), 0, True),
    )
    return NavView(items=_nav_items(rows, current), administration=True)


_NavRow: TypeAlias = tuple[str, str, str, str, int, bool]
_ADMINISTRATION: Final[_NavRow] = ("admin", "/admin", "network", words.N_("Manage"), 0, True)


def _nav_items(rows: tuple[_NavRow, ...], current: str) -> tuple[NavItemView, ...]:
    return tuple(
        NavItemView(
            key=key,
            href=href,
            icon=icon,
            word=word,
            count=count,
            desk=desk,
            current=key == current,
            first=key == "write",
        )
        for key, href, icon, word, count, desk in rows
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashView:
    """What just happened; already in the reader's language. `undo` is where a POST takes it back."""

    text: str
    tone: Tone = "plain"
    undo: str | None = None

    @property
    def look(self) -> str:
        """The classes that a tone adds."""
        return "" if self.tone == "plain" else f" {self.tone}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Everything around the content of a page: who reads, where, when and in which language."""

    language: str
    instance: InstanceView
    now: Millis
    csrf: str
    """Goes into every form as the field `csrf`."""
    path: str = "/"
    """Where the page lives, to come back to after an action (field `back`)."""
    zone: tzinfo = UTC
    theme: Theme = "auto"
    viewer: PersonView | None = None
    nav: NavView | None = None
    flash: FlashView | None = None
    alternate: str | None = None
    """The ActivityStreams document of what the page shows."""
    indexed: bool = False
    """Whether search engines may keep it: its author has to have said so."""

    @property
    def html_theme(self) -> str | None:
        """The attribute that overrides the device, or None to follow it."""
        return None if self.theme == "auto" else self.theme


@dataclass(frozen=True, slots=True, kw_only=True)
class PagingView:
    """Pages instead of endless scrolling."""

    newer: str | None = None
    older: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TabView:
    """A tab of a page; `word` is already in the reader's language."""

    word: str
    href: str
    current: bool = False


# -------------------------------------------------------------------------------------------- forms


@dataclass(frozen=True, slots=True, kw_only=True)
class FormView:
    """What was typed and what is wrong with it, by field name; messages already in the reader's language."""

    values: Mapping[str, str] = field(default_factory=dict)
    chosen: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """For fields with several values (checkboxes, multiple selects)."""
    errors: Mapping[str, str] = field(default_factory=dict)
    action: str = ""

    def value(self, name: str, default: str = "") -> str:
        """What the field holds."""
        return self.values.get(name, default)

    def has(self, name: str, value: str) -> bool:
        """Whether `value` is among the chosen ones."""
        return value in self.chosen.get(name, frozenset()) or self.values.get(name) == value

    def error(self, name: str) -> str | None:
        """What is wrong with the field, or None."""
        return self.errors.get(name)


EMPTY_FORM: Final = FormView()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceView:
    """An option of a select or radio list; `word` is already in the reader's language."""

    value: str
    word: str
    hint: str = ""


# ------------------------------------------------------------------------------- audience and forecast


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceView:
    """Who can read something, as a sentence."""

    code: str
    instances: int | None = None
    requirement: str | None = None
    """Narrower than "attested practitioners", in the reader's language: "physicians, France"."""

    @property
    def icon(self) -> str:
        """The icon beside the sentence."""
        return words.AUDIENCE_ICONS.get(self.code, "people")


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceChoiceView:
    """One line of the audience list in the composer, with its forecast."""

    code: str
    readers: int | None = None
    instances: int | None = None
    missing: int = 0
    checked: bool = False
    disabled_because: str | None = None

    @property
    def icon(self) -> str:
        """The icon beside the words."""
        return words.AUDIENCE_ICONS.get(self.code, "people")

    @property
    def counted(self) -> bool:
        """Whether readers and instances are known."""
        return self.readers is not None and self.instances is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class MissedView:
    """A follower who will not receive it. `reason` is in the reader's language."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastView:
    """What would happen on publishing, before it happens."""

    readers: int
    followers: int
    instances: int
    missed: tuple[MissedView, ...] = ()


# ----------------------------------------------------------------------------------- posts and cases


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentView:
    """An image, film or file. `curtain` says, in the reader's language, why it is covered until opened."""

    id: str
    src: str
    preview: str
    alt: str
    kind: Literal["image", "video", "audio", "file"] = "image"
    width: int = 1200
    height: int = 900
    caption: str = ""
    curtain: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PollOptionView:
    """One choice of a poll."""

    index: int
    text: str
    votes: int
    share: float
    """Between 0 and 1."""
    mine: bool = False

    @property
    def bar(self) -> int:
        """Length in hundredths."""
        return round(self.share * 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class PollView:
    """A poll. `can_vote` is decided: signed in, open, not yet voted, not one's own."""

    id: str
    action: str
    options: tuple[PollOptionView, ...]
    voters: int
    ends_at: Millis | None = None
    closed: bool = False
    multiple: bool = False
    can_vote: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReactionView:
    """How many reacted with an emoji; `src` is its picture, if it is a custom one."""

    emoji: str
    count: int
    src: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteView:
    """A post that another quotes with its author's consent."""

    author: PersonView
    href: str
    at: Millis
    excerpt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PostView:
    """A post with everything its reader may do with it."""

    is_case: ClassVar[bool] = False

    id: str
    href: str
    author: PersonView
    at: Millis
    content_html: Markup
    """Sanitised on arrival; the only markup that a template does not escape."""
    audience: AudienceView
    language: str | None = None
    summary: str | None = None
    attachments: tuple[AttachmentView, ...] = ()
    poll: PollView | None = None
    relayed_by: PersonView | None = None
    answers_to: str | None = None
    """The handle it answers, when shown outside its thread."""
    answers_href: str | None = None
    kind: str = "answer"
    edited_at: Millis | None = None
    case_title: str | None = None
    replies: int = 0
    relays: int = 0
    useful: int = 0
    reactions: tuple[ReactionView, ...] = ()
    quote: QuoteView | None = None
    lacks_quote: bool = False
    """It quotes what its reader cannot be shown: nobody has agreed, or it is gone."""
    did_relay: bool = False
    did_find_useful: bool = False
    did_keep: bool = False
    can_act: bool = False
    """A signed-in reader may mark, keep and report."""
    can_relay: bool = False
    """Absent, not grey, when the audience forbids it."""
    can_delete: bool = False
    can_accept: bool = False
    """The author of the case may keep this answer."""
    accepted: bool = False
    """Kept by the author of the case: shown first, linked from its place."""
    answers: tuple["PostView", ...] = ()
    more_answers: int = 0

    @property
    def action(self) -> str:
        """Where its buttons post their `do`."""
        return f"/posts/{self.id}"

    @property
    def anchor(self) -> str:
        """Its id within a page."""
        return f"post-{self.id}"

    @property
    def kind_icon(self) -> str:
        """The icon of its kind."""
        return words.KIND_ICONS.get(self.kind, "reply")

    @property
    def shows_kind(self) -> bool:
        """A plain answer is not labelled."""
        return self.kind != "answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientView:
    """Age band and sex, never more."""

    age_band: str | None = None
    sex: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseCardView:
    """A case in a list: the problem before the person."""

    is_case: ClassVar[bool] = True

    id: str
    href: str
    title: str
    stage: str
    specialties: tuple[str, ...]
    patient: PatientView
    excerpt: str
    question: str
    author: PersonView
    at: Millis
    audience: AudienceView
    language: str | None = None
    images: tuple[AttachmentView, ...] = ()
    image_count: int = 0
    deadline: Millis | None = None
    outcome: str | None = None
    relayed_by: PersonView | None = None
    post_id: str
    replies: int = 0
    useful: int = 0
    reactions: tuple[ReactionView, ...] = ()
    did_find_useful: bool = False
    did_keep: bool = False
    can_act: bool = False

    @property
    def stage_icon(self) -> str:
        """The icon of the stage."""
        return words.STAGE_ICONS.get(self.stage, "case")

    @property
    def action(self) -> str:
        """Where its buttons post their `do`."""
        return f"/posts/{self.post_id}"

    @property
    def anchor(self) -> str:
        """Its id within a page."""
        return f"case-{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionView:
    """A titled part of a case's narrative; `key` is presentation, history, examination or investigations."""

    key: str
    content_html: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseView:
    """The page of a case."""

    card: CaseCardView
    sections: tuple[SectionView, ...]
    question_html: Markup
    outcome_html: Markup | None = None
    images: tuple[AttachmentView, ...] = ()
    consent: str = "none"
    """Empty when its home has not said."""
    image_note: str = ""
    accepted: PostView | None = None
    accepted_at: Millis | None = None
    answers: tuple[PostView, ...] = ()
    answer_count: int = 0
    edited_at: Millis | None = None
    remote_href: str | None = None
    """Its home, when it came from another instance."""
    stages: tuple[str, ...] = ()
    """The stages its reader may move it to; empty unless the reader is the author."""
    can_edit: bool = False
    can_answer: bool = False
    instances: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckView:
    """One line of the completeness list. `word` is in the reader's language; `anchor` names the field."""

    word: str
    done: bool
    anchor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingView:
    """A passage that may identify the patient, in three pieces, and what could stand there instead."""

    before: str
    passage: str
    after: str
    kind: str
    replacement: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFormView:
    """The case editor: its form and everything that stands beside the button."""

    form: FormView
    audiences: tuple[AudienceChoiceView, ...]
    checks: tuple[CheckView, ...] = ()
    findings: tuple[FindingView, ...] = ()
    images: tuple[AttachmentView, ...] = ()
    forecast: ForecastView | None = None
    specialties: tuple[ChoiceView, ...] = ()
    age_bands: tuple[ChoiceView, ...] = ()
    saved_at: Millis | None = None
    editing: bool = False
    image_slots: int = 2
    """Empty file fields to offer, besides the images already kept."""

    @property
    def percent(self) -> int:
        """Share of the list that is done."""
        return round(100 * self.done / len(self.checks)) if self.checks else 0

    @property
    def done(self) -> int:
        """How many are done."""
        return sum(check.done for check in self.checks)

    @property
    def left(self) -> int:
        """How many are left."""
        return len(self.checks) - self.done


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposeView:
    """The composer."""

    form: FormView
    audiences: tuple[AudienceChoiceView, ...]
    forecast: ForecastView | None = None
    answering: PostView | None = None
    images: tuple[AttachmentView, ...] = ()
    limit: int = 5_000
    poll_options: int = 4
    image_slots: int = 2
    """Empty file fields to offer, besides the images already kept."""

    @property
    def poll_open(self) -> bool:
        """Whether the poll is unfolded from the start."""
        return any(name.startswith("poll_option") for name, text in self.form.values.items() if text)


# --------------------------------------------------------------------------------------- other pages


@dataclass(frozen=True, slots=True, kw_only=True)
class FactView:
    """A line of a profile, said by its owner. `value_html` is sanitised."""

    name: str
    value_html: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileView:
    """A profile. `relation` is what its reader is to the person."""

    person: PersonView
    bio_html: Markup
    facts: tuple[FactView, ...] = ()
    credentials: tuple[CredentialView, ...] = ()
    joined_at: Millis | None = None
    remote_href: str | None = None
    relation: Relation = "stranger"
    follows_you: bool = False
    locked: bool = False
    muted: bool = False
    moved_to: str | None = None
    """The handle of the account that they have moved to."""
    action: str = ""
    """Where follow, unfollow, mute, block, report are posted as `do`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationView:
    """Something that happened to the reader; several of a kind are one."""

    kind: str
    at: Millis
    href: str
    actor: PersonView | None = None
    others: int = 0
    excerpt: str = ""
    unread: bool = False
    request_action: str | None = None
    """Where a follow request is accepted or refused."""

    @property
    def icon(self) -> str:
        """The icon of its kind."""
        return words.NOTICE_ICONS.get(self.kind, "bell")

    @property
    def sentence(self) -> str:
        """The message, with %(who)s for the actor."""
        return words.NOTICES.get(self.kind, words.NOTICES["status"])


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationView:
    """A private conversation in the list."""

    href: str
    people: tuple[PersonView, ...]
    excerpt: str
    at: Millis
    unread: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """A browser or an application that is signed in. `id` goes back when it is ended."""

    id: str
    name: str
    last_seen: Millis
    scopes: tuple[str, ...] = ()
    current: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationView:
    """An application that asks for access."""

    name: str
    website: str | None
    host: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationRequestView:
    """A member's own request."""

    id: str
    profession: str
    specialty: str | None
    status: RequestStatus
    at: Millis
    answer: str = ""


# ----------------------------------------------------------------------------------- administration


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
    """What a peer is owed; `next_at` None: not before an administrator says so."""

    host: str
    state: str
    ails: bool
    waiting: int
    attempts: int
    is_due: bool
    next_at: Millis | None
    last_error: str


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
