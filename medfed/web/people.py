"""People: profiles, the directory, search, following from here and from elsewhere, reports."""

from typing import Final
from urllib.parse import quote, urlsplit

from markupsafe import Markup
from starlette.responses import RedirectResponse, Response

from medfed.accounts.lookup import Lookup
from medfed.activitypub.strictjson import parse_object
from medfed.activitypub.wire import listed
from medfed.domain.accounts import Account, parse_handle
from medfed.domain.codes import PROFESSIONS, SPECIALTIES
from medfed.domain.posts import Post
from medfed.domain.relations import Relationship
from medfed.edge import wants_page
from medfed.kernel.clock import MINUTE
from medfed.kernel.errors import Gone, Malformed, NotFound, RemoteFailure, Untrusted
from medfed.kernel.html import clean, from_text, safe_url, with_pictures
from medfed.kernel.paging import LARGEST, Page
from medfed.moderation import report as reporting
from medfed.net.fetch import WEBFINGER_TYPES, fetch_json
from medfed.posts import featured, read
from medfed.relations import follow as relating
from medfed.storage import accounts, credentials, posts, relations, timelines
from medfed.storage.database import View
from medfed.verification.standing import states_for
from medfed.web import casebook
from medfed.web.casework import specialties
from medfed.web.door import POLICY
from medfed.web.present import around, items, one, people, person, pictures, post_path
from medfed.web.proofs import credential_view
from medfed.web.sent import number
from medfed.web.sheet import asked_page, page, paging
from medfed.web.views import (
    FactView,
    FormView,
    PagingView,
    PersonView,
    ProfileView,
    Relation,
    TabView,
)
from medfed.web.visit import Visit, go
from medfed.web.words import N_

_LISTED: Final = 50
_MOST_LISTED: Final = 1_000
_RESOLVE: Final = 30
_SUBSCRIBE: Final = "http://ostatus.org/schema/1.0/subscribe"


# ── profiles ─────────────────────────────────────────────────────────────────────────────────────────────────


async def profile(visit: Visit) -> Response:
    """GET /@NAME and /@NAME@DOMAIN. Raises NotFound, Gone."""
    accept = visit.request.headers.get("accept", "")
    if not wants_page(visit.request) and ("activity+json" in accept or "ld+json" in accept):
        return RedirectResponse(visit.instance.here.uris.actor(visit.param("handle")), 302)
    wanted = asked_page(visit)
    async with visit.instance.store.view() as view:
        account = await _account(view, visit)
        show = _show(visit, account)
        shown_profile = await _profile_view(view, visit, account)
        found = await _written(view, visit, account, wanted, show) if show != "attested" else []
        on_top = await _pinned(view, visit, account) if show == "posts" and wanted.max_id == LARGEST else []
        pinned = await items(view, visit, on_top)
        shown = await items(view, visit, [post for post in found if post not in on_top])
    if visit.viewer is not None:
        await featured.look(visit.instance.store, visit.instance.here, account)
    if show == "cases":
        shown = tuple(each for each in shown if each.is_case)
    response = await page(
        visit,
        "profile",
        current="" if visit.viewer != account else "profile",
        alternate=account.uri if account.local else None,
        indexed=account.local and account.discoverable,
        profile=shown_profile,
        tabs=_tabs(visit, account, show),
        show=show,
        pinned=pinned,
        items=shown,
        paging=paging(visit, wanted, [post.id for post in found], show=show) if found else PagingView(),
    )
    if visit.viewer is None:
        # Browsers hold the redirect that answers a form to form-action; following from elsewhere leads to any instance.
        plain = " http:" if visit.instance.settings.federation.allow_http else ""
        response.headers["content-security-policy"] = POLICY.format(forms=f" https:{plain}")
    return response


async def _account(view: View, visit: Visit) -> Account:
    """The account that the path names. Raises NotFound, Gone."""
    try:
        handle = parse_handle(visit.param("handle"))
    except Malformed:
        raise NotFound("there is no such account") from None
    account = await accounts.find_by_handle(view, handle.username, handle.domain or visit.instance.here.domain)
    if account is None or account.kind == "Application":
        raise NotFound("there is no such account")
    if not account.active:
        raise Gone("this account is closed")
    return account


def _show(visit: Visit, account: Account) -> str:
    """What of a profile is asked for: of a group, what is written in it; of others, first of all, who they are."""
    wanted = visit.sent.text("show")
    if wanted in ("posts", "cases", "attested"):
        return wanted
    return "posts" if account.kind == "Group" else "attested"


def _tabs(visit: Visit, account: Account, show: str) -> tuple[TabView, ...]:
    named = (("attested", N_("What is attested")), ("posts", N_("Posts")), ("cases", N_("Cases")))
    path = f"/@{account.acct}"
    first = "posts" if account.kind == "Group" else "attested"
    return tuple(
        TabView(word=visit.say(word), href=path if code == first else f"{path}?show={code}", current=code == show)
        for code, word in named
        if account.kind != "Group" or code == "posts"
    )


async def _pinned(view: View, visit: Visit, account: Account) -> list[Post]:
    found = await timelines.pinned(view, account.id)
    return await read.readable(view, visit.instance.here, visit.viewer, found)


async def _written(view: View, visit: Visit, account: Account, wanted: Page, show: str) -> list[Post]:
    async def candidates(part: Page) -> list[Post]:
        if account.kind == "Group" and account.locked:
            return await timelines.in_group(view, account.id, part)
        return await timelines.by_account(view, account.id, part, replies=False, boosts=show == "posts")

    found = await read.fill(view, visit.instance.here, visit.viewer, wanted, candidates)
    # What was written to somebody in private is in their messages, not on a profile.
    return [post for post in found if post.visibility != "direct"]


async def _profile_view(view: View, visit: Visit, account: Account) -> ProfileView:
    held = (await states_for(view, visit.instance.here, [account.id])).get(account.id, [])
    holder = person(visit, account, held)
    relation = await _relationship(view, visit, account)
    moved = await accounts.find_by_uri(view, account.moved_to) if account.moved_to else None
    return ProfileView(
        person=holder,
        bio_html=_bio(account),
        facts=tuple(FactView(name=each.name, value_html=_fact(account, each.value)) for each in account.fields),
        credentials=tuple(credential_view(visit, each, holder) for each in held),
        joined_at=account.created_at or None,
        remote_href=None if account.local else safe_url(account.url) or None,
        relation=_relation(visit, account, relation),
        follows_you=relation.followed_by,
        locked=account.locked,
        muted=relation.muting,
        moved_to=f"@{moved.handle}" if moved is not None and moved.active else None,
        action=f"/@{account.acct}",
        group=account.kind == "Group",
        members_href=f"/groups/{account.username}" if account.kind == "Group" and account.local else None,
    )


def _bio(account: Account) -> Markup:
    return Markup(with_pictures(clean(account.summary), pictures(account.emojis)))  # noqa: S704  (cleaned just now)


def _fact(account: Account, value: str) -> Markup:
    if not account.local:
        return Markup(with_pictures(clean(value), pictures(account.emojis)))  # noqa: S704  (cleaned just now)
    return Markup(from_text(value, mention=lambda *_: None, hashtag=lambda name: f"/tags/{quote(name)}"))  # noqa: S704


async def _relationship(view: View, visit: Visit, account: Account) -> Relationship:
    if visit.viewer is None or visit.viewer.id == account.id:
        return Relationship(account_id=account.id)
    return (await relations.relationships(view, visit.viewer.id, [account.id], visit.now))[0]


def _relation(visit: Visit, account: Account, relation: Relationship) -> Relation:
    if visit.viewer is None:
        return "anonymous"
    if visit.viewer.id == account.id:
        return "self"
    if relation.blocking:
        return "blocked"
    if relation.following:
        return "following"
    return "requested" if relation.requested else "stranger"


async def act(visit: Visit) -> Response:
    """POST /@NAME: follow, mute, block, and taking each back; report. Raises NotFound, Forbidden."""
    instance, member, do = visit.instance, visit.account, visit.sent.text("do")
    async with instance.store.view() as view:
        target = await _account(view, visit)
    if do == "report":
        return go(visit, f"/report?account={target.id}")
    async with instance.store.transaction("act on account") as tx:
        match do:
            case "follow":
                asked = await relating.follow(tx, instance.here, member, target)
                flash = "followed" if asked.state == "accepted" else "asked"
            case "unfollow":
                await relating.unfollow(tx, instance.here, member, target)
                flash = "unfollowed"
            case "mute":
                await relating.mute(tx, instance.here, member, target)
                flash = "muted"
            case "unmute":
                await relations.unmute(tx, member.id, target.id)
                flash = "unmuted"
            case "block":
                await relating.block(tx, instance.here, member, target)
                flash = "blocked"
            case "unblock":
                await relating.unblock(tx, instance.here, member, target)
                flash = "unblocked"
            case _:
                raise Malformed("that cannot be done with an account")
    return go(visit, f"/@{target.acct}", flash)


# ── the directory and the search ─────────────────────────────────────────────────────────────────────────────


async def directory(visit: Visit) -> Response:
    """GET /directory: who wants to be found, by name. Strangers see the people of this instance only."""
    profession, specialty = visit.sent.text("profession"), visit.sent.text("specialty")
    profession = profession if profession in PROFESSIONS else ""
    specialty = specialty if specialty in SPECIALTIES else ""
    asked = visit.sent.text("page")
    first = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 4 else 0
    async with visit.instance.store.view() as view:
        found = await _listed(view, visit, profession, specialty)
        part = found[first * _LISTED : (first + 1) * _LISTED]
        held = await states_for(view, visit.instance.here, [each.id for each in part])
    kept = {"profession": profession, "specialty": specialty}
    return await page(
        visit,
        "directory",
        current="directory",
        form=FormView(values=kept),
        specialties=specialties(visit),
        people=tuple(person(visit, each, held.get(each.id, ())) for each in part),
        paging=_numbered(first, len(found), kept),
    )


async def _listed(view: View, visit: Visit, profession: str, specialty: str) -> list[Account]:
    if profession or specialty:
        ids = await credentials.practitioners(view, now=visit.now, profession=profession, specialty=specialty)
        found = list((await accounts.find_many(view, ids[:_MOST_LISTED])).values())
    else:
        found = await accounts.directory(view, local_only=visit.viewer is None, limit=_MOST_LISTED, offset=0)
    shown = [
        each
        for each in found
        if each.discoverable and each.active and each.kind != "Application" and (each.local or visit.viewer)
    ]
    return sorted(shown, key=lambda each: each.name.casefold())


def _numbered(first: int, total: int, kept: dict[str, str]) -> PagingView:
    chosen = "".join(f"&{name}={quote(value)}" for name, value in kept.items() if value)
    return PagingView(
        newer=f"/directory?page={first - 1}{chosen}" if first else None,
        older=f"/directory?page={first + 1}{chosen}" if total > (first + 1) * _LISTED else None,
    )


async def search(visit: Visit) -> Response:
    """GET /search: people, posts and cases among what the member may read; handles and addresses are looked up."""
    query = visit.sent.text("q").strip()[:500]
    if not query:
        return await page(visit, "search", current="search", query="", people=(), items=(), specialties=(), note="")
    looked_up, note = await resolve(visit, query)
    wanted = Page(limit=20)
    async with visit.instance.store.view() as view:
        named = [] if looked_up else await accounts.search(view, query.removeprefix("@"), limit=20)
        if isinstance(looked_up, Account):
            named = [looked_up]
        held = await states_for(view, visit.instance.here, [each.id for each in named])

        async def candidates(part: Page) -> list[Post]:
            return await timelines.search(view, visit.account.id, query, part)

        if isinstance(looked_up, Post):
            found = await read.readable(view, visit.instance.here, visit.viewer, [looked_up])
        else:
            found = await read.fill(view, visit.instance.here, visit.viewer, wanted, candidates)
        matching = [] if looked_up else await casebook.containing(view, visit, query, Page(limit=10))
        of_cases = {post.id for _, post in matching}
        others = await items(view, visit, [post for post in found if post.id not in of_cases])
        shown = (*await casebook.cards(view, visit, matching), *others)
    return await page(
        visit,
        "search",
        current="search",
        query=query,
        people=tuple(person(visit, each, held.get(each.id, ())) for each in named if each.active),
        items=shown,
        specialties=_named_specialties(visit, query),
        note=note,
    )


def _named_specialties(visit: Visit, query: str) -> tuple[str, ...]:
    wanted = query.casefold()
    named = [choice.value for choice in specialties(visit) if wanted in choice.word.casefold()]
    return tuple(named[:5]) if len(wanted) > 2 else ()


async def resolve(visit: Visit, text: str) -> tuple[Account | Post | None, str]:
    """Whom or what a handle or an address names, looked up at its own instance; and what went wrong, in words."""
    is_handle = "@" in text.removeprefix("@") and " " not in text and not text.startswith(("http:", "https:"))
    if not is_handle and not text.startswith(("https://", "http://")):
        return None, ""
    visit.front.tries.take(f"resolve {visit.account.id}", visit.now, most=_RESOLVE, within=10 * MINUTE)
    try:
        if is_handle:
            return await visit.instance.lookup.handle(parse_handle(text)), ""
        return await _at(visit, text), ""
    except RemoteFailure:
        return None, visit.say(N_("That instance does not answer, or refuses. Try again later."))
    except (NotFound, Malformed, Untrusted):
        return None, visit.say(N_("Nothing was found at this address."))


async def _at(visit: Visit, url: str) -> Account | Post:
    """The account or post at an address. Raises NotFound, Malformed, RemoteFailure, Untrusted."""
    instance, uris = visit.instance, visit.instance.here.uris
    if uris.is_ours(url):
        return await _ours(visit, url)
    async with instance.store.view() as view:
        account = await accounts.find_by_uri(view, url)
    if account is not None:
        return account
    try:
        return await instance.posts.post(url)
    except (NotFound, Malformed):
        return await instance.lookup.actor(url)


async def _ours(visit: Visit, url: str) -> Account | Post:
    instance, uris = visit.instance, visit.instance.here.uris
    path = urlsplit(url).path
    async with instance.store.view() as view:
        id_ = uris.post_id_of(url)
        if id_ is not None:
            return await read.get(view, instance.here, visit.viewer, number(str(id_)))
        name = uris.username_of(url) or (path[2:] if path.startswith("/@") and "/" not in path[2:] else "")
        handle = parse_handle(name)
        account = await accounts.find_by_handle(view, handle.username, handle.domain or instance.here.domain)
    if account is None:
        raise NotFound("there is no such account")
    return account


# ── from elsewhere ───────────────────────────────────────────────────────────────────────────────────────────


async def interaction(visit: Visit) -> Response:
    """GET /authorize_interaction?uri=…: a member who comes from a page of another instance."""
    uri = visit.sent.text("uri").strip()[:2_000]
    found, note = await resolve(visit, uri.removeprefix("acct:"))
    shown_person: PersonView | None = None
    shown_post = None
    async with visit.instance.store.view() as view:
        if isinstance(found, Account):
            shown_person = (await people(view, visit, [found.id])).get(found.id)
        elif isinstance(found, Post) and await read.may(view, visit.instance.here, visit.viewer, found):
            shown_post = one(visit, found, await around(view, visit, [found]))
    form = FormView(values={"uri": uri}, errors={"uri": note} if note else {})
    return await page(visit, "interaction", uri=uri, person=shown_person, post=shown_post, form=form)


async def post_interaction(visit: Visit) -> Response:
    """POST /authorize_interaction: follow. Raises NotFound, Forbidden."""
    found, _ = await resolve(visit, visit.sent.text("uri").strip()[:2_000].removeprefix("acct:"))
    if not isinstance(found, Account):
        raise NotFound("there is no such account")
    async with visit.instance.store.transaction("follow") as tx:
        asked = await relating.follow(tx, visit.instance.here, visit.account, found)
    return go(visit, f"/@{found.acct}", "followed" if asked.state == "accepted" else "asked")


async def remote_follow(visit: Visit) -> Response:
    """POST /remote-follow: send a stranger to their own instance, which asks them to confirm.

    Where that is, their instance says in WebFinger: on the host that they named, or on another of its own.
    """
    visit.front.tries.take(f"remote-follow {visit.address}", visit.now, most=10)
    target = visit.sent.text("target").removeprefix("@")
    if "@" not in target:
        target = f"{target}@{visit.instance.here.domain}"
    try:
        handle = parse_handle(visit.sent.text("handle"))
        if not handle.domain:
            raise Malformed("write @name@domain")
        template = await _subscribe_template(visit, handle.username, handle.domain)
    except (RemoteFailure, NotFound, Untrusted):
        raise NotFound("your instance does not say where to confirm a follow; search there for the handle") from None
    return RedirectResponse(template.replace("{uri}", quote(f"acct:{target}", safe="")), 303)


async def _subscribe_template(visit: Visit, username: str, domain: str) -> str:
    instance = visit.instance
    lookup: Lookup = instance.lookup
    resource = quote(f"acct:{username}@{domain}", safe=":@")
    url = f"{lookup.scheme_for(domain)}://{domain}/.well-known/webfinger?resource={resource}"
    fetched = await fetch_json(instance.net, url, types=WEBFINGER_TYPES)
    for link in listed(parse_object(fetched.body).get("links"), 50):
        if isinstance(link, dict) and link.get("rel") == _SUBSCRIBE:
            template = str(link.get("template", ""))
            if "{uri}" in template and safe_url(template.replace("{uri}", "x")):
                return template
    raise NotFound("no subscribe link")


# ── reports ──────────────────────────────────────────────────────────────────────────────────────────────────

CATEGORIES: Final = (
    ("identity", N_("A patient can be recognised")),
    ("impostor", N_("Not the profession or the person they say")),
    ("harm", N_("Advice that endangers patients")),
    ("abuse", N_("Insults or harassment")),
    ("spam", N_("Advertising")),
    ("other", N_("Something else")),
)


async def report(visit: Visit) -> Response:
    """GET /report?account=ID or ?post=ID: say what is wrong. Raises NotFound."""
    async with visit.instance.store.view() as view:
        target, post = await _reported(view, visit)
        shown_person = (await people(view, visit, [target.id]))[target.id]
        shown_post = one(visit, post, await around(view, visit, [post])) if post else None
    form = FormView(values={"category": visit.sent.text("category", "other")})
    return await page(
        visit,
        "report",
        person=shown_person,
        post=shown_post,
        account_id=str(target.id),
        categories=tuple((code, visit.say(word)) for code, word in CATEGORIES),
        form=form,
        domain="" if target.local else target.domain,
    )


async def _reported(view: View, visit: Visit) -> tuple[Account, Post | None]:
    if visit.sent.text("post"):
        post = await read.get(view, visit.instance.here, visit.viewer, number(visit.sent.text("post")))
        if post.boost_of_id is not None:
            post = await posts.get(view, post.boost_of_id)
        return await accounts.get(view, post.account_id), post
    return await accounts.get(view, number(visit.sent.text("account"))), None


async def post_report(visit: Visit) -> Response:
    """POST /report. Passed on to the account's own instance only when the member says so. Raises NotFound, Invalid."""
    instance, sent = visit.instance, visit.sent
    category = next((code for code, _ in CATEGORIES if code == sent.text("category")), "other")
    forward_as = await instance.actor() if sent.text("forward") else None
    async with instance.store.transaction("report") as tx:
        target, post = await _reported(tx, visit)
        await reporting.report(
            tx,
            instance.here,
            member=visit.account,
            target=target,
            posts=[post] if post else [],
            comment=sent.text("comment"),
            category=category,
            forward_as=forward_as,
        )
        where = post_path(target, post) if post else f"/@{target.acct}"
    return go(visit, where, "reported")
