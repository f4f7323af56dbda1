"""Posts and cases as they are read and written."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from markupsafe import Markup

from medfed.kernel.clock import Millis
from medfed.web import words
from medfed.web.views.audience import AudienceChoiceView, AudienceView, ForecastView
from medfed.web.views.forms import ChoiceView, FormView
from medfed.web.views.people import PersonView


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
    lacks_quote: str = ""
    """Why it quotes what its reader cannot be shown, in a word: nobody has agreed, or it is gone."""
    did_relay: bool = False
    did_find_useful: bool = False
    did_keep: bool = False
    can_act: bool = False
    """A signed-in reader may mark, keep and report."""
    can_relay: bool = False
    """Absent, not grey, when the audience forbids it, or the author."""
    held: str = ""
    """Its author's answer that nobody else sees: waiting, or refused; or relay, when only the relay waits."""
    can_react: bool = True
    can_answer: bool = True
    can_quote: bool = False
    asks_to_quote: bool = False
    """Its author agrees each time, or not."""
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
    def policy_action(self) -> str:
        """Where its author says who may answer and quote it."""
        return f"/posts/{self.id}/policy"

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
    quoting: PostView | None = None
    images: tuple[AttachmentView, ...] = ()
    limit: int = 5_000
    poll_options: int = 4
    image_slots: int = 2
    """Empty file fields to offer, besides the images already kept."""

    @property
    def poll_open(self) -> bool:
        """Whether the poll is unfolded from the start."""
        return any(name.startswith("poll_option") for name, text in self.form.values.items() if text)
