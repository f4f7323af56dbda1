"""The words behind codes: every code a page can meet, with the English text the catalogues translate."""

from collections.abc import Mapping
from typing import Final


def N_(text: str) -> str:  # noqa: N802 - the name message extractors look for
    """Mark a text for the catalogues without translating it here."""
    return text


STAGE_ICONS: Final[Mapping[str, str]] = {
    "help_wanted": "ask",
    "urgent": "clock",
    "interesting": "eye",
    "teaching": "book",
    "follow_up": "turn",
    "solved": "check",
    "archived": "box",
}

PRACTITIONERS: Final[Mapping[str, str]] = {
    "physician": N_("Physician"),
    "nurse": N_("Nurse"),
    "pharmacist": N_("Pharmacist"),
    "midwife": N_("Midwife"),
    "dentist": N_("Dentist"),
    "physiotherapist": N_("Physiotherapist"),
    "psychologist": N_("Psychologist"),
    "speech-therapist": N_("Speech therapist"),
    "occupational-therapist": N_("Occupational therapist"),
    "dietitian": N_("Dietitian"),
    "radiographer": N_("Radiographer"),
    "paramedic": N_("Paramedic"),
    "podiatrist": N_("Podiatrist"),
    "optometrist": N_("Optometrist"),
    "biomedical-scientist": N_("Biomedical scientist"),
    "student": N_("Student"),
    "health-professional": N_("Health professional"),
}
"""Professions, as a person is called."""

SPECIALISTS: Final[Mapping[str, str]] = {
    "anaesthesiology": N_("Anaesthetist"),
    "cardiology": N_("Cardiologist"),
    "dermatology": N_("Dermatologist"),
    "emergency-medicine": N_("Emergency physician"),
    "endocrinology": N_("Endocrinologist"),
    "gastroenterology": N_("Gastroenterologist"),
    "general-practice": N_("General practitioner"),
    "geriatrics": N_("Geriatrician"),
    "gynaecology": N_("Gynaecologist"),
    "haematology": N_("Haematologist"),
    "infectious-diseases": N_("Infectious disease physician"),
    "intensive-care": N_("Intensivist"),
    "internal-medicine": N_("Internist"),
    "nephrology": N_("Nephrologist"),
    "neurology": N_("Neurologist"),
    "obstetrics": N_("Obstetrician"),
    "oncology": N_("Oncologist"),
    "ophthalmology": N_("Ophthalmologist"),
    "orthopaedics": N_("Orthopaedic surgeon"),
    "otorhinolaryngology": N_("Otorhinolaryngologist"),
    "paediatrics": N_("Paediatrician"),
    "pathology": N_("Pathologist"),
    "psychiatry": N_("Psychiatrist"),
    "pulmonology": N_("Pulmonologist"),
    "radiology": N_("Radiologist"),
    "rheumatology": N_("Rheumatologist"),
    "surgery": N_("Surgeon"),
    "urology": N_("Urologist"),
}
"""Physicians, by the specialty that names them."""

SPECIALTIES: Final[Mapping[str, str]] = {
    "anaesthesiology": N_("Anaesthesiology"),
    "cardiology": N_("Cardiology"),
    "dermatology": N_("Dermatology"),
    "emergency-medicine": N_("Emergency medicine"),
    "endocrinology": N_("Endocrinology"),
    "gastroenterology": N_("Gastroenterology"),
    "general-practice": N_("General practice"),
    "geriatrics": N_("Geriatrics"),
    "gynaecology": N_("Gynaecology"),
    "haematology": N_("Haematology"),
    "infectious-diseases": N_("Infectious diseases"),
    "intensive-care": N_("Intensive care"),
    "internal-medicine": N_("Internal medicine"),
    "nephrology": N_("Nephrology"),
    "neurology": N_("Neurology"),
    "obstetrics": N_("Obstetrics"),
    "oncology": N_("Oncology"),
    "ophthalmology": N_("Ophthalmology"),
    "orthopaedics": N_("Orthopaedics"),
    "otorhinolaryngology": N_("Otorhinolaryngology"),
    "paediatrics": N_("Paediatrics"),
    "pathology": N_("Pathology"),
    "pharmacy": N_("Pharmacy"),
    "psychiatry": N_("Psychiatry"),
    "pulmonology": N_("Pulmonology"),
    "radiology": N_("Radiology"),
    "rheumatology": N_("Rheumatology"),
    "surgery": N_("Surgery"),
    "urology": N_("Urology"),
}

SEXES: Final[Mapping[str, str]] = {"female": N_("Woman"), "male": N_("Man"), "other": N_("Other sex")}
CHILD_SEXES: Final[Mapping[str, str]] = {"female": N_("Girl"), "male": N_("Boy"), "other": N_("Other sex")}

CONSENTS: Final[Mapping[str, str]] = {
    "patient_written": N_("Written, by the patient"),
    "patient_verbal": N_("Spoken, noted in the record"),
    "guardian": N_("By a guardian"),
    "not_identifiable": N_("Images that cannot identify"),
    "none": N_("None, no images"),
}
CONSENT_HINTS: Final[Mapping[str, str]] = {
    "patient_written": N_("The signed form stays with you."),
    "patient_verbal": N_("The date and your note stay in the patient’s record."),
    "guardian": N_("For a minor or a person under protection, signed by the guardian."),
    "not_identifiable": N_("Radiology without identifiers, pathology, internal organs."),
    "none": N_("Text only. Refused as soon as an image is attached."),
}

AUDIENCES: Final[Mapping[str, str]] = {
    "public": N_("Public"),
    "unlisted": N_("Public, off the timelines"),
    "followers": N_("Your followers"),
    "verified": N_("Attested practitioners"),
    "direct": N_("The people you mention"),
    "group": N_("Members of the group"),
    "case": N_("As the case"),
}
AUDIENCE_HINTS: Final[Mapping[str, str]] = {
    "public": N_("Anyone on the web, search engines included."),
    "unlisted": N_("Anyone with the link; not in public timelines."),
    "followers": N_("The people who follow you, wherever their account lives."),
    "verified": N_("Only people whose attestation is recognised, on instances that this one trusts."),
    "direct": N_("Only them. Not end-to-end encrypted."),
    "group": N_("The members of the closed group that you name, on instances that this one trusts."),
    "case": N_("Whoever can read the case."),
}
AUDIENCE_ICONS: Final[Mapping[str, str]] = {
    "public": "globe",
    "unlisted": "link",
    "followers": "people",
    "verified": "attested",
    "direct": "mail",
    "group": "people",
    "case": "case",
}
READERS: Final[Mapping[str, str]] = {
    **AUDIENCES,
    "followers": N_("Followers of the author"),
    "direct": N_("The people mentioned"),
}
"""How an audience is named to someone who is not the author."""

LEVELS: Final[Mapping[str, str]] = {
    "trusted": N_("Trusted"),
    "federated": N_("Federated"),
    "limited": N_("Limited"),
    "blocked": N_("Blocked"),
}
LEVEL_HINTS: Final[Mapping[str, str]] = {
    "trusted": N_("Exchanges everything, receives verified-only cases, and its attestations are recognised."),
    "federated": N_("Exchanges posts and public cases; no attestations, no verified-only content."),
    "limited": N_("Only what your members follow."),
    "blocked": N_("Nothing, in either direction."),
}
LEVEL_STEPS: Final[Mapping[str, int]] = {"trusted": 4, "federated": 3, "limited": 2, "blocked": 0}
RECEIVES: Final[Mapping[str, str]] = {
    "public": N_("public posts"),
    "cases": N_("cases"),
    "verified": N_("verified-only"),
    "attestations": N_("attestations"),
}

ASSURANCES: Final[Mapping[str, str]] = {
    "low": N_("low"),
    "substantial": N_("substantial"),
    "high": N_("high"),
}
METHODS: Final[Mapping[str, str]] = {
    "national-idp": N_("national professional sign-in"),
    "registry-lookup": N_("look-up in the professional register"),
    "in-person": N_("seen in person"),
    "document-review": N_("document reviewed"),
    "employer-hr": N_("the employer’s records"),
    "institutional-email": N_("institutional e-mail"),
    "peer-vouch": N_("vouched for by colleagues"),
}
CREDENTIAL_TYPES: Final[Mapping[str, str]] = {
    "LicenceCredential": N_("Right to practise"),
    "SpecialtyCredential": N_("Specialty"),
    "EmploymentCredential": N_("Employment"),
    "MembershipCredential": N_("Membership"),
    "VerifiedPractitionerCredential": N_("Practitioner under a pseudonym"),
}

SPOKEN: Final[Mapping[str, str]] = {
    "trusted": N_("Recognised attestation:"),
    "pseudonymous": N_("Recognised attestation, name withheld:"),
    "stale": N_("Attestation to reconfirm:"),
    "key-discontinuity": N_("Attestation to reconfirm:"),
    "revoked": N_("Attestation withdrawn:"),
    "suspended": N_("Attestation suspended:"),
    "expired": N_("Attestation expired:"),
    "untrusted": N_("Attestation not recognised here:"),
    "invalid": N_("Attestation not recognised here:"),
}
"""What a screen reader hears before a stamp."""

REASONS: Final[Mapping[str, str]] = {
    "trusted": N_("Your instance recognises this issuer for this claim."),
    "pseudonymous": N_("The home instance knows the person and vouches for the profession."),
    "stale": N_("The issuer has not confirmed it lately. Until it does, this stamp opens nothing."),
    "key-discontinuity": N_("The issuer changed all its keys at once; an administrator has to check them first."),
    "revoked": N_("Withdrawn by the body that issued it."),
    "suspended": N_("Suspended by the body that issued it, for now."),
    "expired": N_("Its validity has ended and it was not renewed."),
    "untrusted": N_("Your instance does not recognise this issuer. This says nothing against it."),
    "invalid": N_("The signature or the content does not hold, so it counts for nothing here."),
}
"""One sentence for each state of an attestation."""

KINDS: Final[Mapping[str, str]] = {
    "answer": N_("Answer"),
    "question": N_("Question to the author"),
    "evidence": N_("Evidence"),
    "correction": N_("Correction"),
}
KIND_ICONS: Final[Mapping[str, str]] = {
    "answer": "reply",
    "question": "ask",
    "evidence": "book",
    "correction": "pen",
}

NOTICES: Final[Mapping[str, str]] = {
    "mention": N_("%(who)s mentioned you"),
    "reply": N_("%(who)s answered you"),
    "follow": N_("%(who)s follows you"),
    "follow_request": N_("%(who)s asks to follow you"),
    "favourite": N_("%(who)s found your post useful"),
    "reblog": N_("%(who)s relayed your post"),
    "poll": N_("A poll you took part in has ended"),
    "update": N_("%(who)s corrected a post you relayed"),
    "quote": N_("%(who)s quoted you"),
    "quoted_update": N_("%(who)s corrected a post you quoted"),
    "quote_request": N_("%(who)s asks to quote you"),
    "group_request": N_("%(who)s asks to join your group"),
    "status": N_("%(who)s wrote"),
    "case_answer": N_("%(who)s answered your case"),
    "case_accepted": N_("%(who)s kept your answer"),
    "case_stage": N_("%(who)s moved a case you follow"),
    "attestation_offer": N_("%(who)s offers you an attestation"),
    "attestation_revoked": N_("%(who)s withdrew your attestation"),
    "report": N_("%(who)s reported a post"),
    "verification_request": N_("%(who)s asks for an attestation"),
}
NOTICE_ICONS: Final[Mapping[str, str]] = {
    "mention": "at",
    "reply": "reply",
    "follow": "people",
    "follow_request": "people",
    "favourite": "useful",
    "reblog": "relay",
    "poll": "poll",
    "update": "pen",
    "quote": "link",
    "quoted_update": "pen",
    "quote_request": "link",
    "group_request": "people",
    "status": "pen",
    "case_answer": "case",
    "case_accepted": "check",
    "case_stage": "case",
    "attestation_offer": "key",
    "attestation_revoked": "cross",
    "report": "flag",
    "verification_request": "page",
}

QUOTABLE: Final[Mapping[str, str]] = {
    "public": N_("Everybody"),
    "followers": N_("Your followers"),
    "ask": N_("Who asks you, each time"),
    "nobody": N_("Nobody but you"),
}
ANSWERABLE: Final[Mapping[str, str]] = {
    "public": N_("Whoever can read it"),
    "followers": N_("Your followers and those you mention"),
    "mentioned": N_("Only those you mention"),
}
HELD: Final[Mapping[str, str]] = {
    "waiting": N_("Only you see this, until the author whom you answer agrees."),
    "refused": N_("Only you see this: the author whom you answer does not agree."),
    "relay": N_("Only you see that you relayed this, until its author agrees."),
}
MISSING_QUOTES: Final[Mapping[str, str]] = {
    "pending": N_("The author of the quoted post has not agreed yet."),
    "rejected": N_("The author of the quoted post does not agree."),
    "revoked": N_("The author of the quoted post no longer agrees."),
    "deleted": N_("The quoted post was deleted."),
    "unavailable": N_("The quoted post is not available."),
}
"""Why a quote is not shown; only who quotes is told what its author decided."""

SCOPES: Final[Mapping[str, str]] = {
    "read": N_("Read everything that you can read, private messages included"),
    "write": N_("Post, answer, follow and change your profile in your name"),
    "follow": N_("Follow, mute and block in your name"),
    "push": N_("Send you notifications"),
    "profile": N_("Read your name and avatar"),
    "admin:read": N_("Read what administrators see"),
    "admin:write": N_("Act as an administrator"),
    "read:statuses": N_("Read the posts that you can read"),
    "read:accounts": N_("Read accounts"),
    "read:notifications": N_("Read your notifications"),
    "write:statuses": N_("Post and answer in your name"),
    "write:media": N_("Add images in your name"),
    "write:accounts": N_("Change your profile"),
}

VERDICTS: Final[Mapping[str, str]] = {"same": N_("Same"), "near": N_("Near"), "differs": N_("Differs")}
VERDICT_ICONS: Final[Mapping[str, str]] = {"same": "check", "near": "warn", "differs": "cross"}

LANGUAGES: Final[Mapping[str, str]] = {
    "ar": "العربية",
    "de": "Deutsch",
    "en": "English",
    "es": "Español",
    "fr": "Français",
    "it": "Italiano",
    "nl": "Nederlands",
    "pt": "Português",
}
"""Languages a post can be written in, each named in itself: not translated."""

THEMES: Final[Mapping[str, str]] = {"auto": N_("As the device"), "light": N_("Light"), "dark": N_("Dark")}

VOCABULARIES: Final[Mapping[str, Mapping[str, str]]] = {
    "practitioner": PRACTITIONERS,
    "specialist": SPECIALISTS,
    "specialty": SPECIALTIES,
    "sex": SEXES,
    "consent": CONSENTS,
    "consent_hint": CONSENT_HINTS,
    "audience": AUDIENCES,
    "audience_hint": AUDIENCE_HINTS,
    "readers": READERS,
    "level": LEVELS,
    "level_hint": LEVEL_HINTS,
    "receives": RECEIVES,
    "assurance": ASSURANCES,
    "method": METHODS,
    "credential_type": CREDENTIAL_TYPES,
    "spoken": SPOKEN,
    "reason": REASONS,
    "kind": KINDS,
    "scope": SCOPES,
    "quotable": QUOTABLE,
    "answerable": ANSWERABLE,
    "missing_quote": MISSING_QUOTES,
    "held": HELD,
    "verdict": VERDICTS,
    "language": LANGUAGES,
    "theme": THEMES,
}


def english(vocabulary: str, code: str) -> str:
    """The message for a code; an unknown code shows itself, since peers may be newer than we are."""
    return VOCABULARIES[vocabulary].get(code, code.replace("_", " ").replace("-", " "))
