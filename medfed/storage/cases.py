"""Clinical cases, each beside the post that carries its discussion."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, Final

import orjson

from medfed.domain.cases import Case
from medfed.kernel.paging import Page
from medfed.storage.database import Row, Transaction, View
from medfed.storage.paging import Paged
from medfed.storage.statements import sql

_COLUMNS: Final = """
    c.id, c.post_id, c.account_id, c.title, c.presentation, c.history, c.examination, c.investigations, c.question,
    c.age_band, c.sex, c.specialties, c.stage, c.outcome, c.accepted_post_id, c.audience, c.consent_basis,
    c.created_at, c.updated_at
"""
_BY_ID = sql(f"SELECT {_COLUMNS} FROM clinical_case c WHERE c.id = :id")
_BY_POSTS = sql(f"SELECT {_COLUMNS} FROM clinical_case c WHERE c.post_id IN :ids[]")
_LIST = Paged(
    f"""
    SELECT {_COLUMNS} FROM clinical_case c JOIN account a ON a.id = c.account_id
    WHERE a.suspended_at IS NULL AND (:stage = '' OR c.stage = :stage)
      AND (:specialty = '' OR EXISTS (
            SELECT 1 FROM case_specialty s WHERE s.case_id = c.id AND s.specialty = :specialty))
    """,
    "c.id",
)
_FOUND = Paged(
    f"""
    SELECT {_COLUMNS} FROM clinical_case c JOIN account a ON a.id = c.account_id
    WHERE a.suspended_at IS NULL
      AND (LOWER(c.title) LIKE :part ESCAPE '!' OR LOWER(c.presentation) LIKE :part ESCAPE '!')
    """,
    "c.id",
)
_PUT = sql(
    """
    INSERT INTO clinical_case (
        id, post_id, account_id, title, presentation, history, examination, investigations, question, age_band, sex,
        specialties, stage, outcome, accepted_post_id, audience, consent_basis, created_at, updated_at
    ) VALUES (
        :id, :post_id, :account_id, :title, :presentation, :history, :examination, :investigations, :question,
        :age_band, :sex, :specialties, :stage, :outcome, :accepted_post_id, :audience, :consent_basis, :created_at,
        :updated_at
    )
    ON CONFLICT (post_id) DO UPDATE SET
        title = excluded.title, presentation = excluded.presentation, history = excluded.history,
        examination = excluded.examination, investigations = excluded.investigations, question = excluded.question,
        age_band = excluded.age_band, sex = excluded.sex, specialties = excluded.specialties, stage = excluded.stage,
        outcome = excluded.outcome, accepted_post_id = excluded.accepted_post_id, updated_at = excluded.updated_at
    RETURNING id
    """
)
_DROP_SPECIALTIES = sql("DELETE FROM case_specialty WHERE case_id = :id")
_ADD_SPECIALTY = sql(
    "INSERT INTO case_specialty (specialty, case_id) VALUES (:specialty, :case_id) ON CONFLICT DO NOTHING"
)


async def find(view: View, id_: int) -> Case | None:
    """The case with this id. Who may read it is for posts.read to say."""
    row = await view.one_or_none(_BY_ID, id=id_)
    return _case(row) if row else None


async def of_posts(view: View, ids: Iterable[int]) -> dict[int, Case]:
    """The cases among these posts, by post id."""
    wanted = list(set(ids))
    if not wanted:
        return {}
    return {row["post_id"]: _case(row) for row in await view.all(_BY_POSTS, ids=wanted)}


async def listed(view: View, page: Page, *, specialty: str = "", stage: str = "") -> list[Case]:
    """Cases, newest first, whoever may read them."""
    return [_case(row) for row in await _LIST.rows(view, page, specialty=specialty, stage=stage)]


async def search(view: View, text: str, page: Page) -> list[Case]:
    """Cases whose title or presentation contains `text`, newest first, whoever may read them."""
    quoted = text.casefold().replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return [_case(row) for row in await _FOUND.rows(view, page, part=f"%{quoted}%")]


async def put(tx: Transaction, case: Case) -> int:
    """Store a case, or the newer words of the one on the same post; the id it has."""
    values: dict[str, Any] = asdict(case) | {"specialties": orjson.dumps(case.specialties).decode()}
    stored = await tx.one(_PUT, **values)
    await tx.run(_DROP_SPECIALTIES, id=stored["id"])
    await tx.run_many(_ADD_SPECIALTY, [{"specialty": code, "case_id": stored["id"]} for code in case.specialties])
    return int(stored["id"])


def _case(row: Row) -> Case:
    values = dict(row)
    return Case(**(values | {"specialties": tuple(orjson.loads(values["specialties"]))}))
