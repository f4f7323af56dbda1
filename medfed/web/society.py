"""The administration: who else there is, what they may do here, what was reported, and what was done."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from starlette.responses import Response

from medfed.accounts.register import approve
from medfed.domain import policies
from medfed.domain.credentials import CredentialState
from medfed.domain.peers import Level, Peer, effective
from medfed.domain.trust import Effects, StandingChange, TrustPolicy, host_of
from medfed.kernel.errors import Invalid, Malformed, NotFound
from medfed.kernel.paging import Page, id_of
from medfed.moderation import report as reporting
from medfed.moderation import sanction
from medfed.posts import publish
from medfed.storage import accounts, moderation, outbox, peers, posts, requests, trust
from medfed.storage.database import Transaction, View
from medfed.storage.moderation import AuditEntry, Report
from medfed.verification import pins, policy
from medfed.web.deeds import actor, deed
from medfed.web.people import CATEGORIES
from medfed.web.present import around, one, people
from medfed.web.problems import in_words, reason
from medfed.web.proofs import note
from medfed.web.sent import number
from medfed.web.sheet import asked_page, page, paging
from medfed.web.views import (
    AuditRowView,
    DiffLineView,
    FigureView,
    FormView,
    PeerRowView,
    PersonView,
    PolicyDiffView,
    PostView,
    ReportView,
    TallyView,
)
from medfed.web.visit import Visit, go
from medfed.web.words import LEVELS, N_, REASONS

_OPEN_LISTED: Final = 200
_LATEST: Final = 8


# ── overview ─────────────────────────────────────────────────────────────────────────────────────────────────


async def overview(visit: Visit) -> Response:
    """GET /admin."""
    async with visit.instance.store.view() as view:
        waiting = await requests.waiting(view)
        reports = await moderation.reports(view, Page(limit=_OPEN_LISTED), open_only=True)
        known = await peers.everyone(view)
        members = await accounts.count_members(view)
        asking = await accounts.waiting(view)
        rows = await _rows(view, visit, await moderation.audit(view, Page(limit=_LATEST)))
        faults = _faults(visit, known)
        them = await people(view, visit, [each.account.id for each in asking])
    figures = (
        (len(waiting), N_("requests for an attestation"), "/admin/verification", True),
        (len(reports), N_("open reports"), "/admin/reports", True),
        (len(known), N_("instances known"), "/admin/peers", False),
        (members, N_("members"), "/directory", False),
    )
    return await page(
        visit,
        "admin_overview",
        current="overview",
        administration=True,
        figures=tuple(
            FigureView(number=count, words=visit.say(words), href=href, due=due and count > 0)
            for count, words, href, due in figures
        ),
        faults=faults,
        asking=tuple((str(each.account.id), them[each.account.id], each.email) for each in asking),
        rows=rows,
    )


async def let_in(visit: Visit) -> Response:
    """POST /admin/members/ID: let somebody in who signed up."""
    async with visit.instance.store.transaction("approve member") as tx:
        await approve(tx, visit.instance.here, number(visit.param("id")), by=visit.account.acct)
    return go(visit, "/admin", "accepted")


# ── peers ────────────────────────────────────────────────────────────────────────────────────────────────────

_RECEIVES: Final[Mapping[Level, tuple[str, ...]]] = {
    Level.TRUSTED: ("public", "cases", "verified", "attestations"),
    Level.FEDERATED: ("public", "cases"),
    Level.LIMITED: ("public",),
    Level.BLOCKED: (),
}


def _faults(visit: Visit, known: Iterable[Peer]) -> tuple[str, ...]:
    return tuple(
        visit.say(N_("%(domain)s has not answered lately: %(why)s"), domain=each.domain, why=each.last_error)
        for each in known
        if each.failing_since is not None and each.failures > 3
    )


async def peers_page(visit: Visit) -> Response:
    """GET /admin/peers; `domain` fills the form in."""
    domain = visit.sent.text("domain").strip().lower()
    async with visit.instance.store.view() as view:
        known = await peers.find(view, domain) if domain else None
    level = effective(known, visit.instance.here.mode).value if known else ""
    return await _peers_page(visit, FormView(values={"domain": domain, "level": level}))


async def _peers_page(visit: Visit, form: FormView, note: str = "", status: int = 200) -> Response:
    mode = visit.instance.here.mode
    async with visit.instance.store.view() as view:
        known = await peers.everyone(view)
        follows = await trust.follows_by_host(view)
        waiting = {row["host"]: int(row["waiting"]) for row in await outbox.overview(view)}
        names = await _names(view, known)
        unsettled = [each.did for each in await trust.every_issuer(view) if each.state == "key-discontinuity"]
    rows = [_peer_row(each, effective(each, mode), names.get(each.domain, ""), follows, waiting) for each in known]
    rows.sort(key=lambda row: (-list(Level).index(Level(row.level)), row.domain))
    return await page(
        visit,
        "admin_peers",
        current="peers",
        administration=True,
        status=status,
        peers=tuple(rows),
        faults=(),
        unsettled=tuple((did, host_of(did)) for did in unsettled),
        form=form,
        note=note,
    )


async def _names(view: View, known: Sequence[Peer]) -> dict[str, str]:
    """What peers call themselves, where we know their instance actor."""
    actors = {f"{scheme}://{each.domain}/actor": each.domain for each in known for scheme in ("https", "http")}
    return {actors[uri]: account.name for uri, account in (await accounts.find_by_uris(view, actors)).items()}


def _peer_row(
    each: Peer, level: Level, name: str, follows: Mapping[str, int], waiting: Mapping[str, int]
) -> PeerRowView:
    return PeerRowView(
        name=name or each.domain,
        domain=each.domain,
        level=level.value,
        receives=_RECEIVES[level],
        followers=follows.get(each.domain, 0),
        waiting=waiting.get(each.domain, 0),
        last_seen=max(each.last_heard or 0, each.last_sent or 0) or None,
        fault=each.last_error if each.failing_since is not None else None,
    )


async def set_peer(visit: Visit) -> Response:
    """POST /admin/peers: the level of a peer."""
    instance, sent = visit.instance, visit.sent
    level = next((known for known in Level if known.value == sent.text("level")), None)
    try:
        if level is None:
            return await _peers_page(visit, FormView(values=sent.values()), visit.say(N_("Choose a level.")), 422)
        async with instance.store.transaction("set level of peer") as tx:
            await policy.set_level(tx, instance.here, sent.text("domain"), level, by=visit.account.acct)
    except Invalid as error:
        note = next(iter(in_words(visit, error).values()))
        return await _peers_page(visit, FormView(values=sent.values(), errors=in_words(visit, error)), note, 422)
    await instance.levels.reload(instance.store)
    return go(visit, "/admin/peers", "level")


async def confirm_keys(visit: Visit) -> Response:
    """POST /admin/peers/keys: the new keys of an issuer are its own. Raises NotFound."""
    async with visit.instance.store.transaction("confirm keys of issuer") as tx:
        await pins.confirm(tx, visit.instance.here, visit.sent.text("did")[:500], by=visit.account.acct)
    return go(visit, "/admin/peers", "saved")


# ── the policy ───────────────────────────────────────────────────────────────────────────────────────────────


async def policy_page(visit: Visit) -> Response:
    """GET /admin/policy: as TOML, to be edited."""
    async with visit.instance.store.view() as view:
        current = await policy.current(view)
    return await _policy_page(visit, FormView(values={"policy": policies.to_toml(current)}), current, None)


async def _policy_page(
    visit: Visit, form: FormView, current: TrustPolicy, diff: PolicyDiffView | None, status: int = 200
) -> Response:
    return await page(
        visit,
        "admin_policy",
        current="policy",
        administration=True,
        status=status,
        form=form,
        diff=diff,
        version=str(current.version),
    )


async def change_policy(visit: Visit) -> Response:
    """POST /admin/policy: `dry_run` says what would change, `apply` changes it. Raises Conflict."""
    instance, sent = visit.instance, visit.sent
    async with instance.store.view() as view:
        current = await policy.current(view)
    form = FormView(values={"policy": sent.text("policy")})
    try:
        wanted = policies.from_toml(sent.text("policy"))
        if sent.text("do") == "apply":
            base = sent.text("base")
            if not (base.isascii() and base.isdigit() and len(base) < 16):
                raise Malformed("a policy is applied after a dry run")
            async with instance.store.transaction("apply policy") as tx:
                await policy.apply(tx, instance.here, wanted, base=int(base), by=visit.account.acct)
            await instance.levels.reload(instance.store)
            return go(visit, "/admin/policy", "policy")
        async with instance.store.view() as view:
            effects = await policy.dry_run(view, instance.here, wanted)
    except Invalid as error:
        wrong = FormView(values=form.values, errors={"policy": reason(visit, str(error))})
        return await _policy_page(visit, wrong, current, None, 422)
    return await _policy_page(visit, form, current, _difference(visit, current, wanted, effects))


def _difference(visit: Visit, current: TrustPolicy, wanted: TrustPolicy, effects: Effects) -> PolicyDiffView:
    return PolicyDiffView(
        lines=tuple(_lines(policies.to_toml(current), policies.to_toml(wanted))),
        tallies=_tallies(visit, effects),
        consequences=_consequences(visit, effects),
        loosens=effects.opens,
        computed_at=visit.now,
        base=str(current.version),
    )


def _lines(before: str, after: str) -> Iterable[DiffLineView]:
    """What changes, with two lines around it; the version is not of the administrator's making."""
    one = [line for line in before.splitlines() if not line.startswith("version =")]
    other = [line for line in after.splitlines() if not line.startswith("version =")]
    for line in list(difflib.unified_diff(one, other, lineterm="", n=2))[2:]:
        if line.startswith("@@"):
            continue
        yield DiffLineView(kind="add" if line[0] == "+" else "del" if line[0] == "-" else "same", text=line[1:])


def _tallies(visit: Visit, effects: Effects) -> tuple[TallyView, ...]:
    gained = [each for each in effects.standings if each.after is CredentialState.TRUSTED]
    lost = [each for each in effects.standings if each.before is CredentialState.TRUSTED]
    said = visit.front.pages.translations(visit.language)
    levels = len(effects.levels)
    return (
        TallyView(
            change=len(gained),
            words=said.ngettext("attestation would count here", "attestations would count here", len(gained)),
        ),
        TallyView(
            change=-len(lost),
            words=said.ngettext(
                "attestation would no longer count here", "attestations would no longer count here", len(lost)
            ),
        ),
        TallyView(
            change=levels,
            words=said.ngettext("peer would change its level", "peers would change their level", levels),
            counts=True,
        ),
        TallyView(
            change=-effects.follows_ended,
            words=said.ngettext("follow would end", "follows would end", effects.follows_ended),
        ),
    )


def _consequences(visit: Visit, effects: Effects) -> tuple[str, ...]:
    told = [
        visit.say(
            N_("%(domain)s: from “%(before)s” to “%(after)s”"),
            domain=each.domain,
            before=visit.say(_level(each.before)),
            after=visit.say(_level(each.after)),
        )
        for each in effects.levels[:20]
    ]
    told += [_standing(visit, each) for each in effects.standings[:20]]
    if not told:
        told.append(visit.say(N_("Nothing would change for anybody.")))
    return tuple(told)


def _standing(visit: Visit, change: StandingChange) -> str:
    """Whose attestation would stand differently, and why."""
    if change.after is CredentialState.TRUSTED:
        said = N_("@%(who)s: the attestation would count. %(why)s")
    elif change.before is CredentialState.TRUSTED:
        said = N_("@%(who)s: the attestation would no longer count. %(why)s")
    else:
        said = N_("@%(who)s: %(why)s")
    return visit.say(said, who=change.account, why=note(visit, change.reason) or visit.say(REASONS[change.after.value]))


def _level(level: Level) -> str:
    return LEVELS[level.value]


# ── reports ──────────────────────────────────────────────────────────────────────────────────────────────────


async def reports_page(visit: Visit) -> Response:
    """GET /admin/reports: open ones first on the first page, newest first."""
    wanted = asked_page(visit)
    async with visit.instance.store.view() as view:
        found = await moderation.reports(view, wanted, open_only=False)
        shown = await _report_views(view, visit, found)
    return await page(
        visit,
        "admin_reports",
        current="reports",
        administration=True,
        reports=shown,
        paging=paging(visit, wanted, [each.id for each in found]),
    )


async def _report_views(view: View, visit: Visit, found: Sequence[Report]) -> tuple[ReportView, ...]:
    named = await posts.find_by_uris(view, {uri for each in found for uri in each.post_uris})
    gathered = await around(view, visit, list(named.values()))
    them = await people(view, visit, {each.reporter_id for each in found} | {each.target_id for each in found})
    categories = dict(CATEGORIES)
    nobody = PersonView(name="?", handle="", href="/admin/reports")

    def shown(each: Report) -> tuple[PostView, ...]:
        # Whoever settles a report sees what it is about, whomever it was for.
        known = [named[uri] for uri in each.post_uris if uri in named]
        return tuple(one(visit, post, gathered) for post in known if post.account_id in gathered.people)

    return tuple(
        ReportView(
            id=str(each.id),
            at=each.created_at,
            reporter=them.get(each.reporter_id, nobody),
            target=them.get(each.target_id, nobody),
            comment=each.comment,
            posts=shown(each),
            category=visit.say(categories[each.category]) if each.category in categories else each.category,
            settled_at=each.resolved_at,
        )
        for each in found
    )


async def settle(visit: Visit) -> Response:
    """POST /admin/reports/ID: dismiss, remove the posts, or suspend the account. Raises NotFound, Malformed."""
    sent, instance = visit.sent, visit.instance
    id_, do, note = number(visit.param("id")), sent.text("do"), sent.text("note").strip()
    if do not in ("dismiss", "remove_posts", "suspend") or not note:
        raise Malformed("a report is settled with a decision and a reason")
    async with instance.store.transaction("settle report") as tx:
        found = await moderation.reports(tx, Page(limit=1, max_id=id_ + 1, since_id=id_ - 1), open_only=True)
        if not found:
            raise NotFound("there is no such open report")
        if do == "remove_posts":
            await _remove(tx, visit, found[0])
        if do == "suspend":
            target = await accounts.get(tx, found[0].target_id)
            await sanction.suspend(tx, instance.here, visit.account, target, reason=note)
        await reporting.resolve(tx, instance.here, visit.account, id_, note=f"{do}: {note}")
    return go(visit, "/admin/reports", "settled")


async def _remove(tx: Transaction, visit: Visit, found: Report) -> None:
    """Erase what was reported: everywhere, when it is ours, and else here."""
    here = visit.instance.here
    for post in (await posts.find_by_uris(tx, found.post_uris)).values():
        author = await accounts.get(tx, post.account_id)
        if author.id != found.target_id:
            continue
        if author.local:
            await publish.delete(tx, here, visit.instance.levels, author, post)
        else:
            await posts.delete(tx, post, actor_uri=author.uri, at=here.now())


# ── the audit ────────────────────────────────────────────────────────────────────────────────────────────────


async def audit_page(visit: Visit) -> Response:
    """GET /admin/audit: what was done, by whom; the chain is checked on the first page."""
    wanted = asked_page(visit, 50)
    first_page = wanted == Page(limit=50)
    async with visit.instance.store.view() as view:
        found = await moderation.audit(view, wanted)
        rows = await _rows(view, visit, found)
        broken = await moderation.first_broken_link(view) if first_page else None
        beginning = await moderation.audit(view, Page(limit=1, max_id=2)) if first_page else []
    unbroken = first_page and broken is None and bool(beginning)
    return await page(
        visit,
        "admin_audit",
        current="audit",
        administration=True,
        rows=rows,
        paging=paging(visit, wanted, [each.seq for each in found]),
        unbroken_since=beginning[0].at if unbroken else None,
        checked_at=visit.now if unbroken else None,
        broken=broken,
    )


async def _rows(view: View, visit: Visit, found: Sequence[AuditEntry]) -> tuple[AuditRowView, ...]:
    subjects = {each.subject for each in found}
    ids = {id_ for subject in subjects if (id_ := id_of(subject)) is not None}
    by_id = await accounts.find_many(view, ids)
    by_uri = await accounts.find_by_uris(view, {each for each in subjects if each.startswith(("http:", "https:"))})
    named = {str(id_): f"@{account.acct}" for id_, account in by_id.items()}
    named |= {uri: f"@{account.acct}" for uri, account in by_uri.items()}
    return tuple(
        AuditRowView(
            at=each.at,
            actor=actor(visit, each),
            deed=deed(visit, each, named),
            digest=f"{each.hash[:4]}…{each.hash[-4:]}",
        )
        for each in found
    )
