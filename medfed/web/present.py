"""From records to views: what a page decides is decided here, with a fixed number of queries for any list."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from markupsafe import Markup, escape

from medfed.activitypub.here import Here
from medfed.domain.accounts import Account
from medfed.domain.cases import Case
from medfed.domain.credentials import Credential, CredentialState
from medfed.domain.emoji import Emoji, EmojiCount
from medfed.domain.interactions import DEEDS, Deed, Leave, Tie
from medfed.domain.posts import Attachment, Mention, Poll, Post, Quote, Requirement
from medfed.kernel.html import from_markdown, plain, with_pictures
from medfed.media import links
from medfed.posts import permission, read
from medfed.storage import accounts, cases, posts, reactions
from medfed.storage import quotes as stored_quotes
from medfed.storage.database import View
from medfed.storage.reactions import Reacted
from medfed.verification.standing import states_for
from medfed.web import words
from medfed.web.views import (
    AttachmentView,
    AudienceView,
    CaseCardView,
    PatientView,
    PersonView,
    PollOptionView,
    PollView,
    PostView,
    QuoteView,
    ReactionView,
    StampView,
    display_name,
)
from medfed.web.visit import Visit
from medfed.web.words import N_

_TAG: Final = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")
_EXCERPT: Final = 280
_LINE: Final = 140
_REACTIONS: Final = 12


# ── people and their stamps ──────────────────────────────────────────────────────────────────────────────────


def local_url(here: Here, url: str) -> str:
    """A URL of ours as a path, so that pages work under whatever name the browser reached us by."""
    return url.removeprefix(here.uris.base)


def handle_path(account: Account) -> str:
    """The page of an account here."""
    return f"/@{account.acct}"


def stamp(credential: Credential) -> StampView:
    """An attestation, small."""
    claim = credential.claim
    ended = credential.claim.valid_until if credential.state is CredentialState.EXPIRED else None
    return StampView(
        state=credential.state.value,
        profession=claim.profession or "health-professional",
        specialty=claim.specialties[0] if claim.specialties else None,
        issuer=display_name(claim.issuer_name, "") or claim.issuer.removeprefix("did:web:").replace("%3A", ":"),
        href=f"/credentials/{credential.id}",
        ended_at=ended,
    )


_BEST_FIRST: Final = (
    "trusted",
    "stale",
    "key-discontinuity",
    "suspended",
    "revoked",
    "expired",
    "untrusted",
    "invalid",
)


def person(visit: Visit, account: Account, held: Sequence[Credential] = ()) -> PersonView:
    """An account with its stamps, those that count first."""
    here = visit.instance.here
    ranked = sorted(held, key=lambda each: _BEST_FIRST.index(each.state.value))
    avatar = links.picture(here, account.id, account.avatar, local=account.local)
    return PersonView(
        name=_without_pictures(account),
        handle=f"@{account.acct}",
        href=handle_path(account),
        kind="person" if account.kind == "Person" else "institution",
        avatar=local_url(here, avatar) or None,
        stamps=tuple(stamp(each) for each in ranked),
        yours=visit.viewer is not None and visit.viewer.id == account.id,
    )


def _without_pictures(account: Account) -> str:
    """A name as our pages show it: a picture next to it could be taken for a stamp (N11)."""
    name = account.name
    for each in account.emojis:
        name = name.replace(f":{each.shortcode}:", "")
    return name.strip() or account.username


def pictures(emojis: Iterable[Emoji]) -> dict[str, str]:
    """Where the pictures of emojis are here, by name."""
    return {each.shortcode: f"/media/emoji/{each.id}" for each in emojis}


async def people(view: View, visit: Visit, ids: Iterable[int]) -> dict[int, PersonView]:
    """Accounts by id, with their stamps; two queries."""
    known = await accounts.find_many(view, ids)
    held = await states_for(view, visit.instance.here, known)
    return {id_: person(visit, account, held.get(id_, ())) for id_, account in known.items()}


# ── audiences ────────────────────────────────────────────────────────────────────────────────────────────────


def audience(visit: Visit, post: Post, *, in_case: bool = False, instances: int | None = None) -> AudienceView:
    """Who can read a post."""
    if in_case:
        return AudienceView(code="case")
    return AudienceView(code=post.visibility, instances=instances, requirement=requirement(visit, post.requires))


def requirement(visit: Visit, requires: Requirement | None) -> str | None:
    """What narrows an audience beyond any attestation, in the reader's language."""
    if requires is None or requires == Requirement():
        return None
    parts = [
        *(visit.word("practitioner", code) for code in requires.professions),
        *(visit.word("specialty", code) for code in requires.specialties),
        *requires.countries,
    ]
    who = ", ".join(parts) or visit.say(words.READERS["verified"])
    if requires.min_assurance == "low":
        return who
    level = visit.word("assurance", requires.min_assurance)
    return visit.say(N_("%(who)s, level %(level)s or more"), who=who, level=level)


# ── posts and cases ──────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """Everything that some posts are shown with."""

    people: Mapping[int, PersonView] = field(default_factory=dict)
    accounts: Mapping[int, Account] = field(default_factory=dict)
    originals: Mapping[int, Post] = field(default_factory=dict)
    attachments: Mapping[int, Sequence[Attachment]] = field(default_factory=dict)
    mentions: Mapping[int, Sequence[Mention]] = field(default_factory=dict)
    polls: Mapping[int, Poll] = field(default_factory=dict)
    votes: Mapping[int, Sequence[int]] = field(default_factory=dict)
    cases: Mapping[int, Case] = field(default_factory=dict)
    reacted: Reacted = field(default_factory=Reacted)
    emojis: Mapping[int, Sequence[EmojiCount]] = field(default_factory=dict)
    quotes: Mapping[int, Quote] = field(default_factory=dict)
    quoted: Mapping[int, Post] = field(default_factory=dict)
    ties: Mapping[int, Tie] = field(default_factory=dict)
    """By the post, what its reader is to the author; empty for strangers."""


async def around(view: View, visit: Visit, shown: Sequence[Post]) -> Around:
    """Gather it; the number of queries does not depend on the number of posts."""
    originals = await posts.find_many(view, (post.boost_of_id for post in shown if post.boost_of_id))
    whole = {post.id: post for post in shown} | originals
    about = {post.account_id for post in whole.values()}
    about |= {post.in_reply_to_account_id for post in whole.values() if post.in_reply_to_account_id}
    quotes = await stored_quotes.of_posts(view, whole)
    quoted = await read.quoted(view, visit.instance.here, visit.viewer, quotes.values())
    about |= {post.account_id for post in quoted.values()}
    known = await accounts.find_many(view, about)
    held = await states_for(view, visit.instance.here, known)
    polls = await posts.polls(view, [post.id for post in whole.values() if post.kind == "Question"])
    viewer = visit.viewer
    return Around(
        people={id_: person(visit, account, held.get(id_, ())) for id_, account in known.items()},
        accounts=known,
        originals=originals,
        attachments=await posts.attachments(view, whole),
        mentions=await posts.mentions(view, whole),
        polls=polls,
        votes=await posts.own_votes(view, viewer.id, polls) if viewer else {},
        cases=await cases.of_posts(view, whole),
        reacted=await reactions.of_viewer(view, viewer.id, whole) if viewer else Reacted(),
        emojis=await reactions.with_emoji(view, [post.id for post in whole.values() if post.likes_count]),
        quotes=quotes,
        quoted=quoted,
        ties=await permission.ties(view, viewer, list(whole.values()), known) if viewer else {},
    )


async def items(view: View, visit: Visit, shown: Sequence[Post]) -> tuple[PostView | CaseCardView, ...]:
    """Posts of a list, which their reader may read, as cards; boosts as what they pass on."""
    gathered = await around(view, visit, shown)
    return tuple(item(visit, post, gathered) for post in shown if post.account_id in gathered.people)


def item(visit: Visit, post: Post, gathered: Around) -> PostView | CaseCardView:
    """One of them."""
    relayed_by, relay = None, post
    if post.boost_of_id is not None and post.boost_of_id in gathered.originals:
        relayed_by = gathered.people[post.account_id]
        post = gathered.originals[post.boost_of_id]
    case = gathered.cases.get(post.id)
    if case is not None:
        return replace(case_card(visit, case, post, gathered), relayed_by=relayed_by)
    answered = gathered.people.get(post.in_reply_to_account_id or 0)
    shown = one(visit, post, gathered)
    held = "relay" if relay.is_boost and relay.is_held else shown.held
    return replace(shown, relayed_by=relayed_by, held=held, answers_to=answered.handle if answered else None)


def one(visit: Visit, post: Post, gathered: Around, *, case: Case | None = None) -> PostView:
    """A post; `case` is the one whose thread it stands in."""
    author = gathered.people[post.account_id]
    account = gathered.accounts[post.account_id]
    viewer = visit.viewer
    own = viewer is not None and viewer.id == post.account_id
    in_case = case is not None and post.visibility != "direct"
    did = gathered.reacted
    quote = _quote(post, gathered)
    leaves = _leaves(post, gathered)
    return PostView(
        id=str(post.id),
        href=post_path(account, post),
        author=author,
        at=post.published_at,
        content_html=content(post, gathered.mentions.get(post.id, ()), visit.instance.here),
        audience=audience(visit, post, in_case=in_case),
        language=language_tag(post.language),
        summary=post.spoiler or None,
        attachments=attachments(visit, post, gathered.attachments.get(post.id, ())),
        poll=_poll(visit, post, gathered, own=own),
        edited_at=post.edited_at,
        replies=post.replies_count,
        relays=post.boosts_count,
        useful=post.likes_count,
        reactions=_reactions(gathered.emojis.get(post.id, ())),
        quote=quote,
        lacks_quote="" if quote is not None else _lacks(gathered.quotes.get(post.id), own=own),
        did_relay=post.id in did.boosted,
        did_find_useful=post.id in did.liked,
        did_keep=post.id in did.kept,
        can_act=viewer is not None,
        can_relay=(post.is_open or (post.visibility == "followers" and own)) and leaves["boost"] != "none",
        held=post.permit if post.is_held else "",
        can_react=leaves["like"] != "none",
        can_answer=viewer is None or leaves["reply"] != "none",
        can_quote=leaves["quote"] in ("free", "known"),
        asks_to_quote=leaves["quote"] == "asked",
        can_delete=own,
        can_accept=_can_accept(viewer, post, case),
        accepted=case is not None and case.accepted_post_id == post.id,
    )


def _quote(post: Post, gathered: Around) -> QuoteView | None:
    quote = gathered.quotes.get(post.id)
    quoted = gathered.quoted.get(quote.quoted_id or 0) if quote is not None else None
    if quoted is None or quoted.account_id not in gathered.people:
        return None
    return QuoteView(
        author=gathered.people[quoted.account_id],
        href=post_path(gathered.accounts[quoted.account_id], quoted),
        at=quoted.published_at,
        excerpt=excerpt_of(quoted, _EXCERPT),
    )


def _leaves(post: Post, gathered: Around) -> Mapping[Deed, Leave]:
    """What its reader may do with a post; strangers nothing."""
    tie = gathered.ties.get(post.id)
    return {deed: permission.leave_of(post, deed, tie) if tie is not None else "none" for deed in DEEDS}


def _lacks(quote: Quote | None, *, own: bool) -> str:
    """Why a quote cannot be shown; what its author has decided is for who quotes to know."""
    if quote is None:
        return ""
    if quote.state == "accepted":
        return "unavailable" if quote.quoted_id else "deleted"
    return quote.state if own else "unavailable"


def _reactions(counted: Sequence[EmojiCount]) -> tuple[ReactionView, ...]:
    return tuple(
        ReactionView(
            emoji=each.emoji,
            count=each.count,
            src=f"/media/emoji/{each.emoji_id}" if each.emoji_id is not None else None,
        )
        for each in counted[:_REACTIONS]
    )


def _can_accept(viewer: Account | None, post: Post, case: Case | None) -> bool:
    if viewer is None or case is None or case.account_id != viewer.id:
        return False
    return post.id not in (case.post_id, case.accepted_post_id) and post.visibility != "direct"


def post_path(account: Account, post: Post) -> str:
    """The page of a post here."""
    return f"{handle_path(account)}/{post.id}"


def language_tag(language: str) -> str | None:
    """A language as the attribute `lang` holds it."""
    return language if _TAG.fullmatch(language) else None


def content(post: Post, named: Sequence[Mention], here: Here) -> Markup:
    """The text of a post, sanitised when it was stored; whom it names are linked to their pages here."""
    html = post.content
    for mention in named:
        if mention.url:
            name, _, domain = mention.handle.partition("@")
            ours = f"/@{name}" if domain == here.domain else f"/@{mention.handle}"
            html = html.replace(f'href="{escape(mention.url)}"', f'href="{escape(ours)}"')
    return Markup(with_pictures(html, pictures(post.emojis)))  # noqa: S704  (kernel.html made it)


def attachments(
    visit: Visit, post: Post, files: Sequence[Attachment], *, bare: bool = False
) -> tuple[AttachmentView, ...]:
    """The files of a post; what its author marked as sensitive is covered, unless `bare` or behind a warning."""
    covered = post.sensitive and not post.spoiler and not bare
    return tuple(_attachment(visit, post, file, covered=covered) for file in files)


def _attachment(visit: Visit, post: Post, file: Attachment, *, covered: bool) -> AttachmentView:
    here = visit.instance.here
    viewer = visit.viewer.id if visit.viewer is not None else 0
    url, preview = links.link(here, file, restricted_to=None if post.is_open else viewer)
    curtain = file.description[:60] or visit.say(N_("Sensitive image"))
    return AttachmentView(
        id=str(file.id),
        src=local_url(here, url),
        preview=local_url(here, preview),
        alt=file.description,
        # What is no image is not served from here: it stays a link.
        kind="image" if file.kind == "image" else "file",
        width=file.width or 1200,
        height=file.height or 900,
        curtain=curtain if covered else None,
    )


def _poll(visit: Visit, post: Post, gathered: Around, *, own: bool) -> PollView | None:
    poll = gathered.polls.get(post.id)
    if poll is None:
        return None
    mine = gathered.votes.get(post.id, ())
    closed = poll.is_closed(visit.now)
    total = max(poll.voters_count, 1) if poll.multiple else max(sum(option.votes for option in poll.options), 1)
    return PollView(
        id=str(post.id),
        action=f"/polls/{post.id}",
        options=tuple(
            PollOptionView(
                index=index,
                text=option.title,
                votes=option.votes,
                share=min(1.0, option.votes / total),
                mine=index in mine,
            )
            for index, option in enumerate(poll.options)
        ),
        voters=max(poll.voters_count, 0),
        ends_at=poll.closes_at,
        closed=closed,
        multiple=poll.multiple,
        can_vote=visit.viewer is not None and not own and not closed and not mine,
    )


def case_card(visit: Visit, case: Case, post: Post, gathered: Around) -> CaseCardView:
    """A case in a list."""
    did = gathered.reacted
    files = [file for file in gathered.attachments.get(post.id, ()) if file.kind == "image"]
    return CaseCardView(
        id=str(case.id),
        href=f"/cases/{case.id}",
        title=case.title,
        stage=case.stage,
        specialties=case.specialties,
        patient=PatientView(age_band=case.age_band or None, sex=case.sex or None),
        excerpt=excerpt(case.presentation, _EXCERPT),
        question=excerpt(case.question, _EXCERPT),
        author=gathered.people[post.account_id],
        at=post.published_at,
        audience=audience(visit, post),
        language=language_tag(post.language),
        # Readers of cases came for the image; strangers are asked first.
        images=attachments(visit, post, files[:1], bare=visit.viewer is not None),
        image_count=len(files),
        outcome=excerpt(case.outcome, _EXCERPT) or None,
        post_id=str(post.id),
        replies=post.replies_count,
        useful=post.likes_count,
        reactions=_reactions(gathered.emojis.get(post.id, ())),
        did_find_useful=post.id in did.liked,
        did_keep=post.id in did.kept,
        can_act=visit.viewer is not None,
    )


def markdown(text: str) -> Markup:
    """Markdown of a case, as HTML."""
    return Markup(from_markdown(text))  # noqa: S704  (kernel.html made it)


def excerpt(markdown: str, length: int = _LINE) -> str:
    """The beginning of a text, without its formatting."""
    return shortened(plain(from_markdown(markdown[: 4 * length])), length) if markdown else ""


def excerpt_of(post: Post, length: int = _LINE) -> str:
    """The beginning of a post: its warning where it has one."""
    return shortened(post.spoiler or post.title or plain(post.content[: 40 * length]), length)


def shortened(text: str, length: int) -> str:
    """One line of at most `length` characters, cut between words."""
    line = " ".join(text.split())
    if len(line) <= length:
        return line
    return f"{line[:length].rsplit(' ', 1)[0].rstrip(' ,.;:')}…"


# ── threads ──────────────────────────────────────────────────────────────────────────────────────────────────

_DEEPEST: Final = 3


def tree(visit: Visit, root: Post, below: Sequence[Post], gathered: Around, case: Case | None) -> tuple[PostView, ...]:
    """The answers below a post, nested; what is deeper than a page shows is counted where it goes on."""
    answers: dict[int, list[Post]] = {}
    for post in below:
        if post.in_reply_to_id is not None and post.account_id in gathered.people:
            answers.setdefault(post.in_reply_to_id, []).append(post)
    return _branch(visit, root.id, answers, gathered, case, depth=1)


def _branch(
    visit: Visit, id_: int, answers: Mapping[int, Sequence[Post]], gathered: Around, case: Case | None, *, depth: int
) -> tuple[PostView, ...]:
    shown = []
    for post in answers.get(id_, ()):
        view = one(visit, post, gathered, case=case)
        if depth < _DEEPEST:
            nested = _branch(visit, post.id, answers, gathered, case, depth=depth + 1)
            shown.append(replace(view, answers=nested, replies=_count(post.id, answers)))
        else:
            left = _count(post.id, answers)
            shown.append(replace(view, more_answers=left, replies=left))
    return tuple(shown)


def _count(id_: int, answers: Mapping[int, Sequence[Post]]) -> int:
    """How many answers, at any depth, stand below a post."""
    waiting, total = [id_], 0
    while waiting:
        found = answers.get(waiting.pop(), ())
        total += len(found)
        waiting += [post.id for post in found]
    return total
