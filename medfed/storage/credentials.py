"""Credentials as we know them, of local and peer accounts, and the attestations that this instance issued."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any, Final

import orjson

from medfed.domain.credentials import (
    Assurance,
    Attestation,
    Claim,
    Credential,
    CredentialState,
    Reason,
    StatusEntry,
    Step,
)
from medfed.domain.trust import Decision, Recognised
from medfed.kernel.clock import Millis
from medfed.kernel.errors import NotFound
from medfed.kernel.paging import Page
from medfed.storage.database import Row, Transaction, View
from medfed.storage.paging import Paged
from medfed.storage.statements import sql

_COLUMNS: Final = """
    c.id, c.account_id, c.claim, c.document, c.proof_key, c.consent, c.offer_uri, c.fault, c.state, c.reason,
    c.assurance, c.path, c.first_seen, c.checked_at, c.recheck_at
"""
_BY_ID = sql(f"SELECT {_COLUMNS} FROM credential c WHERE c.id = :id")
_OF_ACCOUNTS = sql(
    f"SELECT {_COLUMNS} FROM credential c WHERE c.account_id IN :ids[] AND c.consent = 'published' ORDER BY c.id"
)
_OF_ACCOUNT = sql(f"SELECT {_COLUMNS} FROM credential c WHERE c.account_id = :id ORDER BY c.id")
_ONE = sql(f"SELECT {_COLUMNS} FROM credential c WHERE c.account_id = :account_id AND c.uri = :uri")
_BY_URI = sql(f"SELECT {_COLUMNS} FROM credential c WHERE c.uri = :uri ORDER BY c.id")
_BY_ISSUER = sql(
    f"SELECT {_COLUMNS} FROM credential c WHERE c.issuer = :issuer AND c.id > :after ORDER BY c.id LIMIT :limit"
)
_ALL = sql(f"SELECT {_COLUMNS} FROM credential c WHERE c.id > :after ORDER BY c.id LIMIT :limit")
_ON_LIST = sql(
    f"""
    SELECT {_COLUMNS} FROM credential c
    WHERE c.id > :after AND c.id IN (SELECT s.credential_id FROM credential_status s WHERE s.url = :url)
    ORDER BY c.id LIMIT :limit
    """
)
_DUE = sql(
    f"""
    SELECT {_COLUMNS} FROM credential c
    WHERE c.recheck_at <= :now AND c.state NOT IN ('expired', 'revoked') ORDER BY c.recheck_at LIMIT :limit
    """
)
_UPSERT = sql(
    """
    INSERT INTO credential (
        id, account_id, uri, document, issuer, claim, profession, country, valid_until, proof_key, consent, offer_uri,
        fault, state, reason, assurance, path, first_seen, checked_at, recheck_at
    ) VALUES (
        :id, :account_id, :uri, :document, :issuer, :claim, :profession, :country, :valid_until, :proof_key, :consent,
        :offer_uri, :fault, :state, :reason, :assurance, :path, :first_seen, :checked_at, :recheck_at
    )
    ON CONFLICT (account_id, uri) DO UPDATE SET
        document = excluded.document, issuer = excluded.issuer, claim = excluded.claim,
        profession = excluded.profession, country = excluded.country, valid_until = excluded.valid_until,
        proof_key = excluded.proof_key, consent = excluded.consent, offer_uri = excluded.offer_uri,
        fault = excluded.fault, state = excluded.state, reason = excluded.reason, assurance = excluded.assurance,
        path = excluded.path, checked_at = excluded.checked_at, recheck_at = excluded.recheck_at
    RETURNING id
    """
)
_DECIDE = sql(
    """
    UPDATE credential SET state = :state, reason = :reason, assurance = :assurance, path = :path, checked_at = :now,
        recheck_at = :recheck_at
    WHERE id = :id
    """
)
_CONSENT = sql("UPDATE credential SET consent = :consent WHERE id = :id")
_DELETE = sql("DELETE FROM credential WHERE id = :id")
_DELETE_ALL_OF = sql("DELETE FROM credential WHERE account_id = :account_id")
_FORGET_STATUS = sql("DELETE FROM credential_status WHERE credential_id = :id")
_ADD_STATUS = sql(
    """
    INSERT INTO credential_status (url, credential_id, purpose, bit) VALUES (:url, :id, :purpose, :bit)
    ON CONFLICT DO NOTHING
    """
)
_FORGET_SPECIALTIES = sql("DELETE FROM credential_specialty WHERE credential_id = :id")
_ADD_SPECIALTY = sql("INSERT INTO credential_specialty (specialty, credential_id) VALUES (:specialty, :id)")
_LISTS_IN_USE = sql(
    """
    SELECT DISTINCT s.url FROM credential_status s JOIN credential c ON c.id = s.credential_id
    WHERE c.state NOT IN ('expired', 'invalid') AND c.consent <> 'declined'
    """
)
_HOLDERS_OF_LIST = sql(
    """
    SELECT DISTINCT a.host FROM attestation t JOIN account a ON a.uri = t.subject_uri
    WHERE (t.revocation_list = :number OR t.suspension_list = :number) AND a.local = 0
      AND t.state IN ('accepted', 'revoked', 'suspended')
    """
)
_PRACTITIONERS = sql(
    """
    SELECT DISTINCT c.account_id FROM credential c
    WHERE c.state = 'trusted' AND c.consent = 'published' AND c.recheck_at > :now AND c.valid_until > :now
      AND (:profession = '' OR c.profession = :profession)
      AND (:country = '' OR c.country = :country)
      AND (:specialty = ''
           OR EXISTS (SELECT 1 FROM credential_specialty s WHERE s.credential_id = c.id AND s.specialty = :specialty))
    """
)

_ATTESTATION_COLUMNS: Final = """
    t.id, t.uri, t.subject_uri, t.types, t.profession, t.specialties, t.country, t.assurance, t.valid_from,
    t.valid_until, t.document, t.revocation_list, t.revocation_index, t.suspension_list, t.suspension_index, t.state,
    t.offer_uri, t.issued_by, t.issued_at, t.revoked_at, t.reason
"""
_SHOWN_ON = sql(
    """
    SELECT a.id FROM account a
    WHERE a.local = 0 AND a.host = :host AND a.attestations_uri <> '' AND a.gone_at IS NULL
    ORDER BY a.fetched_at DESC, a.id LIMIT :limit
    """
)
_FOLLOWED_HOSTS = sql(
    """
    SELECT DISTINCT a.host FROM follow f JOIN account a ON a.id = f.target_id
    WHERE f.follower_id = :account_id AND a.local = 0
    """
)
_ATTESTATION = sql(f"SELECT {_ATTESTATION_COLUMNS} FROM attestation t WHERE t.id = :id")
_ATTESTATION_BY_URI = sql(f"SELECT {_ATTESTATION_COLUMNS} FROM attestation t WHERE t.uri = :uri")
_ATTESTATION_BY_OFFER = sql(f"SELECT {_ATTESTATION_COLUMNS} FROM attestation t WHERE t.offer_uri = :uri")
_ATTESTATIONS_OF = sql(f"SELECT {_ATTESTATION_COLUMNS} FROM attestation t WHERE t.subject_uri = :uri ORDER BY t.id")
_ATTESTATIONS = Paged(f"SELECT {_ATTESTATION_COLUMNS} FROM attestation t WHERE 1 = 1", "t.id")
_LIVE_ATTESTATIONS = sql(
    f"""
    SELECT {_ATTESTATION_COLUMNS} FROM attestation t
    WHERE t.state IN ('offered', 'accepted', 'withdrawn', 'suspended') AND t.valid_until > :now AND t.id > :after
    ORDER BY t.id LIMIT :limit
    """
)
_ADD_ATTESTATION = sql(
    """
    INSERT INTO attestation (
        id, uri, subject_uri, types, profession, specialties, country, assurance, valid_from, valid_until, document,
        revocation_list, revocation_index, suspension_list, suspension_index, state, offer_uri, issued_by, issued_at,
        revoked_at, reason
    ) VALUES (
        :id, :uri, :subject_uri, :types, :profession, :specialties, :country, :assurance, :valid_from, :valid_until,
        :document, :revocation_list, :revocation_index, :suspension_list, :suspension_index, :state, :offer_uri,
        :issued_by, :issued_at, :revoked_at, :reason
    )
    """
)
_SET_ATTESTATION = sql(
    "UPDATE attestation SET state = :state, revoked_at = :revoked_at, reason = :reason WHERE id = :id"
)
_RESIGN_ATTESTATION = sql("UPDATE attestation SET document = :document WHERE id = :id")
_USED_INDEXES = sql("SELECT COUNT(*) FROM attestation WHERE revocation_list = :number")
_INDEX_TAKEN = sql(
    """
    SELECT 1 AS taken FROM attestation
    WHERE (revocation_list = :number AND revocation_index = :bit)
       OR (suspension_list = :number AND suspension_index = :bit)
    """
)


# ── credentials ──────────────────────────────────────────────────────────────────────────────────────────────


async def find(view: View, id_: int) -> Credential | None:
    """The credential with this id."""
    row = await view.one_or_none(_BY_ID, id=id_)
    return _credential(row) if row else None


async def get(view: View, id_: int) -> Credential:
    """The credential with this id. Raises NotFound."""
    found = await find(view, id_)
    if found is None:
        raise NotFound("no such attestation")
    return found


async def find_of(view: View, account_id: int, uri: str) -> Credential | None:
    """What we know about one credential of one account."""
    row = await view.one_or_none(_ONE, account_id=account_id, uri=uri)
    return _credential(row) if row else None


async def published(view: View, account_ids: Iterable[int]) -> dict[int, list[Credential]]:
    """The credentials that accounts show, by account id, as they were last decided."""
    wanted = list(set(account_ids))
    found: dict[int, list[Credential]] = {}
    if wanted:
        for row in await view.all(_OF_ACCOUNTS, ids=wanted):
            found.setdefault(row["account_id"], []).append(_credential(row))
    return found


async def of_account(view: View, account_id: int) -> list[Credential]:
    """Every credential of an account, offers and withdrawn ones too: for its holder."""
    return [_credential(row) for row in await view.all(_OF_ACCOUNT, id=account_id)]


async def by_uri(view: View, uri: str) -> list[Credential]:
    """What we know about a credential, whosever it was said to be."""
    return [_credential(row) for row in await view.all(_BY_URI, uri=uri)]


async def by_issuer(view: View, issuer: str, *, after: int = 0, limit: int = 1_000) -> list[Credential]:
    """Credentials of one issuer, oldest first."""
    return [_credential(row) for row in await view.all(_BY_ISSUER, issuer=issuer, after=after, limit=limit)]


async def everything(view: View, *, after: int = 0, limit: int = 1_000) -> list[Credential]:
    """Credentials, oldest first."""
    return [_credential(row) for row in await view.all(_ALL, after=after, limit=limit)]


async def on_list(view: View, url: str, *, after: int = 0, limit: int = 1_000) -> list[Credential]:
    """Credentials whose status is on one list, oldest first."""
    return [_credential(row) for row in await view.all(_ON_LIST, url=url, after=after, limit=limit)]


async def due(view: View, now: Millis, limit: int) -> list[Credential]:
    """Credentials about which time alone may have changed something."""
    return [_credential(row) for row in await view.all(_DUE, now=now, limit=limit)]


async def practitioners(
    view: View, *, now: Millis, profession: str = "", specialty: str = "", country: str = ""
) -> list[int]:
    """Ids of the accounts that show a trusted credential of this kind; '' admits any."""
    rows = await view.all(_PRACTITIONERS, now=now, profession=profession, specialty=specialty, country=country)
    return [row["account_id"] for row in rows]


async def put(tx: Transaction, credential: Credential) -> int:
    """Store a credential, or replace what was known of it; the id it has."""
    claim = credential.claim
    stored = await tx.one(
        _UPSERT,
        id=credential.id,
        account_id=credential.account_id,
        uri=claim.uri,
        document=credential.document,
        issuer=claim.issuer,
        claim=_text(asdict(claim)),
        profession=claim.profession,
        country=claim.country,
        valid_until=claim.valid_until,
        proof_key=credential.proof_key,
        consent=credential.consent,
        offer_uri=credential.offer_uri,
        fault=_reason_text(credential.fault) if credential.fault else "",
        state=credential.state.value,
        reason=_reason_text(credential.reason),
        assurance=credential.assurance,
        path=_text([asdict(step) for step in credential.path]),
        first_seen=credential.first_seen,
        checked_at=credential.checked_at,
        recheck_at=credential.recheck_at,
    )
    id_ = int(stored["id"])
    await tx.run(_FORGET_STATUS, id=id_)
    await tx.run_many(
        _ADD_STATUS,
        [{"url": entry.url, "id": id_, "purpose": entry.purpose, "bit": entry.index} for entry in claim.status],
    )
    await tx.run(_FORGET_SPECIALTIES, id=id_)
    await tx.run_many(_ADD_SPECIALTY, [{"specialty": code, "id": id_} for code in claim.specialties])
    return id_


async def decide_many(tx: Transaction, decided: Iterable[tuple[Credential, Decision]], now: Millis) -> None:
    """Keep new decisions about known credentials."""
    await tx.run_many(
        _DECIDE,
        [
            {
                "id": credential.id,
                "state": decision.state.value,
                "reason": _reason_text(decision.reason),
                "assurance": decision.assurance if isinstance(decision, Recognised) else credential.assurance,
                "path": _text([asdict(step) for step in decision.path]),
                "now": now,
                "recheck_at": decision.recheck_at,
            }
            for credential, decision in decided
        ],
    )


async def delete_all_of(tx: Transaction, account_id: int) -> None:
    """Forget what an account has shown: it is no more, and whoever takes its place shows anew (D21)."""
    await tx.run(_DELETE_ALL_OF, account_id=account_id)


async def set_consent(tx: Transaction, id_: int, consent: str) -> None:
    """The holder has decided what to do with a credential."""
    await tx.run(_CONSENT, id=id_, consent=consent)


async def delete(tx: Transaction, id_: int) -> None:
    """Forget a credential."""
    await tx.run(_DELETE, id=id_)


async def lists_in_use(view: View) -> list[str]:
    """The status lists that some credential still depends on."""
    return [row["url"] for row in await view.all(_LISTS_IN_USE)]


# ── attestations ─────────────────────────────────────────────────────────────────────────────────────────────


async def find_attestation(view: View, id_: int) -> Attestation | None:
    """The attestation with this id."""
    row = await view.one_or_none(_ATTESTATION, id=id_)
    return _attestation(row) if row else None


async def get_attestation(view: View, id_: int) -> Attestation:
    """The attestation with this id. Raises NotFound."""
    found = await find_attestation(view, id_)
    if found is None:
        raise NotFound("no such attestation")
    return found


async def find_attestation_by_uri(view: View, uri: str) -> Attestation | None:
    """The attestation with this URI."""
    row = await view.one_or_none(_ATTESTATION_BY_URI, uri=uri)
    return _attestation(row) if row else None


async def find_attestation_by_offer(view: View, uri: str) -> Attestation | None:
    """The attestation that an Offer was about."""
    row = await view.one_or_none(_ATTESTATION_BY_OFFER, uri=uri)
    return _attestation(row) if row else None


async def attestations_of(view: View, subject_uri: str) -> list[Attestation]:
    """What this instance issued about an actor, oldest first."""
    return [_attestation(row) for row in await view.all(_ATTESTATIONS_OF, uri=subject_uri)]


async def attestations(view: View, page: Page) -> list[Attestation]:
    """What this instance issued, newest first."""
    return [_attestation(row) for row in await _ATTESTATIONS.rows(view, page)]


async def live_attestations(view: View, now: Millis, *, after: int = 0, limit: int = 500) -> list[Attestation]:
    """Attestations that are neither revoked nor expired, oldest first."""
    return [_attestation(row) for row in await view.all(_LIVE_ATTESTATIONS, now=now, after=after, limit=limit)]


async def add_attestation(tx: Transaction, attestation: Attestation) -> None:
    """Store what was issued. Raises storage.database.Duplicate when an index is taken."""
    values: dict[str, Any] = asdict(attestation)
    values |= {"types": _text(attestation.types), "specialties": _text(attestation.specialties)}
    await tx.run(_ADD_ATTESTATION, **values)


async def set_attestation(
    tx: Transaction, id_: int, state: str, *, revoked_at: Millis | None = None, reason: str = ""
) -> None:
    """Move an attestation on."""
    await tx.run(_SET_ATTESTATION, id=id_, state=state, revoked_at=revoked_at, reason=reason)


async def replace_document(tx: Transaction, id_: int, document: str) -> None:
    """The same attestation, signed anew."""
    await tx.run(_RESIGN_ATTESTATION, id=id_, document=document)


async def count_on_list(view: View, number: int) -> int:
    """How many places of a revocation list are taken."""
    return int(await view.value(_USED_INDEXES, number=number) or 0)


async def is_index_taken(view: View, number: int, index: int) -> bool:
    """Whether a place of a status list belongs to an attestation."""
    return await view.value(_INDEX_TAKEN, number=number, bit=index) is not None


async def holder_hosts(view: View, number: int) -> list[str]:
    """The hosts of the peers' accounts whose attestations are on this list."""
    return [row["host"] for row in await view.all(_HOLDERS_OF_LIST, number=number)]


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _text(value: object) -> str:
    return orjson.dumps(value).decode()


def _reason_text(reason: Reason) -> str:
    return _text({"code": reason.code, "args": dict(reason.args)})


def _reason(text: str) -> Reason:
    return Reason(**orjson.loads(text))


def _credential(row: Row) -> Credential:
    values = dict(row)
    assurance: Assurance = values["assurance"]
    return Credential(
        **(
            values
            | {
                "claim": _claim(orjson.loads(values["claim"])),
                "fault": _reason(values["fault"]) if values["fault"] else None,
                "state": CredentialState(values["state"]),
                "reason": _reason(values["reason"]),
                "assurance": assurance,
                "path": tuple(Step(**step) for step in orjson.loads(values["path"])),
            }
        )
    )


def _claim(values: dict[str, Any]) -> Claim:
    lists: Sequence[str] = ("types", "specialties", "methods")
    return Claim(
        **(
            values
            | {name: tuple(values[name]) for name in lists}
            | {"status": tuple(StatusEntry(**entry) for entry in values["status"])}
        )
    )


def _attestation(row: Row) -> Attestation:
    values = dict(row)
    values |= {name: tuple(orjson.loads(values[name])) for name in ("types", "specialties")}
    return Attestation(**values)


async def showing_on(view: View, host: str, *, limit: int) -> list[int]:
    """Accounts on a peer that have somewhere to show attestations, those looked at last first."""
    return [row["id"] for row in await view.all(_SHOWN_ON, host=host, limit=limit)]


async def hosts_followed(view: View, account_id: int) -> list[str]:
    """Hosts of the accounts that an account follows, or asks to: they know it."""
    return [row["host"] for row in await view.all(_FOLLOWED_HOSTS, account_id=account_id)]
