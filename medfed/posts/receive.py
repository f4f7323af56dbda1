"""A peer's post is stored, changed, erased. What arrives here is authentic, admitted, and about to be sanitised."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from medfed.activitypub.here import Here
from medfed.activitypub.wire import Document, PeerAttachment, PeerPost, listed, reference, text_of
from medfed.domain import cases as case_rules
from medfed.domain.accounts import Account
from medfed.domain.cases import Case
from medfed.domain.emoji import Emoji
from medfed.domain.posts import Attachment, Composed, Mention, Poll, PollOption, Post, narrower, visibility_of
from medfed.kernel import limits
from medfed.kernel.html import clean, neutralise, plain, safe_url
from medfed.kernel.text import fold_hashtag
from medfed.notifications.notify import notify
from medfed.posts import permission, polls, quoting
from medfed.storage import (
    accounts,
    cases,
    credentials,
    emojis,
    notifications,
    posts,
    relations,
    threads,
    timelines,
)
from medfed.storage.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What was looked up about a peer's post before the transaction: the accounts that it addresses."""

    addressed: Mapping[str, Account] = field(default_factory=dict)


async def receive(
    tx: Transaction, here: Here, author: Account, said: PeerPost, around: Around, *, quiet: bool = False
) -> Post | None:
    """Store a peer's new post with homes and notifications.

    None when it is stored already, or was deleted (A05), or answers a member who does not let it (canReply).

    `quiet` tells nobody: what somebody once pinned is no news to those who follow them.
    """
    settled, awaited = await posts.before(tx, said.id, author.uri)
    if settled:
        return None
    parent = await posts.find_by_uri(tx, said.in_reply_to) if said.in_reply_to else None
    if parent is not None and parent.local and not await permission.stands(tx, author, parent, "reply", said.id):
        return None
    named = await emojis.put(tx, author.host, said.emojis, here.ids.new)
    composed = _composed(here, author, said, around, parent, named)
    post = composed.post
    if not await posts.insert(tx, composed):
        return None
    await quoting.claim(tx, here, post.id, said)
    await threads.put(tx, post.id, threads.Place(context=said.context, replies=said.replies))
    if said.case is not None and post.kind == "Note":
        await _store_case(tx, here, post, said)
    if post.is_open:
        await accounts.count_post(tx, author.id, 1, post.published_at)
    if parent is not None:
        await posts.recount_replies(tx, parent.id)
    if awaited:
        await posts.adopt_replies(tx, post)
    if not quiet:
        await _tell(tx, here, author, composed, around, parent)
    return post


async def _tell(
    tx: Transaction, here: Here, author: Account, composed: Composed, around: Around, parent: Post | None
) -> None:
    post = composed.post
    if post.visibility == "group":
        return  # its members hear of it from the group
    members = {account.id for account in around.addressed.values() if account.local}
    if parent is not None and parent.local and post.visibility != "direct":
        members.add(parent.account_id)
    for member_id in members:
        await notify(tx, here, to=member_id, kind="mention", from_id=author.id, post_id=post.id)
    if post.visibility == "direct":
        await timelines.add_to_homes(tx, post.id, members)
    else:
        await timelines.add_to_followers(tx, post)


async def revise(tx: Transaction, here: Here, post: Post, author: Account, said: PeerPost, around: Around) -> bool:
    """Give a peer's post its new words and counts; False when what we have is newer (A07).

    Its audience stays what it was: an edit cannot open what was closed.
    """
    # Consent to a quote, and another policy, come with an Update that changes nothing else.
    await quoting.claim(tx, here, post.id, said)
    if said.policy != post.policy and not _is_older(said, post):
        await posts.set_policy(tx, post.id, said.policy)
    if said.updated is None and said.poll is None:
        return False
    if _is_older(said, post):
        return False
    if said.poll is not None:
        await _revise_poll(tx, post, said)
    if said.updated is None:
        return True
    named = await emojis.put(tx, author.host, said.emojis, here.ids.new)
    fresh = _composed(here, author, said, around, None, named)
    if said.updated == post.edited_at and _words(fresh.post) == _words(post):
        return said.poll is not None
    revised = replace(
        fresh.post,
        id=post.id,
        visibility=post.visibility,
        requires=post.requires,
        published_at=post.published_at,
        edited_at=said.updated,
        conversation_id=post.conversation_id,
    )
    mentions = fresh.mentions if post.visibility != "direct" else ()
    await posts.update(tx, replace(fresh, post=revised, mentions=mentions, poll=None))
    if said.case is not None:
        await _store_case(tx, here, revised, said)
    await quoting.tell_of_edit(tx, here, revised)
    return True


def _is_older(said: PeerPost, post: Post) -> bool:
    return said.updated is not None and post.edited_at is not None and said.updated < post.edited_at


def _words(post: Post) -> tuple[object, ...]:
    return (post.content, post.spoiler, post.sensitive, post.language, post.title)


async def erase(tx: Transaction, here: Here, post: Post, author: Account) -> None:
    """A peer's author (or their server) deleted a post."""
    await posts.delete(tx, post, actor_uri=author.uri, at=here.now())
    if post.is_open and not post.is_boost:
        await accounts.count_post(tx, author.id, -1)


async def erase_actor(tx: Transaction, here: Here, actor: Account) -> None:
    """Everything of a peer's actor goes with it: posts, reactions, follows, what it was told: nobody inherits (D21)."""
    await accounts.mark_gone(tx, actor.id, here.now())
    await posts.bury(tx, actor.uri, actor_uri=actor.uri, at=here.now())
    await posts.delete_all_of(tx, actor.id)
    await notifications.forget_from(tx, actor.id)
    await credentials.delete_all_of(tx, actor.id)
    await accounts.recount_follows(tx, actor.id, *await relations.delete_all_of(tx, actor.id))


async def vote(tx: Transaction, here: Here, voter: Account, said: PeerPost, poll_post: Post) -> bool:
    """A peer's actor answers a poll of ours; False when it is closed, unknown, or was answered before (D09)."""
    poll = (await posts.polls(tx, [poll_post.id])).get(poll_post.id)
    if poll is None or not poll_post.local or poll.is_closed(here.now()) or poll_post.account_id == voter.id:
        return False
    titles = [option.title for option in poll.options]
    if said.title not in titles:
        return False
    earlier = (await posts.own_votes(tx, voter.id, [poll_post.id])).get(poll_post.id, [])
    if earlier and not poll.multiple:
        return False
    counted = await posts.vote(
        tx,
        post_id=poll_post.id,
        account_id=voter.id,
        position=titles.index(said.title),
        uri=said.id,
        at=here.now(),
    )
    if counted:
        await polls.counted(tx, here, poll_post.id)
    return counted


async def _revise_poll(tx: Transaction, post: Post, said: PeerPost) -> None:
    known = (await posts.polls(tx, [post.id])).get(post.id)
    poll = _poll(said)
    if known is None or poll is None:
        return
    asked, asks = ([option.title for option in each.options] for each in (known, poll))
    if asked != asks or known.multiple != poll.multiple:
        if said.updated is not None and said.updated > (post.edited_at or post.published_at):
            # Another question: what was answered before was not this one.
            await posts.replace_poll(tx, replace(poll, post_id=post.id))
        return
    if any(now.votes < before.votes for now, before in zip(poll.options, known.options, strict=True)):
        return  # votes are not taken back: this is an older count, or none at all (D09)
    await posts.put_poll(
        tx, replace(poll, post_id=post.id, multiple=known.multiple, closed=known.closed or poll.closed)
    )


def group_of(said: PeerPost, around: Around, author: Account, parent: Post | None) -> Account | None:
    """The closed group that a peer's post is for: it goes to the members, and neither to all nor to followers.

    Whatever an answer claims, it is read by no more than what it answers (M14).
    """
    if parent is not None and parent.visibility == "group":
        return around.addressed.get(parent.audience_uri)
    if visibility_of(said.to, said.cc, followers_uri=author.followers_uri, restricted=False) != "direct":
        return None
    named = (each for each in around.addressed.values() if each.kind == "Group" and each.followers_uri)
    return next((group for group in named if group.followers_uri in said.to), None)


def _composed(
    here: Here,
    author: Account,
    said: PeerPost,
    around: Around,
    parent: Post | None,
    named: tuple[Emoji, ...],
) -> Composed:
    id_, now = here.ids.new(), here.now()
    published = said.published or now
    group = group_of(said, around, author, parent)
    visibility = visibility_of(
        said.to, said.cc, followers_uri=author.followers_uri, restricted=said.requires is not None
    )
    requires = said.requires
    audience_uri = next(iter(said.to), "") if visibility == "verified" else ""
    if group is not None:
        visibility, audience_uri = "group", group.uri
    elif parent is not None and parent.visibility == "group":
        visibility = narrower(visibility, "group")
        audience_uri = parent.audience_uri if visibility == "group" else ""
    if parent is not None and parent.visibility == "verified":
        # Whatever a peer's answer claims, it is read by no more than what it answers (M14).
        # Followers of a stranger are not all recognised, nor are all who are recognised its followers.
        visibility = "direct" if visibility in ("followers", "group") else narrower(visibility, "verified")
        requires = parent.requires
        audience_uri = next(iter(said.to), "") if visibility == "verified" else ""
    post = Post(
        id=id_,
        uri=said.id,
        local=False,
        account_id=author.id,
        kind=said.kind,
        url=said.url,
        content=_content(said),
        title=neutralise(said.title, limits.NAME) if said.kind != "Note" or said.case is not None else "",
        spoiler=neutralise(plain(said.summary), limits.SUMMARY) if said.kind in ("Note", "Question") else "",
        sensitive=said.sensitive or bool(said.summary and said.kind in ("Note", "Question")),
        language=said.language,
        visibility=visibility,
        requires=requires if visibility == "verified" else None,
        audience_uri=audience_uri,
        in_reply_to_uri=said.in_reply_to,
        in_reply_to_id=parent.id if parent else None,
        in_reply_to_account_id=parent.account_id if parent else None,
        conversation_id=parent.conversation_id if parent else id_,
        tags=tuple(dict.fromkeys(filter(None, map(fold_hashtag, said.hashtags))))[: limits.TAGS],
        emojis=named,
        policy=said.policy,
        published_at=min(published, now),
        edited_at=said.updated if said.updated and said.updated > published else None,
        stored_at=now,
    )
    return Composed(
        post=post,
        mentions=_mentions(author, said, around),
        attachments=tuple(_attachment(here, author, item) for item in said.attachments if safe_url(item.url)),
        poll=_poll(said),
    )


def _content(said: PeerPost) -> str:
    content = clean(said.content)
    if said.kind in ("Note", "Question", "ChatMessage"):
        return content
    title = neutralise(said.title, limits.NAME)
    link = safe_url(said.url)
    heading = clean(f'<p><strong><a href="{link}">{_escaped(title or link)}</a></strong></p>') if link else ""
    return heading + content


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def _mentions(author: Account, said: PeerPost, around: Around) -> tuple[Mention, ...]:
    named = set(said.mentions)
    return tuple(
        Mention(
            account_id=account.id,
            uri=account.uri,
            handle=account.handle,
            url=account.url,
            silent=uri not in named,
        )
        for uri, account in around.addressed.items()
        if account.id != author.id
    )


def _attachment(here: Here, author: Account, item: PeerAttachment) -> Attachment:
    return Attachment(
        id=here.ids.new(),
        account_id=author.id,
        kind=item.kind,
        mime=item.mime,
        remote_url=safe_url(item.url),
        description=neutralise(item.description, limits.ALT_TEXT),
        blurhash=item.blurhash,
        focus_x=item.focus[0],
        focus_y=item.focus[1],
        width=item.width,
        height=item.height,
        created_at=here.now(),
    )


def _poll(said: PeerPost) -> Poll | None:
    if said.poll is None:
        return None
    return Poll(
        multiple=said.poll.multiple,
        closes_at=said.poll.closes,
        closed=said.poll.closed,
        voters_count=said.poll.voters,
        options=tuple(PollOption(title=neutralise(title, 500), votes=votes) for title, votes in said.poll.options),
    )


# ── cases ────────────────────────────────────────────────────────────────────────────────────────────────────


_AUDIENCE: Final[Mapping[str, case_rules.Audience]] = {
    "public": "public",
    "unlisted": "public",
    "followers": "followers",
    "direct": "followers",
    "verified": "verified",
    "group": "followers",
}


async def _store_case(tx: Transaction, here: Here, post: Post, said: PeerPost) -> None:
    assert said.case is not None  # noqa: S101 — the callers looked
    accepted = reference(said.case.get("accepted"))
    kept = await posts.find_by_uri(tx, accepted) if accepted else None
    await cases.put(tx, _case(here, post, said.case, kept.id if kept else None))


def _case(here: Here, post: Post, document: Document, accepted_id: int | None) -> Case:
    stage = text_of(document, "stage", 40)
    texts = {name: _markdown(document, name) for name in (*case_rules.TEXTS, "outcome")}
    return Case(
        id=here.ids.new(),
        post_id=post.id,
        account_id=post.account_id,
        title=post.title[: limits.CASE_TITLE] or plain(post.content)[:80],
        age_band=_one_of(text_of(document, "ageBand", 20), case_rules.AGE_BANDS),
        sex=_one_of(text_of(document, "sex", 20), case_rules.SEXES),
        consent_basis=_one_of(text_of(document, "consent", 40), case_rules.CONSENTS) or "none",
        specialties=tuple(str(code)[:60] for code in listed(document.get("specialty"), 10) if isinstance(code, str)),
        stage=next((known for known in case_rules.STAGES if known == stage), "interesting"),
        accepted_post_id=accepted_id,
        audience=_AUDIENCE[post.visibility],
        created_at=post.published_at,
        updated_at=here.now(),
        **texts,
    )


def _markdown(document: Document, name: str) -> str:
    lines = text_of(document, name, limits.CASE_FIELD).splitlines()
    return "\n".join(neutralise(line, limits.CASE_FIELD) for line in lines)


def _one_of(value: str, known: Sequence[str]) -> str:
    return value if value in known else ""
