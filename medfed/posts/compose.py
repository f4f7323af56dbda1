"""From what a member typed to a post: links, mentions, hashtags, audience. No storage, no network."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from medfed.activitypub.here import Here
from medfed.domain.accounts import Account, Handle
from medfed.domain.interactions import SILENT, Policy, answer_rule, quote_rule
from medfed.domain.posts import Attachment, Composed, Draft, Mention, Post, Requirement, Visibility, narrower
from medfed.kernel import limits, text
from medfed.kernel.errors import Forbidden, Invalid
from medfed.kernel.html import from_text
from medfed.kernel.text import fold_hashtag


def check(draft: Draft) -> Draft:
    """The draft itself if it can be published. Raises Invalid."""
    if not draft.text.strip() and not draft.media_ids and draft.poll is None and draft.content is None:
        raise Invalid("there is nothing to publish", {"status": "is empty"})
    if draft.content is None and text.length(draft.text) + text.length(draft.spoiler) > limits.POST_CHARACTERS:
        raise Invalid("the text is too long", {"status": f"at most {limits.POST_CHARACTERS} characters"})
    if len(draft.media_ids) > limits.POST_ATTACHMENTS:
        raise Invalid("too many files", {"media_ids": f"at most {limits.POST_ATTACHMENTS}"})
    if draft.poll is not None:
        _check_poll(draft)
    return draft


def _check_poll(draft: Draft) -> None:
    assert draft.poll is not None  # noqa: S101 — the caller looked
    titles = [option.title.strip() for option in draft.poll.options]
    if draft.media_ids:
        raise Invalid("a poll has no files", {"poll": "not together with files"})
    if not 2 <= len(titles) <= limits.POLL_OPTIONS:
        raise Invalid("a poll has 2 to 8 answers", {"poll.options": f"2 to {limits.POLL_OPTIONS}"})
    if len(set(titles)) < len(titles) or not all(titles):
        raise Invalid("the answers of a poll differ and are not empty", {"poll.options": "distinct, not empty"})
    if any(len(title) > limits.POLL_OPTION_CHARACTERS for title in titles):
        raise Invalid("an answer is too long", {"poll.options": f"at most {limits.POLL_OPTION_CHARACTERS} characters"})


def handles_in(draft: Draft) -> list[Handle]:
    """Who the text names; the caller looks them up before it opens a transaction."""
    return [Handle(username=name, domain=domain) for name, domain in text.mentions(draft.text)][: limits.MENTIONS]


def compose(
    here: Here,
    author: Account,
    draft: Draft,
    *,
    named: Mapping[Handle, Account],
    parent: Post | None,
    attachments: Sequence[Attachment],
    quoted: Post | None = None,
    group: Account | None = None,
) -> Composed:
    """The post that a draft becomes. `named` holds the accounts of `handles_in` that exist; `group`: whom it is for.

    It is for no more readers than what it answers, or quotes.
    """
    id_, now = here.ids.new(), here.now()
    visibility = audience_of(draft, parent, group)
    if quoted is not None:
        visibility = narrower(visibility, quoted.visibility)
    post = Post(
        id=id_,
        uri=here.uris.post(author.username, id_),
        local=True,
        account_id=author.id,
        kind="Question" if draft.poll is not None else "Note",
        url=here.uris.post_page(author.username, id_),
        content=draft.content if draft.content is not None else html_of(here, draft.text, named),
        source=draft.text,
        title=draft.title,
        spoiler=draft.spoiler.strip(),
        sensitive=draft.sensitive or bool(draft.spoiler.strip()),
        language=draft.language,
        visibility=visibility,
        requires=_requirement(draft, parent, visibility),
        audience_uri=group.uri if group is not None else _audience_uri(here, author, parent, visibility, id_),
        in_reply_to_uri=parent.uri if parent else "",
        in_reply_to_id=parent.id if parent else None,
        in_reply_to_account_id=parent.account_id if parent else None,
        conversation_id=parent.conversation_id if parent else id_,
        tags=tuple(fold_hashtag(name) for name in text.hashtags(draft.text)),
        policy=_policy(draft, author.followers_uri, SILENT),
        published_at=now,
        stored_at=now,
    )
    return Composed(post=post, mentions=mentions_of(named), attachments=tuple(attachments), poll=draft.poll)


def mentions_of(named: Mapping[Handle, Account]) -> tuple[Mention, ...]:
    """The accounts that a text names, each once."""
    distinct = {account.id: account for account in named.values()}
    return tuple(
        Mention(
            account_id=account.id,
            uri=account.uri,
            handle=account.handle,
            url=account.url,
            group=account.kind == "Group",
        )
        for account in distinct.values()
    )


def written_into(composed: Composed, groups: Sequence[Account]) -> Composed:
    """An answer, addressed also to the groups that have what it answers, whether or not it names them."""
    if not composed.post.is_open and composed.post.visibility != "group":
        return composed
    named = {mention.account_id for mention in composed.mentions}
    silent = (replace(mention, silent=True) for mention in mentions_of({_handle(each): each for each in groups}))
    more = tuple(mention for mention in silent if mention.account_id not in named)
    return replace(composed, mentions=(*composed.mentions, *more))


def _handle(account: Account) -> Handle:
    return Handle(username=account.username, domain=account.domain)


def recompose(here: Here, author: Account, post: Post, draft: Draft, *, named: Mapping[Handle, Account]) -> Post:
    """The post with new words; its audience stays."""
    return replace(
        post,
        content=draft.content if draft.content is not None else html_of(here, draft.text, named),
        source=draft.text,
        title=draft.title or post.title,
        spoiler=draft.spoiler.strip(),
        sensitive=draft.sensitive or bool(draft.spoiler.strip()),
        language=draft.language or post.language,
        tags=tuple(fold_hashtag(name) for name in text.hashtags(draft.text)),
        policy=_policy(draft, author.followers_uri, post.policy),
        edited_at=here.now(),
    )


def _policy(draft: Draft, followers_uri: str, before: Policy) -> Policy:
    """Who may do what, by the draft; where it says nothing, as before."""
    policy = before
    if draft.quotable_by is not None:
        policy = policy.saying("quote", quote_rule(draft.quotable_by, followers_uri))
    if draft.answerable_by is not None:
        policy = policy.saying("reply", answer_rule(draft.answerable_by, followers_uri))
    return policy


def audience_of(draft: Draft, parent: Post | None, group: Account | None = None) -> Visibility:
    """Never wider than what is answered (M14); for `group` alone if it is for a closed group.

    Raises Forbidden when a verified-only audience has no policy, or there is no such group.
    """
    if group is not None:
        return "group"
    visibility = narrower(draft.visibility, parent.visibility) if parent else draft.visibility
    if visibility == "group":
        raise Forbidden("name one closed group that you are a member of")
    has_policy = draft.requires is not None if parent is None else parent.visibility == "verified"
    if visibility == "verified" and not has_policy:
        raise Forbidden("only cases are for verified practitioners alone")
    return visibility


def html_of(here: Here, typed: str, named: Mapping[Handle, Account]) -> str:
    """Typed text as HTML, with links to those named and to hashtags."""

    def mention(username: str, domain: str) -> tuple[str, str] | None:
        account = named.get(Handle(username=username, domain=domain))
        return None if account is None else (account.url, account.username)

    def hashtag(name: str) -> str:
        return here.uris.tag(fold_hashtag(name))

    return from_text(typed, mention=mention, hashtag=hashtag)


def _requirement(draft: Draft, parent: Post | None, visibility: Visibility) -> Requirement | None:
    if visibility != "verified":
        return None
    return parent.requires if parent is not None else draft.requires


def _audience_uri(here: Here, author: Account, parent: Post | None, visibility: Visibility, id_: int) -> str:
    if visibility != "verified":
        return ""
    return parent.audience_uri if parent is not None else here.uris.audience(author.username, id_)
