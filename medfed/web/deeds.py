"""The audit in sentences: every action that is recorded, as it ends the sentence that its actor begins."""

import re
from collections.abc import Mapping
from typing import Final

import orjson

from medfed.storage.moderation import AuditEntry
from medfed.web.visit import Visit
from medfed.web.words import N_

DEEDS: Final[Mapping[str, str]] = {
    "account.suspend": N_("suspended %(subject)s here"),
    "account.restore": N_("restored %(subject)s"),
    "attestation.issue": N_("attested %(subject)s"),
    "attestation.revoke": N_("withdrew the attestation of %(subject)s"),
    "attestation.suspend": N_("suspended the attestation of %(subject)s"),
    "attestation.reinstate": N_("reinstated the attestation of %(subject)s"),
    "instance.keys-compromised": N_("revoked the keys of the instance, and gave it new ones"),
    "instance.keys-rotated": N_("gave the instance new keys in good time"),
    "issuer.confirm-keys": N_("confirmed the keys of %(subject)s"),
    "issuer.key-compromised": N_("replaced the issuing key, which was no longer secret"),
    "issuer.key-rotated": N_("replaced the issuing key in good time"),
    "member.approve": N_("let %(subject)s in"),
    "member.create": N_("made the account %(subject)s"),
    "member.disable": N_("closed the account %(subject)s"),
    "member.enable": N_("opened the account %(subject)s again"),
    "member.keys-compromised": N_("revoked the keys of %(subject)s, and gave them new ones"),
    "member.keys-rotated": N_("gave %(subject)s new keys in good time"),
    "member.password": N_("changed the password of %(subject)s"),
    "member.role": N_("gave %(subject)s the role “%(role)s”"),
    "peer.set": N_("set the level of %(subject)s to “%(to)s”"),
    "policy.apply": N_("put a policy in force: %(subject)s"),
    "queue.drop": N_("dropped what was waiting for %(subject)s"),
    "queue.refused": N_("gave up what %(subject)s did not take"),
    "queue.expire": N_("no longer kept what %(subject)s was owed before its level changed"),
    "report.resolve": N_("settled the report %(subject)s"),
    "token.create": N_("made an access token for %(subject)s"),
    "verification.approved": N_("approved the request of %(subject)s"),
    "verification.open": N_("opened what %(subject)s submitted"),
    "verification.refused": N_("refused the request of %(subject)s"),
}


_HANDLE: Final = re.compile(r"[\w.-]+@[\w.:-]+")
_COMMAND_LINE: Final = "command line"


def actor(visit: Visit, entry: AuditEntry) -> str:
    """Who did it: a member, or whoever had the machine."""
    return visit.say(N_("The command line")) if entry.actor == _COMMAND_LINE else entry.actor


def deed(visit: Visit, entry: AuditEntry, named: Mapping[str, str]) -> str:
    """What was done, in the reader's language; `named` are the accounts behind numbers and URIs."""
    subject = named.get(entry.subject) or _handle(entry.subject)
    said = DEEDS.get(entry.action)
    if said is None:
        return f"{entry.action} {subject}"
    detail = {name: str(value) for name, value in orjson.loads(entry.detail or "{}").items()}
    level = visit.word("level", detail["to"]) if entry.action == "peer.set" and detail.get("to") else ""
    return visit.say(said, **{"role": "", **detail, "to": level, "subject": subject})


def _handle(subject: str) -> str:
    """A handle as pages write it; any other subject as it is."""
    return f"@{subject}" if _HANDLE.fullmatch(subject) else subject
