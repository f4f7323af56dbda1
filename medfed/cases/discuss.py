"""A member opens a case, changes it, moves it through its stages, and keeps an answer."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

from medfed.accounts.peers import PeerLevels
from medfed.activitypub.here import Here
from medfed.cases.words import as_html
from medfed.domain import cases as rules
from medfed.domain.accounts import Account
from medfed.domain.cases import Case, CaseDraft, Stage
from medfed.domain.codes import SPECIALTIES
from medfed.domain.posts import Attachment, Draft, Post, Requirement, Visibility
from medfed.kernel.errors import Forbidden, Invalid, NotFound
from medfed.notifications.notify import notify
from medfed.posts.publish import edit as edit_post
from medfed.posts.publish import publish, uploads
from medfed.storage import posts
from medfed.storage.database import Transaction, View

ANYBODY_RECOGNISED: Final = Requirement()
"""Any recognised attestation, of any profession."""


async def open_case(
    tx: Transaction, here: Here, levels: PeerLevels, author: Account, draft: CaseDraft
) -> tuple[Case, Post]:
    """Publish a case: the post that carries its words and discussion, and its structure beside it.

    Raises Invalid that names each missing or unsafe field.
    """
    await check(tx, author, draft)
    now = here.now()
    record = _record(Case(id=here.ids.new(), post_id=0, account_id=author.id, title="", presentation=""), draft)
    record = replace(record, created_at=now, updated_at=now)
    post = await publish(tx, here, levels, author, _as_post(draft), named={}, case=record)
    return replace(record, post_id=post.id), post


async def check(view: View, author: Account, draft: CaseDraft) -> CaseDraft:
    """The draft itself if it may be published. Raises Invalid."""
    files = await uploads(view, author, draft.media_ids)
    return _checked(draft, files)


def _checked(draft: CaseDraft, files: Sequence[Attachment], *, known: Mapping[str, str] | None = None) -> CaseDraft:
    alt_texts = [file.description for file in files]
    return rules.check(draft, specialties=tuple(SPECIALTIES), alt_texts=alt_texts, known=known)


async def edit(tx: Transaction, here: Here, levels: PeerLevels, author: Account, case: Case, draft: CaseDraft) -> Case:
    """Give a case new words. Audience and consent stay. Raises Invalid, Forbidden."""
    post = await _own_post(tx, author, case)
    kept = (await posts.attachments(tx, [post.id])).get(post.id, [])
    own = {file.id: file for file in kept}
    fresh = await uploads(tx, author, [id_ for id_ in draft.media_ids if id_ not in own])
    files = [*(own[id_] for id_ in draft.media_ids if id_ in own), *fresh]
    draft = replace(draft, audience=case.audience, requires=post.requires)
    _checked(draft, files, known=as_draft(case, post).texts)
    changed = replace(_record(case, draft), updated_at=here.now())
    await edit_post(tx, here, levels, author, post, _as_post(draft), named={}, case=changed)
    return changed


async def set_stage(
    tx: Transaction,
    here: Here,
    levels: PeerLevels,
    author: Account,
    case: Case,
    *,
    stage: str,
    outcome: str | None,
    confirmed: Collection[str] = (),
) -> Case:
    """Move a case on; peers learn of it by an Update. Raises Invalid, Forbidden.

    `confirmed`: passages of the outcome that do not identify the patient, says the author.
    """
    if stage not in rules.STAGES:
        raise Invalid(f"{stage[:40]!r} is not a stage", {"stage": f"one of {', '.join(rules.STAGES)}"})
    if outcome is not None and outcome != case.outcome:
        rules.check_outcome(outcome, confirmed)
    changed = replace(case, stage=_stage(stage), outcome=case.outcome if outcome is None else outcome)
    return await _save(tx, here, levels, author, changed)


async def accept(tx: Transaction, here: Here, levels: PeerLevels, author: Account, case: Case, answer: Post) -> Case:
    """The author keeps an answer of the thread. Raises Forbidden, NotFound."""
    post = await _own_post(tx, author, case)
    if answer.conversation_id != post.conversation_id or answer.id == post.id or answer.visibility == "direct":
        raise NotFound("that is not an answer to this case")
    changed = await _save(tx, here, levels, author, replace(case, accepted_post_id=answer.id))
    await notify(tx, here, to=answer.account_id, kind="case_answer_kept", from_id=author.id, post_id=answer.id)
    return changed


async def _save(tx: Transaction, here: Here, levels: PeerLevels, author: Account, case: Case) -> Case:
    post = await _own_post(tx, author, case)
    files = (await posts.attachments(tx, [post.id])).get(post.id, [])
    changed = replace(case, updated_at=here.now())
    draft = replace(as_draft(case, post), media_ids=tuple(file.id for file in files))
    await edit_post(tx, here, levels, author, post, _as_post(draft), named={}, case=changed)
    return changed


async def _own_post(view: View, author: Account, case: Case) -> Post:
    if case.account_id != author.id:
        raise Forbidden("only its author changes a case")
    return await posts.get(view, case.post_id)


def as_draft(case: Case, post: Post) -> CaseDraft:
    """A stored case as what its author would have to type to get it."""
    return CaseDraft(
        title=case.title,
        presentation=case.presentation,
        history=case.history,
        examination=case.examination,
        investigations=case.investigations,
        question=case.question,
        age_band=case.age_band or None,
        sex=case.sex or None,
        specialties=case.specialties,
        stage=case.stage,
        outcome=case.outcome,
        audience=case.audience,
        requires=post.requires,
        language=post.language,
        consent_basis=case.consent_basis,
    )


def _record(case: Case, draft: CaseDraft) -> Case:
    return replace(
        case,
        title=draft.title.strip(),
        presentation=draft.presentation.strip(),
        history=draft.history.strip(),
        examination=draft.examination.strip(),
        investigations=draft.investigations.strip(),
        question=draft.question.strip(),
        age_band=draft.age_band or "",
        sex=draft.sex or "",
        specialties=tuple(dict.fromkeys(draft.specialties)),
        stage=_stage(draft.stage),
        outcome=draft.outcome.strip(),
        audience=next(known for known in rules.AUDIENCES if known == draft.audience),
        consent_basis=draft.consent_basis,
    )


def _stage(stage: str) -> Stage:
    return next(known for known in rules.STAGES if known == stage)


def _as_post(draft: CaseDraft) -> Draft:
    visibility: Visibility = next(known for known in rules.AUDIENCES if known == draft.audience)
    restricted = visibility == "verified"
    return Draft(
        text=draft.presentation,
        title=draft.title.strip(),
        content=as_html(draft),
        visibility=visibility,
        language=draft.language,
        media_ids=draft.media_ids,
        sensitive=bool(draft.media_ids),
        requires=(draft.requires or ANYBODY_RECOGNISED) if restricted else None,
    )
