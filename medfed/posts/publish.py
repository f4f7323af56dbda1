"""A member publishes, edits and deletes; the promise to peers commits with the post."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from medfed.accounts.peers import PeerLevels
from medfed.accounts.promise import inbox_of, promise
from medfed.activitypub import contexts, render
from medfed.activitypub.here import Here
from medfed.activitypub.render import Whole
from medfed.activitypub.wire import Document
from medfed.domain.accounts import Account, Handle
from medfed.domain.cases import Case
from medfed.domain.interactions import Policy
from medfed.domain.posts import RESTRICTED, WAITING, Attachment, Composed, Draft, Post
from medfed.kernel.clock import iso
from medfed.kernel.errors import Forbidden, Gone, Invalid
from medfed.notifications.notify import notify
from medfed.posts import closed, inboxes, permission, polls, quoting, read
from medfed.posts.carry import carry
from medfed.posts.compose import compose, mentions_of, recompose, written_into
from medfed.posts.pass_on import pass_on_about
from medfed.storage import accounts, cases, groups, notifications, outbox, posts, quotes, threads, timelines
from medfed.storage.database import Transaction, View


async def uploads(view: View, author: Account, media_ids: Sequence[int]) -> list[Attachment]:
    """The member's own uploads, in order. Raises Invalid for a file that is not theirs, or in use (F08)."""
    found = []
    for media_id in media_ids:
        attachment = await posts.find_attachment(view, media_id, author.id)
        if attachment is None or attachment.post_id is not None:
            raise Invalid("a file was not found", {"media_ids": f"{media_id} is not a free upload of yours"})
        found.append(attachment)
    return found


async def publish(
    tx: Transaction,
    here: Here,
    levels: PeerLevels,
    author: Account,
    draft: Draft,
    *,
    named: Mapping[Handle, Account],
    parent: Post | None = None,
    quoted: Post | None = None,
    case: Case | None = None,
) -> Post:
    """Store a post with homes, notifications and deliveries, all in one transaction.

    The draft was checked, `parent` and `quoted` are posts that the author may read, `named` are the accounts the text
    names. `case` is stored beside the post, with its id. Raises Gone for a member who left a moment ago, Forbidden
    when the author of what is answered or quoted does not let the member.
    """
    if not (await accounts.get(tx, author.id)).active:
        raise Gone("this account is closed")
    given = await permission.require(tx, author, parent, "reply") if parent is not None else "free"
    attachments = await uploads(tx, author, draft.media_ids)
    group = await closed.written_into(tx, levels, author, draft, parent, named.values())
    composed = compose(
        here, author, draft, named=named, parent=parent, attachments=attachments, quoted=quoted, group=group
    )
    if parent is not None:
        composed = written_into(composed, [group] if group is not None else await _groups_of(tx, parent))
    if given != "free" and parent is not None and parent.is_open and not parent.local:
        composed = _held(composed, quoted)
    post = composed.post
    await _refuse_outsiders(tx, here, levels, post, named)
    if quoted is not None:
        await quoting.permitted(tx, author, post, {account.id for account in named.values()}, quoted)
    await store_local(tx, composed, author)
    quote = await quoting.begin(tx, here, author, post, quoted) if quoted is not None else None
    if case is not None:
        case = replace(case, post_id=post.id)
        await cases.put(tx, case)
    await _tell_members(tx, here, author, composed, parent)
    if draft.poll is not None:
        await polls.await_end(tx, here, post.id, draft.poll.closes_at)
    whole = await whole_of(tx, here, post, author)
    if post.is_held and parent is not None:
        await _ask(tx, here, whole, await accounts.get(tx, parent.account_id))
        return post
    sent = await _send(tx, here, levels, whole, "Create")
    if quoted is not None and quote is not None and quote.state == "pending" and not quoted.local:
        await quoting.ask(tx, here, whole, quoted, await accounts.get(tx, quoted.account_id))
    named_groups = [mention.account_id for mention in composed.mentions if mention.group]
    await carry(tx, here, levels, post, author, sent, addressed=named_groups)
    return post


def _held(composed: Composed, quoted: Post | None) -> Composed:
    """An answer that nobody else sees until whoever it answers agrees. Raises Invalid: one question at a time."""
    if quoted is not None:
        says = "who is answered has to agree first; quote in another post"
        raise Invalid(says, {"quoted_status_id": says})
    return replace(composed, post=replace(composed.post, permit=WAITING))


async def _ask(tx: Transaction, here: Here, whole: Whole, answered: Account) -> None:
    """Show an answer to the author of what it answers, and to nobody else: so GoToSocial is asked, whatever its age."""
    activity = _activity(here, whole, "Create", here.uris.activity(whole.author.uri, here.ids.new()))
    owed = [inbox_of(answered)]
    await promise(tx, here, whole.author, activity, owed, post_id=whole.post.id, context=contexts.POST)


async def release(tx: Transaction, here: Here, levels: PeerLevels, post: Post, permit: str) -> None:
    """Whoever a member's held answer answers agrees: it is published like any other, with what shows that they do."""
    author = await accounts.get(tx, post.account_id)
    post = replace(post, permit=permit)
    await posts.set_permit(tx, post)
    if post.is_open:
        await accounts.count_post(tx, author.id, 1, post.published_at)
    parent = await posts.find(tx, post.in_reply_to_id) if post.in_reply_to_id is not None else None
    if parent is not None:
        await posts.recount_replies(tx, parent.id)
    whole = await whole_of(tx, here, post, author)
    await _tell_members(tx, here, author, Composed(post=post, mentions=tuple(whole.mentions)), parent)
    sent = await _send(tx, here, levels, whole, "Create")
    named_groups = [mention.account_id for mention in whole.mentions if mention.group]
    await carry(tx, here, levels, post, author, sent, addressed=named_groups)


async def _groups_of(view: View, parent: Post) -> list[Account]:
    """The groups, ours and peers', that have passed on what is answered."""
    known = await accounts.find_many(view, await groups.of_post(view, parent.id))
    return [account for account in known.values() if account.active]


async def _refuse_outsiders(
    view: View, here: Here, levels: PeerLevels, post: Post, named: Mapping[Handle, Account]
) -> None:
    """A private answer in a thread for a few names nobody who may not read the thread, as far as we know (M14).

    Raises Invalid.
    """
    if post.visibility != "direct" or post.conversation_id == post.id:
        return
    beginning = await posts.find(view, post.conversation_id)
    if beginning is None or beginning.visibility not in RESTRICTED:
        return
    for account in named.values():
        asked_here = account.local or beginning.visibility == "group"
        inside = await read.may(view, here, account, beginning) if asked_here else levels.is_trusted(account.host)
        if not inside:
            says = f"@{account.acct} may not read this thread; write to them outside of it"
            raise Invalid(says, {"status": says})


async def store_local(tx: Transaction, composed: Composed, author: Account) -> None:
    """Store a new local post and count it."""
    post = composed.post
    await posts.insert(tx, composed)
    if post.is_open:
        # What is not for everybody shows in no number either (M02, M12).
        await accounts.count_post(tx, author.id, 1, post.published_at)
    if post.in_reply_to_id is not None:
        await posts.recount_replies(tx, post.in_reply_to_id)


async def _tell_members(tx: Transaction, here: Here, author: Account, composed: Composed, parent: Post | None) -> None:
    post = composed.post
    if post.is_held or post.visibility == "group":
        # The others hear of it once it is let, or from the group.
        await timelines.add_to_homes(tx, post.id, {author.id})
        return
    told = {mention.account_id for mention in composed.mentions}
    if parent is not None and post.visibility != "direct":
        told.add(parent.account_id)
    members = {account.id for account in (await accounts.find_many(tx, told)).values() if account.local}
    for member_id in members - {author.id}:
        await notify(tx, here, to=member_id, kind="mention", from_id=author.id, post_id=post.id)
    if post.visibility == "direct":
        await timelines.add_to_homes(tx, post.id, {author.id, *members})
    else:
        await timelines.add_to_homes(tx, post.id, {author.id})
        await timelines.add_to_followers(tx, post)


async def whole_of(view: View, here: Here, post: Post, author: Account) -> Whole:
    """A post with everything that is rendered with it."""
    case = (await cases.of_posts(view, [post.id])).get(post.id)
    accepted = await posts.find(view, case.accepted_post_id) if case and case.accepted_post_id else None
    quote = (await quotes.of_posts(view, [post.id])).get(post.id)
    quoted = await posts.find(view, quote.quoted_id) if quote and quote.quoted_id else None
    group = await accounts.find_by_uri(view, post.audience_uri) if post.visibility == "group" else None
    return Whole(
        post=post,
        members_uri=group.followers_uri if group is not None else "",
        author=author,
        mentions=(await posts.mentions(view, [post.id])).get(post.id, []),
        attachments=(await posts.attachments(view, [post.id])).get(post.id, []),
        poll=(await posts.polls(view, [post.id])).get(post.id),
        case=case,
        accepted_uri=accepted.uri if accepted else "",
        context_uri=await _context_of(view, here, post),
        quote=quote,
        quoted_url=(quoted.url or quoted.uri) if quoted else "",
    )


async def _context_of(view: View, here: Here, post: Post) -> str:
    """Whoever began a conversation owns it; whoever answers repeats where it is listed (FEP-7888)."""
    root = await threads.root(view, post.conversation_id)
    if root is None:
        return ""
    return here.uris.context(root.uri) if root.local else root.context


async def _send(tx: Transaction, here: Here, levels: PeerLevels, whole: Whole, kind: str) -> Document:
    post, author = whole.post, whole.author
    id_ = f"{post.uri}/activity" if kind == "Create" else here.uris.activity(author.uri, here.ids.new())
    activity = _activity(here, whole, kind, id_)
    return await promise(
        tx,
        here,
        author,
        activity,
        await (inboxes.for_edit if kind == "Update" else inboxes.for_post)(tx, levels, post, author),
        post_id=post.id,
        listed=post.is_open and kind == "Create",
        context=contexts.POST,
    )


def _activity(here: Here, whole: Whole, kind: str, id_: str) -> render.Rendered:
    to = render.addressees(whole)
    return render.activity(
        kind,
        id_=id_,
        actor_uri=whole.author.uri,
        object_=render.post(here.uris, whole),
        to=to.to,
        cc=to.cc,
        published=iso(whole.post.published_at),
        **render.audience(whole.mentions),
    )


async def edit(
    tx: Transaction,
    here: Here,
    levels: PeerLevels,
    author: Account,
    post: Post,
    draft: Draft,
    *,
    named: Mapping[Handle, Account],
    case: Case | None = None,
) -> Post:
    """Give one's own post new words; earlier ones are kept as revisions. Raises Forbidden."""
    if post.account_id != author.id or post.is_boost:
        raise Forbidden("only one's own posts can be edited")
    kept = (await posts.attachments(tx, [post.id])).get(post.id, [])
    own = {attachment.id: attachment for attachment in kept}
    fresh = await uploads(tx, author, [id_ for id_ in draft.media_ids if id_ not in own])
    own |= {attachment.id: attachment for attachment in fresh}
    edited = recompose(here, author, post, draft, named=named)
    await _refuse_outsiders(tx, here, levels, edited, named)
    await posts.update(
        tx,
        Composed(post=edited, mentions=mentions_of(named), attachments=tuple(own[id_] for id_ in draft.media_ids)),
    )
    if case is not None:
        await cases.put(tx, case)
    await announce_edit(tx, here, levels, author, edited)
    await quoting.tell_of_edit(tx, here, edited)
    return edited


async def set_policy(
    tx: Transaction, here: Here, levels: PeerLevels, author: Account, post: Post, policy: Policy
) -> Post:
    """Change who may do what with one's own post, and nothing else of it. What was allowed before stays allowed.

    Raises Forbidden.
    """
    if post.account_id != author.id or post.is_boost:
        raise Forbidden("only who wrote a post decides what is done with it")
    changed = replace(post, policy=policy)
    if changed != post:
        await posts.set_policy(tx, post.id, policy)
        await announce_edit(tx, here, levels, author, changed)
    return changed


async def announce_edit(tx: Transaction, here: Here, levels: PeerLevels, author: Account, post: Post) -> None:
    """Tell every peer that holds a post, and may, that it has changed; of one that is held they learn later."""
    if post.is_held:
        return
    sent = await _send(tx, here, levels, await whole_of(tx, here, post, author), "Update")
    await pass_on_about(tx, here, levels, post, author, sent, brings=True)


async def delete(tx: Transaction, here: Here, levels: PeerLevels, author: Account, post: Post) -> None:
    """Erase one's own post here, and ask every host that may hold it to do the same. Raises Forbidden."""
    if post.account_id != author.id:
        raise Forbidden("only one's own posts can be deleted")
    if post.is_boost:
        raise Invalid("a boost is undone, not deleted")
    owed = await inboxes.for_withdrawal(tx, levels, post, author)
    whole = await whole_of(tx, here, post, author)
    to = render.addressees(whole)
    activity = render.activity(
        "Delete",
        id_=f"{post.uri}#delete",
        actor_uri=author.uri,
        object_={"id": post.uri, "type": "Tombstone"},
        to=to.to,
        cc=to.cc,
        **render.audience(whole.mentions),
    )
    await outbox.cancel_unsent(tx, post.id)
    await outbox.unlist(tx, post.id)
    await outbox.empty(tx, post.id)
    sent = await promise(tx, here, author, activity, owed)
    await pass_on_about(tx, here, levels, post, author, sent, withdraws=True)
    await posts.delete(tx, post, actor_uri=author.uri, at=here.now())
    if post.is_open:
        await posts.give_to(tx, post.id, posts.EVERYBODY, here.now())
        await accounts.count_post(tx, author.id, -1)


async def close_poll(tx: Transaction, here: Here, levels: PeerLevels, post_id: int) -> None:
    """End a poll of ours: peers learn the result, its author and the members who voted are told."""
    post = await posts.find(tx, post_id)
    if post is None or not await posts.close_poll(tx, post_id):
        return
    author = await accounts.get(tx, post.account_id)
    voters = await posts.voters(tx, post_id)
    members = [account.id for account in (await accounts.find_many(tx, voters)).values() if account.local]
    for member_id in {author.id, *members}:
        await notifications.withdraw(tx, account_id=member_id, kind="poll", from_id=author.id, post_id=post_id)
        await notify(tx, here, to=member_id, kind="poll", from_id=author.id, post_id=post_id)
    if post.local:
        await announce_edit(tx, here, levels, author, post)
