"""What is wrong with a form, in the reader's language: the domain names fields and reasons, pages say them."""

from collections.abc import Mapping
from typing import Final

from medfed.kernel.errors import Invalid
from medfed.web.door import FOREIGN, TOO_OLD
from medfed.web.visit import Visit
from medfed.web.words import N_

_FIELDS: Final[Mapping[str, str]] = {
    "patient.age_band": "age_band",
    "patient.sex": "sex",
    "consent.basis": "consent",
    "media_ids": "images",
    "status": "content",
    "poll": "poll_option_1",
    "poll.options": "poll_option_1",
    "spoiler": "summary",
    "note": "statement",
    "quoted_status_id": "content",
    "specialties": "specialties",
}
"""The domain's name of a field, and the form's, where they differ."""

_REASONS: Final[tuple[tuple[str, str], ...]] = (
    ("evidence supports", N_("The evidence does not support this level.")),
    ("identifies the patient", N_("A passage here identifies the patient. Take it out.")),
    ("may identify the patient", N_("A passage here may identify the patient.")),
    ("is missing", N_("This is needed.")),
    ("is empty", N_("There is nothing to publish yet.")),
    ("say what you ask", N_("Say what you ask your colleagues.")),
    ("images need a basis", N_("Images need a basis of consent.")),
    ("every image needs", N_("Describe every image in one sentence.")),
    ("is longer than", N_("This is too long.")),
    ("too long", N_("This is too long.")),
    ("is not one of", N_("Choose one of the list.")),
    ("is not a specialty", N_("Choose one of the list.")),
    ("at most three", N_("Three specialties at most.")),
    ("at most 4", N_("Four images at most.")),
    ("not together with files", N_("A poll cannot have images.")),
    ("2 to 8", N_("A poll has at least two different choices.")),
    ("distinct, not empty", N_("A poll has at least two different choices.")),
    ("at most", N_("This is too long.")),
    ("1 to 30 letters", N_("1 to 30 letters, digits, _ or -.")),
    ("not an e-mail", N_("This is not an e-mail address.")),
    ("too easy to guess", N_("This password is too easy to guess.")),
    ("8 to 256", N_("A password has 8 to 256 characters.")),
    ("must be accepted", N_("This has to be accepted.")),
    ("not valid or expired", N_("The invitation is not valid for this address, or has expired.")),
    ("not a free upload", N_("One of the images is not there any more; choose it again.")),
    ("one of our profession", N_("Choose one of the list.")),
    ("is not a country", N_("Two capital letters, such as FR or GB.")),
    ("one of our specialty", N_("Choose one of the list.")),
    ("two capital letters", N_("Two capital letters, such as FR or GB.")),
    ("no Ed25519 key", N_("This account has no key that an attestation could be bound to.")),
    ("nobody of this name", N_("Nobody of this name was found.")),
    (
        "does not name this account as an alias",
        N_("That account does not name this one as an alias yet. Add it there."),
    ),
    ("has moved on, or is closed", N_("That account has moved on, or is closed.")),
    ("this account moved lately", N_("You moved less than 30 days ago.")),
    ("who is answered has to agree first", N_("Whom you answer has to agree first. Quote in another post.")),
    ("a private message quotes only", N_("A private message quotes only people whom it is for: mention them.")),
    (
        "does not quote posts of other",
        N_("What is for attested practitioners does not quote posts of other instances."),
    ),
    ("is not valid TOML", N_("This is not valid TOML.")),
    ("not a domain", N_("This is not a domain, such as chu-lyon.example.")),
)
"""How a reason of the domain begins, or what it holds, and how a page says it; the first that fits."""


_KEPT: Final = ("is not valid TOML",)
"""Reasons whose own words say where, and are shown behind ours."""

_EXACTLY: Final[Mapping[str, str]] = {
    "taken": N_("This is taken already."),
    "reserved": N_("This name is reserved."),
    "this account": N_("This is this account itself."),
    "this instance": N_("This is this instance itself."),
    TOO_OLD: N_("This form is from before you signed in. Open its page again and send it from there."),
    FOREIGN: N_("This form came from another site. If you meant it, repeat it on a page of this instance."),
    "this page is not for your role": N_(
        "This page is for another role. An administrator of this instance can change yours."
    ),
    "only its author changes a case": N_("Only its author changes a case."),
    "nobody verifies themselves": N_("Nobody decides about their own attestation. Ask another verifier."),
    "this is not your request": N_("This is somebody else’s request."),
    "this account cannot be followed": N_("This account cannot be followed."),
    "only one's own posts can be deleted": N_("Only their author deletes posts. You can report them."),
    "this post is not for everybody and cannot be passed on": N_(
        "This post is not for everybody, so it cannot be relayed."
    ),
    "the author of this post lets only others react to it": N_("The author lets only others react to this."),
    "the author of this post lets only others answer it": N_("The author lets only others answer this."),
    "the author of this post lets only others pass it on": N_("The author lets only others relay this."),
    "the author of this post does not let you quote it": N_("The author does not let you quote this."),
    "a policy is applied after a dry run": N_("A policy is applied after a dry run. Make one first."),
    "a report is settled with a decision and a reason": N_("Write a reason, then choose a decision."),
    "a withdrawal needs a reason": N_("Write a reason: it is published with the withdrawal."),
}


def in_words(visit: Visit, error: Invalid) -> dict[str, str]:
    """The errors of a form by field; what names no field is under `form`."""
    if not error.fields:
        return {"form": reason(visit, str(error))}
    return {_FIELDS.get(name, name): reason(visit, what) for name, what in error.fields.items()}


def reason(visit: Visit, what: str) -> str:
    """One reason, translated where it is known."""
    if what in _EXACTLY:
        return visit.say(_EXACTLY[what])
    for known, said in _REASONS:
        if known in what:
            where = what.partition(": ")[2] if known in _KEPT else ""
            return f"{visit.say(said)} {where}".strip()
    return f"{what[:1].upper()}{what[1:]}{'' if what.endswith('.') else '.'}"
