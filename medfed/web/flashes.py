"""What the page after an action says: a fixed table, so that a cookie can carry a key and nothing else."""

from collections.abc import Mapping
from typing import Final

from medfed.web.words import N_

FLASHES: Final[Mapping[str, str]] = {
    "published": N_("Published."),
    "answered": N_("Answer published."),
    "sent": N_("Message sent."),
    "case-opened": N_("The case is open."),
    "case-saved": N_("The case is saved. Those who have it will see the change."),
    "stage": N_("The stage is saved."),
    "kept-answer": N_("Kept as the answer."),
    "deleted": N_("Deleted here. Its deletion is asked of every instance that received it."),
    "followed": N_("You follow this account."),
    "asked": N_("Asked. Nothing arrives until they accept."),
    "unfollowed": N_("You no longer follow this account."),
    "blocked": N_("Blocked. Neither of you reads the other."),
    "unblocked": N_("No longer blocked."),
    "muted": N_("Hidden from your pages. Nobody is told."),
    "unmuted": N_("Shown again."),
    "reported": N_("Reported to the moderators of this instance."),
    "saved": N_("Saved."),
    "password": N_("The password is changed. Every other browser and application is signed out."),
    "moved": N_("Your followers are told. This account points to the new one from now on."),
    "left": N_("Your account is erased. Every instance that may know it is asked to do the same."),
    "ended": N_("Access ended."),
    "application-denied": N_("The application was not given access."),
    "signed-out": N_("Signed out."),
    "voted": N_("Your choice is counted."),
    "read": N_("All read."),
    "accepted": N_("Accepted."),
    "refused": N_("Refused."),
    "level": N_("The level is set."),
    "retried": N_("Tried again at once."),
    "dropped": N_("Dropped, and recorded in the audit."),
    "policy": N_("The policy is in force."),
    "attested": N_("Attested. It appears once the person accepts."),
    "attestation-published": N_("On your profile from now on."),
    "attestation-withdrawn": N_("No longer on your profile."),
    "requested": N_("Asked for. A verifier looks at it."),
    "decided": N_("Decided. The evidence is erased."),
    "withdrawn": N_("Withdrawn. Every instance that shows it is told."),
    "settled": N_("Settled, and recorded in the audit."),
    "confirmed": N_("The address is confirmed."),
}
