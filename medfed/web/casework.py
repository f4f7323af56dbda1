"""Cases: their list, a case with its discussion, opening and changing one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from starlette.responses import Response

from medfed.cases import discuss
from medfed.domain import cases as rules
from medfed.domain import identity
from medfed.domain.cases import Case, CaseDraft, Identifying
from medfed.domain.codes import SPECIALTIES, Language
from medfed.domain.posts import Post
from medfed.kernel import limits
from medfed.kernel.errors import Forbidden, Invalid, NotFound
from medfed.posts import complete, read
from medfed.storage import accounts, cases, posts
from medfed.storage.database import View
from medfed.web import casebook, pictures
from medfed.web.forecast import choices, crowd, forecast
from medfed.web.pictures import SLOTS, Pictures, take_in
from medfed.web.present import Around, around, attachments, case_card, markdown, one, tree
from medfed.web.problems import in_words
from medfed.web.sent import number
from medfed.web.sheet import asked_page, page, paging
from medfed.web.views import (
    EMPTY_FORM,
    CaseFormView,
    CaseView,
    CheckView,
    ChoiceView,
    FindingView,
    FormView,
    PostView,
    SectionView,
)
from medfed.web.visit import Visit, go
from medfed.web.words import LANGUAGES, N_

_SECTIONS: Final = ("presentation", "history", "examination", "investigations")
_AUDIENCES: Final = ("verified", "followers", "public")


def specialties(visit: Visit) -> tuple[ChoiceView, ...]:
    """Every specialty, by its name in the visitor's language."""
    language: Language = "fr" if visit.language == "fr" else "en"
    named = [ChoiceView(value=code, word=known.label(language)) for code, known in SPECIALTIES.items()]
    return tuple(sorted(named, key=lambda choice: choice.word.replace("É", "E").casefold()))


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────


async def index(visit: Visit) -> Response:
    """GET /cases: those that the visitor may read, by specialty and stage."""
    wanted, specialty, stage = asked_page(visit), visit.sent.text("specialty"), visit.sent.text("stage")
    specialty = specialty if specialty in SPECIALTIES else ""
    stage = stage if stage in rules.STAGES else ""
    async with visit.instance.store.view() as view:
        found = await casebook.readable(view, visit, wanted, specialty=specialty, stage=stage)
        shown = await casebook.cards(view, visit, found)
    return await page(
        visit,
        "cases",
        current="cases",
        form=FormView(values={"specialty": specialty, "stage": stage}),
        specialties=specialties(visit),
        items=shown,
        paging=paging(visit, wanted, [case.id for case, _ in found], specialty=specialty, stage=stage),
    )


async def _find(view: View, visit: Visit) -> tuple[Case, Post]:
    """The case that the path names. Raises NotFound for whoever may not read it."""
    case = await cases.find(view, number(visit.param("id")))
    if case is None:
        raise NotFound("there is no such case")
    return case, await read.get(view, visit.instance.here, visit.viewer, case.post_id)


async def case(visit: Visit) -> Response:
    """GET /cases/ID. Raises NotFound."""
    async with visit.instance.store.view() as view:
        found, post = await _find(view, visit)
        author = await accounts.get(view, post.account_id)
        shown = await _case_view(view, visit, found, post)
    if visit.viewer is not None:
        await complete.ask(visit.instance.store, visit.instance.here, post)
    return await page(
        visit,
        "case",
        current="cases",
        alternate=post.uri if post.local and post.is_open else None,
        indexed=post.visibility == "public" and post.local and author.discoverable,
        case=shown,
        form=FormView(values={"outcome": found.outcome}) if shown.stages else EMPTY_FORM,
    )


async def _case_view(view: View, visit: Visit, case: Case, post: Post) -> CaseView:
    thread = await read.thread(view, visit.instance.here, visit.viewer, post)
    gathered = await around(view, visit, [post, *thread.descendants])
    own = visit.viewer is not None and visit.viewer.id == case.account_id
    files = gathered.attachments.get(post.id, ())
    given_to = await posts.given_to(view, post.id) if own else []
    answers = tree(visit, post, thread.descendants, gathered, case)
    card = case_card(visit, case, post, gathered)
    if given_to:
        card = replace(card, audience=replace(card.audience, instances=len(given_to) + 1))
    return CaseView(
        card=replace(card, replies=len(thread.descendants)),
        sections=_sections(case),
        question_html=markdown(case.question),
        outcome_html=markdown(case.outcome) if case.outcome else None,
        images=attachments(visit, post, files, bare=visit.viewer is not None),
        consent=case.consent_basis if post.local else "",
        image_note=visit.say(N_("Place, device and date were removed from the files.")) if files and post.local else "",
        accepted=_accepted(visit, case, thread.descendants, gathered),
        answers=answers,
        answer_count=len(thread.descendants),
        edited_at=post.edited_at,
        remote_href=None if post.local else post.url or None,
        stages=rules.STAGES if own else (),
        can_edit=own,
        can_answer=visit.viewer is not None,
    )


def _sections(case: Case) -> tuple[SectionView, ...]:
    texts = ((name, getattr(case, name)) for name in _SECTIONS)
    return tuple(SectionView(key=name, content_html=markdown(text)) for name, text in texts if text)


def _accepted(visit: Visit, case: Case, below: Sequence[Post], gathered: Around) -> PostView | None:
    kept = next((post for post in below if post.id == case.accepted_post_id), None)
    return one(visit, kept, gathered, case=case) if kept is not None and kept.account_id in gathered.people else None


# ── opening and changing ─────────────────────────────────────────────────────────────────────────────────────


async def new(visit: Visit) -> Response:
    """GET /cases/new."""
    values = {
        "stage": "help_wanted",
        "audience": "verified",
        "consent": "none",
        "language": visit.preference("language", visit.language),
    }
    return await _editor(visit, FormView(action="/cases/new", values=values), Pictures())


async def post_new(visit: Visit) -> Response:
    """POST /cases/new: `do=check` looks at it without publishing."""
    taken = await take_in(visit)
    draft = _draft(visit, taken)
    form = _form(visit, "/cases/new", draft)
    async with visit.instance.store.view() as view:
        problems = await _problems(view, visit, draft, taken)
    if problems or visit.sent.text("do") == "check":
        return await _editor(visit, replace(form, errors=problems), taken, status=422 if problems else 200)
    instance = visit.instance
    async with instance.store.transaction("open case") as tx:
        _, post = await discuss.open_case(tx, instance.here, instance.levels, visit.account, draft)
        opened = (await cases.of_posts(tx, [post.id]))[post.id]
    return go(visit, f"/cases/{opened.id}", "case-opened")


async def edit(visit: Visit) -> Response:
    """GET /cases/ID/edit. Raises NotFound, Forbidden."""
    async with visit.instance.store.view() as view:
        found, post = await _own(view, visit)
        kept = await pictures.of_post(view, post.id)
    form = _form(visit, f"/cases/{found.id}/edit", discuss.as_draft(found, post))
    return await _editor(visit, form, kept, of=found)


async def post_edit(visit: Visit) -> Response:
    """POST /cases/ID/edit. Audience and consent stay as they were. Raises NotFound, Forbidden."""
    instance = visit.instance
    async with instance.store.view() as view:
        found, post = await _own(view, visit)
    taken = await take_in(visit, kept_of=post.id)
    draft = replace(_draft(visit, taken), audience=found.audience, outcome=found.outcome)
    form = _form(visit, f"/cases/{found.id}/edit", draft)
    problems = _wrong(visit, draft, taken, known=discuss.as_draft(found, post).texts)
    if problems or visit.sent.text("do") == "check":
        status = 422 if problems else 200
        return await _editor(visit, replace(form, errors=problems), taken, of=found, status=status)
    async with instance.store.transaction("edit case") as tx:
        await discuss.edit(tx, instance.here, instance.levels, visit.account, found, draft)
    return go(visit, f"/cases/{found.id}", "case-saved")


async def _own(view: View, visit: Visit) -> tuple[Case, Post]:
    found, post = await _find(view, visit)
    if found.account_id != visit.account.id:
        raise Forbidden("only its author changes a case")
    return found, post


async def stage(visit: Visit) -> Response:
    """POST /cases/ID/stage. Raises NotFound, Forbidden, Invalid for what certainly identifies the patient, too."""
    instance = visit.instance
    outcome = visit.sent.text("outcome") if "outcome" in visit.sent.fields else None
    async with instance.store.transaction("move case") as tx:
        found, _ = await _own(tx, visit)
        await discuss.set_stage(
            tx,
            instance.here,
            instance.levels,
            visit.account,
            found,
            stage=visit.sent.text("stage"),
            outcome=outcome,
            confirmed=[each.text for each in identity.passages({"outcome": outcome or ""})],
        )
    return go(visit, f"/cases/{found.id}", "stage")


def _draft(visit: Visit, taken: Pictures) -> CaseDraft:
    sent = visit.sent
    language = sent.text("language")
    draft = CaseDraft(
        title=sent.text("title"),
        presentation=sent.text("presentation"),
        history=sent.text("history"),
        examination=sent.text("examination"),
        investigations=sent.text("investigations"),
        question=sent.text("question"),
        age_band=sent.text("age_band") or None,
        sex=sent.text("sex") or None,
        specialties=sent.every("specialties"),
        stage=sent.text("stage", "help_wanted"),
        audience=sent.text("audience", "verified"),
        media_ids=taken.ids,
        language=language if language in LANGUAGES else visit.language,
        consent_basis=sent.text("consent", "none"),
    )
    if not sent.text("reread"):
        return draft
    return replace(draft, confirmed=frozenset(each.text for each in identity.passages(draft.texts)))


def _form(visit: Visit, action: str, draft: CaseDraft) -> FormView:
    typed = {
        "title": draft.title,
        **{name: getattr(draft, name) for name in rules.TEXTS},
        "age_band": draft.age_band or "",
        "sex": draft.sex or "",
        "stage": draft.stage,
        "audience": draft.audience,
        "consent": draft.consent_basis,
        "language": draft.language or visit.language,
        "reread": visit.sent.text("reread"),
    }
    return FormView(action=action, values=typed, chosen={"specialties": frozenset(draft.specialties)})


_CLOSING: Final = (".", ",", ")", "]", "")
_KINDS: Final = {
    "name": (N_("Name"), N_("the patient")),
    "date": (N_("Exact date"), N_("day −12")),
    "age": (N_("Age over 89"), N_("90 years and over")),
    "number": (N_("Number"), ""),
    "contact": (N_("Address or telephone"), ""),
    "address": (N_("Place"), N_("at home")),
}


def _findings(visit: Visit, form: FormView) -> tuple[FindingView, ...]:
    """Passages that may identify the patient, with what could stand there instead."""
    found = identity.passages({name: form.value(name) for name in ("title", *rules.TEXTS)})
    return tuple(
        FindingView(
            before=f"{each.before} " if each.before else "",
            passage=each.text,
            after=each.after if each.after[:1] in _CLOSING else f" {each.after}",
            kind=visit.say(_KINDS[each.kind][0]),
            replacement=visit.say(_KINDS[each.kind][1]) if _KINDS[each.kind][1] else "",
        )
        for each in found[: rules.PASSAGES]
    )


async def _problems(view: View, visit: Visit, draft: CaseDraft, taken: Pictures) -> dict[str, str]:
    """What stands in the way of publishing, by field."""
    wrong = _wrong(visit, draft, taken)
    if not wrong:
        await discuss.check(view, visit.account, draft)
    return wrong


def _wrong(
    visit: Visit, draft: CaseDraft, taken: Pictures, *, known: Mapping[str, str] | None = None
) -> dict[str, str]:
    """`known`: the texts that were published before."""
    wrong = dict(taken.errors)
    alt_texts = [file.description for file in taken.files]
    try:
        rules.check(draft, specialties=tuple(SPECIALTIES), alt_texts=alt_texts, known=known)
    except Invalid as error:
        found = in_words(visit, error)
        if any(name.startswith("alt_") for name in wrong):
            # Each image says so itself.
            found.pop("images", None)
        if isinstance(error, Identifying):
            found["findings"] = visit.say(_advice(error))
        wrong |= found
    return wrong


def _advice(error: Identifying) -> str:
    if any(each.certain for each in error.passages):
        return N_("Some passages certainly identify the patient. Take them out.")
    return N_("Some passages may identify the patient. Change them, or say that they do not.")


async def _editor(
    visit: Visit, form: FormView, taken: Pictures, *, of: Case | None = None, status: int = 200
) -> Response:
    async with visit.instance.store.view() as view:
        them = await crowd(view, visit)
    audience = form.value("audience", "verified")
    offered = _AUDIENCES if of is None else (of.audience,)
    audience = audience if audience in offered else offered[0]
    checked = replace(form, values={**form.values, "audience": audience})
    return await page(
        visit,
        "case_edit",
        current="write",
        status=status,
        editor=CaseFormView(
            form=checked,
            audiences=choices(visit, them, offered, audience),
            checks=_checks(visit, checked, taken),
            findings=_findings(visit, checked),
            images=pictures.shown(visit, taken),
            forecast=forecast(visit, them, audience),
            specialties=specialties(visit),
            age_bands=_age_bands(visit),
            editing=of is not None,
            image_slots=min(SLOTS, limits.POST_ATTACHMENTS - len(taken.files)),
        ),
    )


def _age_bands(visit: Visit) -> tuple[ChoiceView, ...]:
    return tuple(ChoiceView(value=band, word=visit.front.pages.age(visit.language, band)) for band in rules.AGE_BANDS)


def _checks(visit: Visit, form: FormView, taken: Pictures) -> tuple[CheckView, ...]:
    """What a case needs before it can be published."""
    asks = form.value("stage") in ("help_wanted", "urgent")
    rows: list[tuple[str, bool, str]] = [
        (N_("Title"), bool(form.value("title").strip()), "title"),
        (N_("Specialty"), bool(form.chosen.get("specialties")), "specialties"),
        (N_("Presentation"), bool(form.value("presentation").strip()), "presentation"),
    ]
    if asks:
        rows.append((N_("Question asked"), bool(form.value("question").strip()), "question"))
    if taken.files:
        rows.append((N_("Consent for the images"), form.value("consent", "none") != "none", "consent"))
        described = all(file.description for file in taken.files)
        rows.append((N_("Images described"), described, f"alt_{taken.files[0].id}"))
    found = _findings(visit, form)
    if found:
        rows.append((N_("Passages that may identify the patient"), bool(visit.sent.text("reread")), "findings"))
    return tuple(CheckView(word=visit.say(word), done=done, anchor=anchor) for word, done, anchor in rows)
