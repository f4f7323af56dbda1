"""What Mastodon has no word for: cases and their stages, and what accounts are attested as."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlencode

from starlette.responses import Response

from medfed.activitypub.here import Here
from medfed.api import entities, models, present
from medfed.api.calls import Call
from medfed.api.entities import Entity
from medfed.api.models import Acceptance, CaseEdit, CaseForm, Requires, StageChange
from medfed.api.paging import address_of, limit_of
from medfed.cases import discuss
from medfed.domain.accounts import Account
from medfed.domain.cases import STAGES, TEXTS, Case, CaseDraft, Identifying
from medfed.domain.codes import COUNTRIES, SPECIALTIES, professions_named
from medfed.domain.credentials import ASSURANCES
from medfed.domain.identity import Passage
from medfed.domain.posts import Post, Requirement
from medfed.edge import Json
from medfed.kernel.clock import iso_millis
from medfed.kernel.errors import Invalid, NotFound
from medfed.kernel.paging import LARGEST, Page, id_of
from medfed.posts import read
from medfed.storage import accounts, cases, credentials, posts
from medfed.storage.database import Transaction, View
from medfed.verification import consent
from medfed.verification.standing import as_of, states_for

_ROUNDS: Final = 8
"""How often a list asks for more cases when some may not be read."""


# ── cases ────────────────────────────────────────────────────────────────────────────────────────────────────


async def open_case(call: Call) -> Response:
    """Open a case. 422 names each missing or unsafe field."""
    form = models.parse(CaseForm, call.params.raw)
    draft = CaseDraft(
        title=form.title,
        presentation=form.presentation,
        history=form.history,
        examination=form.examination,
        investigations=form.investigations,
        question=form.question,
        outcome=form.outcome,
        age_band=form.patient.age_band if form.patient else None,
        sex=form.patient.sex if form.patient else None,
        specialties=tuple(form.specialties),
        stage=form.stage,
        audience=form.audience,
        requires=_requirement(form.requires),
        media_ids=_ids(form.media_ids),
        language=form.language or str(entities.default_language(call.member) or ""),
        consent_basis=form.consent.basis if form.consent else "none",
        confirmed=frozenset(form.confirmed_passages),
    )
    await _check(call, form, draft)
    async with call.store.transaction("open case") as tx:
        case, _ = await discuss.open_case(tx, call.here, call.instance.levels, call.account, draft)
    return await _answer(call, case.id)


async def _check(call: Call, form: CaseForm, draft: CaseDraft) -> None:
    """Everything that is wrong, in one answer. Raises Invalid."""
    problems = _problems_of(form)
    found: tuple[Passage, ...] = ()
    try:
        async with call.store.view() as view:
            await discuss.check(view, call.account, draft)
    except Invalid as error:
        problems |= error.fields or {"case": str(error)}
        found = error.passages if isinstance(error, Identifying) else ()
    if problems:
        message = "; ".join(f"{name}: {problem}" for name, problem in problems.items())
        raise Identifying(message, problems, found) if found else Invalid(message, problems)


def _problems_of(form: CaseForm) -> dict[str, str]:
    if form.requires is None:
        return {}
    if form.audience != "verified":
        return {"requires": "only for the audience verified"}
    problems: dict[str, str] = {}
    unknown = {
        "professions": [code for code in form.requires.professions if not professions_named(code)],
        "specialties": [code for code in form.requires.specialties if code not in SPECIALTIES],
        "countries": [code for code in form.requires.countries if code not in COUNTRIES],
    }
    for name, codes in unknown.items():
        if codes:
            problems[f"requires.{name}"] = f"{codes[0][:60]!r} is not a code"
    if form.requires.min_assurance not in ASSURANCES:
        problems["requires.min_assurance"] = f"is not one of {', '.join(ASSURANCES)}"
    return problems


def _requirement(one: Requires | None) -> Requirement | None:
    if one is None:
        return None
    return Requirement(
        professions=tuple(one.professions),
        specialties=tuple(one.specialties),
        countries=tuple(one.countries),
        min_assurance=one.min_assurance,
    )


def _ids(texts: Sequence[str]) -> tuple[int, ...]:
    ids = [id_of(text) for text in texts]
    if None in ids:
        raise Invalid("media_ids: not ids", {"media_ids": "not ids"})
    return tuple(dict.fromkeys(id_ for id_ in ids if id_ is not None))


async def list_cases(call: Call) -> Response:
    """Cases that the caller may read, newest first."""
    params = call.params
    specialty, stage = params.text("specialty", most=60), params.text("stage", most=60)
    if stage and stage not in STAGES:
        raise Invalid("no such stage", {"stage": f"is not one of {', '.join(STAGES)}"})
    if specialty and specialty not in SPECIALTIES:
        raise Invalid("no such specialty", {"specialty": "is not a specialty code"})
    page = Page(limit=limit_of(params), max_id=params.id("before") or LARGEST)
    found: list[tuple[Case, Post]] = []
    async with call.store.view() as view:
        for _ in range(_ROUNDS):
            batch = await cases.listed(view, page, specialty=specialty, stage=stage)
            found += await _readable(view, call, batch)
            if len(found) >= page.limit or len(batch) < page.limit:
                break
            page = page.below(batch[-1].id)
        found = found[: page.limit]
        shown = await _entities(view, call, found)
    kept = [(name, value) for name, value in (("specialty", specialty), ("stage", stage)) if value]
    headers = {}
    if found:
        query = urlencode([*kept, ("limit", str(page.limit)), ("before", str(found[-1][0].id))])
        headers["link"] = f'<{address_of(call.here, call.request)}?{query}>; rel="next"'
    return Json(shown, headers=headers)


async def show_case(call: Call) -> Response:
    """One case."""
    return await _answer(call, call.id())


async def edit_case(call: Call) -> Response:
    """Give a case new words; audience and consent stay."""
    form = models.parse(CaseEdit, call.params.raw)
    async with call.store.transaction("edit case") as tx:
        case, post = await _meant(tx, call)
        files = (await posts.attachments(tx, [post.id])).get(post.id, [])
        before = replace(discuss.as_draft(case, post), media_ids=tuple(file.id for file in files))
        draft = replace(before, **_changes(form))
        await discuss.edit(tx, call.here, call.instance.levels, call.account, case, draft)
    return await _answer(call, case.id)


def _changes(form: CaseEdit) -> dict[str, Any]:
    given = form.model_fields_set
    changes: dict[str, Any] = {
        name: getattr(form, name) for name in (*TEXTS, "title", "outcome", "stage", "language") if name in given
    }
    if "specialties" in given:
        changes["specialties"] = tuple(form.specialties)
    if "media_ids" in given:
        changes["media_ids"] = _ids(form.media_ids)
    if "confirmed_passages" in given:
        changes["confirmed"] = frozenset(form.confirmed_passages)
    if form.patient is not None:
        changes |= {name: getattr(form.patient, name) for name in form.patient.model_fields_set}
    return changes


async def set_stage(call: Call) -> Response:
    """Move a case to another stage."""
    change = models.parse(StageChange, call.params.raw)
    async with call.store.transaction("set stage") as tx:
        case, _ = await _meant(tx, call)
        await discuss.set_stage(
            tx,
            call.here,
            call.instance.levels,
            call.account,
            case,
            stage=change.stage,
            outcome=change.outcome,
            confirmed=change.confirmed_passages,
        )
    return await _answer(call, case.id)


async def accept_answer(call: Call) -> Response:
    """Keep an answer of the thread as the one that helped."""
    kept = _ids([models.parse(Acceptance, call.params.raw).status_id])[0]
    async with call.store.transaction("accept answer") as tx:
        case, _ = await _meant(tx, call)
        answer = await read.get(tx, call.here, call.account, kept)
        await discuss.accept(tx, call.here, call.instance.levels, call.account, case, answer)
    return await _answer(call, case.id)


async def _meant(view: View, call: Call) -> tuple[Case, Post]:
    """The case of the path, if the caller may read it. Raises NotFound either way else."""
    return await _get(view, call, call.id())


async def _get(view: View, call: Call, id_: int) -> tuple[Case, Post]:
    case = await cases.find(view, id_)
    found = await _readable(view, call, [case]) if case is not None else []
    if not found:
        raise NotFound("there is no such case")
    return found[0]


async def _readable(view: View, call: Call, some: Sequence[Case]) -> list[tuple[Case, Post]]:
    of_case = {case.post_id: case for case in some}
    known = await posts.find_many(view, of_case)
    candidates = [known[case.post_id] for case in some if case.post_id in known]
    return [(of_case[post.id], post) for post in await read.readable(view, call.here, call.viewer, candidates)]


async def _answer(call: Call, id_: int) -> Response:
    async with call.store.view() as view:
        return Json((await _entities(view, call, [await _get(view, call, id_)]))[0])


async def _entities(view: View, call: Call, found: Sequence[tuple[Case, Post]]) -> list[Entity]:
    statuses = await present.statuses(view, call.here, call.viewer, [post for _, post in found])
    return [_entity(call, case, post, status) for (case, post), status in zip(found, statuses, strict=True)]


def _entity(call: Call, case: Case, post: Post, status: Entity) -> Entity:
    return {
        "id": str(case.id),
        "uri": post.uri,
        "url": f"{call.here.uris.base}/cases/{case.id}",
        "status_id": str(post.id),
        "account": status["account"],
        "title": case.title,
        **{name: getattr(case, name) for name in TEXTS},
        "patient": {"age_band": case.age_band or None, "sex": case.sex or None},
        "specialties": list(case.specialties),
        "stage": case.stage,
        "outcome": case.outcome,
        "accepted_status_id": str(case.accepted_post_id) if case.accepted_post_id is not None else None,
        "audience": case.audience,
        "requires": entities.requirement(post.requires),
        "consent": {"basis": case.consent_basis},
        "media_attachments": status["media_attachments"],
        "language": post.language or None,
        "replies_count": post.replies_count,
        "created_at": iso_millis(case.created_at),
        "updated_at": iso_millis(case.updated_at),
    }


# ── attestations ─────────────────────────────────────────────────────────────────────────────────────────────


async def attestations(call: Call) -> Response:
    """What an account shows to be attested as, and what each of it is worth here."""
    async with call.store.view() as view:
        account = await accounts.find(view, call.id())
        if account is None or not account.active:
            raise NotFound("there is no such account")
        held = (await states_for(view, call.here, [account.id])).get(account.id, [])
    return Json([entities.attestation(one) for one in held])


async def offers(call: Call) -> Response:
    """Attestations that are offered to the member: nothing appears that they have not accepted."""
    async with call.store.view() as view:
        held = await credentials.of_account(view, call.account.id)
    now = call.here.now()
    return Json([entities.attestation(as_of(one, now)) for one in held if one.consent == "offered"])


async def accept_offer(call: Call) -> Response:
    """Accept an attestation and show it."""
    return await _decided(call, consent.accept)


async def decline_offer(call: Call) -> Response:
    """Do not accept an attestation."""
    return await _decided(call, consent.decline)


async def hide_attestation(call: Call) -> Response:
    """Take an attestation off one's profile."""
    return await _decided(call, consent.withdraw)


async def show_attestation(call: Call) -> Response:
    """Put it back."""
    return await _decided(call, consent.publish)


async def _decided(call: Call, decide: Callable[[Transaction, Here, Account, int], Awaitable[None]]) -> Response:
    async with call.store.transaction("decide about attestation") as tx:
        await decide(tx, call.here, call.account, call.id())
        decided = await credentials.get(tx, call.id())
    return Json(entities.attestation(as_of(decided, call.here.now())))
