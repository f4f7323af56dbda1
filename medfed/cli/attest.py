"""medfed attest."""

import contextlib
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click
import orjson

from medfed.activitypub import credentials as wire
from medfed.activitypub.strictjson import parse_object
from medfed.cli.actions import BY, config_of, perform
from medfed.cli.output import Failed, facts, failures, json_option, report, say, show, table
from medfed.domain.accounts import parse_handle
from medfed.domain.credentials import ASSURANCES, Attestation
from medfed.domain.trust import Recognised, did_of
from medfed.instance import Instance
from medfed.kernel import limits
from medfed.kernel.clock import DAY, HOUR, Millis, iso
from medfed.kernel.errors import Conflict, Invalid, Malformed, NotFound, OriginMismatch, RemoteFailure
from medfed.kernel.paging import Page
from medfed.storage import accounts, credentials, trust
from medfed.verification import issuer, pins
from medfed.verification import revoke as revoking
from medfed.verification.attest import Statement
from medfed.verification.attest import attest as issue
from medfed.verification.decide import keys_of_issuer
from medfed.verification.recognise import Examined

_UNITS: Final[Mapping[str, Millis]] = {"h": HOUR, "d": DAY, "w": 7 * DAY}
_LISTED: Final = 500
_NAMED: Final = re.compile(r"[0-9]{1,19}")


@click.group()
def attest() -> None:
    """Attestations: what this instance says of practitioners, and what it thinks of others' words."""


@attest.command("issue")
@click.argument("handle")
@click.option("--profession", required=True, metavar="CODE")
@click.option("--specialty", "specialties", multiple=True, metavar="CODE")
@click.option("--country", default="", metavar="CC", help="Two letters: where the right to practise holds.")
@click.option("--level", required=True, type=click.Choice(ASSURANCES), help="How sure it is that this is so.")
@click.option("--valid-for", default="365d", show_default=True, help="A number with h, d or w.")
@json_option
@config_of
def _issue(config: str, /, handle: str, *, specialties: tuple[str, ...], as_json: bool, **more: Any) -> None:
    """Attest what a member (USERNAME) is, or offer it to an account of a peer (@NAME@DOMAIN); prints the credential."""
    made = perform(config, "attest.issue", handle=handle, specialties=list(specialties), **more)
    document = orjson.dumps(made["credential"], option=orjson.OPT_INDENT_2).decode()
    show(made, as_json=as_json, text=lambda: document)
    if not as_json:
        said = "published" if made["state"] == "accepted" else "offered; it appears once they accept"
        say(f"attestation {made['id']} for {made['subject']}: {said}")


async def issue_attestation(
    instance: Instance,
    *,
    handle: str,
    profession: str,
    specialties: list[str],
    country: str,
    level: str,
    valid_for: str,
) -> dict[str, Any]:
    """Issue an attestation; a peer's account is looked up first. Raises NotFound, Invalid, RemoteFailure."""
    subject = await instance.lookup.handle(parse_handle(handle))
    statement = Statement(
        profession=profession,
        specialties=tuple(specialties),
        country=country.upper(),
        assurance=level,
        valid_for=duration(valid_for),
    )
    async with instance.store.transaction("issue attestation") as tx:
        issued = await issue(tx, instance.here, subject, statement, by=BY, accepted=subject.local)
    return _facts(issued) | {"subject": subject.handle, "credential": orjson.loads(issued.document)}


@attest.command("list")
@json_option
@config_of
def _list(config: str, *, as_json: bool) -> None:
    """What this instance has attested, newest first."""
    found = perform(config, "attest.list")
    columns = ("id", "subject", "profession", "specialties", "level", "state", "valid_until")
    show(found, as_json=as_json, text=lambda: table(found, *columns))


async def list_attestations(instance: Instance) -> list[dict[str, Any]]:
    """What this instance has attested."""
    found: list[dict[str, Any]] = []
    page = Page(limit=_LISTED)
    async with instance.store.view() as view:
        while some := await credentials.attestations(view, page):
            known = await accounts.find_by_uris(view, [each.subject_uri for each in some])
            names = {uri: account.handle for uri, account in known.items()}
            found += [_facts(each) | {"subject": names.get(each.subject_uri, each.subject_uri)} for each in some]
            page = page.below(some[-1].id)
    return found


@attest.command("revoke")
@click.argument("id_", metavar="ID")
@click.option("--reason", required=True)
@json_option
@config_of
def _revoke(config: str, id_: str, reason: str, *, as_json: bool) -> None:
    """Take an attestation back, for good."""
    done = perform(config, "attest.revoke", id_=id_, reason=reason)
    report(done, f"attestation {done['id']} is revoked", as_json=as_json)


async def revoke_attestation(instance: Instance, *, id_: str, reason: str) -> dict[str, Any]:
    """Revoke by id, or by the URL of the credential. Raises NotFound, Conflict."""
    async with instance.store.transaction("revoke attestation") as tx:
        number = id_.removeprefix(instance.here.uris.credential(0).removesuffix("0"))
        if not _NAMED.fullmatch(number):
            raise NotFound(f"there is no attestation {id_[:100]!r}; see `medfed attest list`")
        revoked = await revoking.revoke(tx, instance.here, int(number), reason=reason, by=BY)
    return _facts(revoked)


@attest.command("verify")
@click.argument("file", metavar="FILE|-")
@click.option("--issuer-document", metavar="FILE", help="The issuer's DID document: verify without asking anybody.")
@json_option
@config_of
def _verify(config: str, file: str, issuer_document: str | None, *, as_json: bool) -> None:
    """Verify a credential; exit status 0 when it is valid and recognised here, else 1."""
    with failures():
        credential = _read(file)
        document = _read(issuer_document) if issuer_document else None
    found = perform(config, "attest.verify", credential=credential, issuer_document=document)
    show(found, as_json=as_json, text=lambda: facts(found))
    if not found["recognised"]:
        raise Failed(f"not recognised here: {found['reason']}")


async def verify_credential(
    instance: Instance, *, credential: dict[str, Any], issuer_document: dict[str, Any] | None = None
) -> dict[str, Any]:
    """What a credential says, whether its issuer said so, and what that is worth here. Raises Malformed."""
    if issuer_document is None:
        await _look_up(instance, wire.read_credential(credential).claim.subject)
    return _verdict(await instance.recogniser.examine(credential, issuer_document=issuer_document))


async def _look_up(instance: Instance, uri: str) -> None:
    """Get to know the account that a credential is about, if it can be had: then its key is checked too."""
    with contextlib.suppress(RemoteFailure, Malformed, OriginMismatch, NotFound):
        await instance.lookup.actor(uri)


def _verdict(examined: Examined) -> dict[str, Any]:
    claim, decision = examined.claim, examined.decision
    return {
        "recognised": isinstance(decision, Recognised),
        "state": decision.state.value,
        "reason": decision.reason.text,
        "authentic": examined.fault is None,
        "issuer": claim.issuer,
        "subject": claim.subject,
        "types": list(claim.types),
        "profession": claim.profession,
        "specialties": list(claim.specialties),
        "country": claim.country,
        "assurance": decision.assurance if isinstance(decision, Recognised) else claim.supported_assurance,
        "valid_until": iso(claim.valid_until),
        "path": [step.name or step.did for step in decision.path],
    }


@attest.command("issuers")
@json_option
@config_of
def _issuers(config: str, *, as_json: bool) -> None:
    """Whose attestations were met here, with which keys, and whose keys an admin has to confirm."""
    found = perform(config, "attest.issuers")
    show(found, as_json=as_json, text=lambda: table(found, "issuer", "state", "fetched_at", "keys", "last_error"))


async def list_issuers(instance: Instance) -> list[dict[str, Any]]:
    """Every issuer that is known here, by its identifier."""
    now = instance.here.now()
    async with instance.store.view() as view:
        known = await trust.every_issuer(view)
    return [_issuer_facts(each, now) for each in sorted(known, key=lambda each: each.did)]


def _issuer_facts(known: trust.KnownIssuer, now: Millis) -> dict[str, Any]:
    return {
        "issuer": known.did,
        "state": known.state,
        "keys": sorted(keys_of_issuer(known, now)),
        "confirmed_keys": list(known.pinned),
        "fetched_at": iso(known.fetched_at) if known.fetched_at else None,
        "last_error": known.last_error,
    }


@attest.command("confirm-keys")
@click.argument("domain")
@click.option("--key", "keys", multiple=True, required=True, metavar="KEY", help="Each key, as the issuer told you.")
@json_option
@config_of
def _confirm(config: str, domain: str, keys: tuple[str, ...], *, as_json: bool) -> None:
    """Confirm that the new keys of an issuer are its own: ask them by telephone, not by the network."""
    done = perform(config, "attest.confirm-keys", domain=domain, keys=list(keys))
    if as_json:
        show(done, as_json=True, text=str)
    else:
        say(f"the keys of {done['issuer']} are confirmed; {done['changed']} attestations stand differently")


async def confirm_keys(instance: Instance, *, domain: str, keys: list[str]) -> dict[str, Any]:
    """Confirm an issuer's keys, if they are those that were told. Raises NotFound, Conflict."""
    did = domain if domain.startswith("did:web:") else did_of(domain.strip().lower().rstrip("."))
    async with instance.store.transaction("confirm keys of issuer") as tx:
        known = (await trust.issuers(tx, [did])).get(did)
        if known is None:
            raise NotFound(f"no attestation by {domain[:100]!r} was met here; see `medfed attest issuers`")
        if keys_of_issuer(known, instance.here.now()) != set(keys):
            raise Conflict(f"{did} has other keys than these; see `medfed attest issuers`, and ask them again")
        changed = await pins.confirm(tx, instance.here, did, by=BY)
        now_known = (await trust.issuers(tx, [did]))[did]
    return _issuer_facts(now_known, instance.here.now()) | {"changed": changed}


@attest.command("replace-key")
@click.option("--compromised", is_flag=True, help="Somebody else may have the old key: it ends at once.")
@json_option
@config_of
def _replace_key(config: str, *, compromised: bool, as_json: bool) -> None:
    """Attest with a new key from now on; what is attested is signed anew, and peers are told."""
    made = perform(config, "attest.replace-key", compromised=compromised)
    if as_json:
        show(made, as_json=True, text=str)
        return
    say(f"attestations are signed with {made['key']} from now on")
    if compromised:
        say("the old key is revoked: the admin of each peer has to confirm the new one, by telephone:")
    click.echo(made["public"])


async def replace_key(instance: Instance, *, compromised: bool) -> dict[str, Any]:
    """Replace the key that this instance attests with."""
    async with instance.store.transaction("replace issuer key") as tx:
        await issuer.replace_key(tx, instance.here, compromised=compromised, by=BY)
        now = await issuer.current(tx, instance.here)
    return {"issuer": now.did, "key": now.method, "public": now.key.public.multikey, "compromised": compromised}


def duration(text: str) -> Millis:
    """Milliseconds of a number with h, d or w. Raises Invalid."""
    match = re.fullmatch(r"([0-9]{1,5})([hdw])", text.strip())
    if match is None or int(match[1]) == 0:
        raise Invalid(f"{text[:30]!r} is not a time; write it like 365d", {"valid_for": "a number with h, d or w"})
    return int(match[1]) * _UNITS[match[2]]


def _facts(issued: Attestation) -> dict[str, Any]:
    return {
        "id": str(issued.id),
        "uri": issued.uri,
        "subject": issued.subject_uri,
        "profession": issued.profession,
        "specialties": list(issued.specialties),
        "country": issued.country,
        "level": issued.assurance,
        "state": issued.state,
        "issued_at": iso(issued.issued_at),
        "valid_until": iso(issued.valid_until),
        "reason": issued.reason,
    }


def _read(file: str) -> dict[str, Any]:
    try:
        data = sys.stdin.buffer.read(limits.CREDENTIAL + 1) if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise Invalid(f"{file}: {error.strerror}") from None
    if len(data) > limits.CREDENTIAL:
        raise Invalid(f"{file} is larger than {limits.CREDENTIAL // limits.KIB} KiB")
    return dict(parse_object(data))
