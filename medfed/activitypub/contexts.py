"""The JSON-LD contexts of what we send. They are inlined or well known; none is ever fetched (D20)."""

from typing import Final

from medfed.activitypub.uris import NAMESPACE

AS2: Final = "https://www.w3.org/ns/activitystreams"
SECURITY: Final = "https://w3id.org/security/v1"
DATA_INTEGRITY: Final = "https://w3id.org/security/data-integrity/v2"
DID: Final = "https://www.w3.org/ns/did/v1"
MULTIKEY: Final = "https://w3id.org/security/multikey/v1"

_ACTOR_TERMS: Final = {
    "toot": "http://joinmastodon.org/ns#",
    "schema": "http://schema.org#",
    "PropertyValue": "schema:PropertyValue",
    "value": "schema:value",
    "manuallyApprovesFollowers": "as:manuallyApprovesFollowers",
    "discoverable": "toot:discoverable",
    "featured": {"@id": "toot:featured", "@type": "@id"},
    "alsoKnownAs": {"@id": "as:alsoKnownAs", "@type": "@id"},
    "movedTo": {"@id": "as:movedTo", "@type": "@id"},
    "lemmy": "https://join-lemmy.org/ns#",
    "postingRestrictedToMods": "lemmy:postingRestrictedToMods",
    "attestations": {"@id": f"{NAMESPACE}attestations", "@type": "@id"},
}
ACTOR: Final = (AS2, SECURITY, DATA_INTEGRITY, DID, MULTIKEY, _ACTOR_TERMS)
"""did/v1 maps assertionMethod: without it, some peers find no key."""

_POST_TERMS: Final = {
    "toot": "http://joinmastodon.org/ns#",
    "sensitive": "as:sensitive",
    "Hashtag": "as:Hashtag",
    "votersCount": "toot:votersCount",
    "blurhash": "toot:blurhash",
    "focalPoint": {"@container": "@list", "@id": "toot:focalPoint"},
    "gts": "https://gotosocial.org/ns#",
    "interactionPolicy": {"@id": "gts:interactionPolicy", "@type": "@id"},
    "canLike": {"@id": "gts:canLike", "@type": "@id"},
    "canReply": {"@id": "gts:canReply", "@type": "@id"},
    "canAnnounce": {"@id": "gts:canAnnounce", "@type": "@id"},
    "canQuote": {"@id": "gts:canQuote", "@type": "@id"},
    "automaticApproval": {"@id": "gts:automaticApproval", "@type": "@id"},
    "manualApproval": {"@id": "gts:manualApproval", "@type": "@id"},
    "replyAuthorization": {"@id": "gts:replyAuthorization", "@type": "@id"},
    "quote": {"@id": "https://w3id.org/fep/044f#quote", "@type": "@id"},
    "quoteAuthorization": {"@id": "https://w3id.org/fep/044f#quoteAuthorization", "@type": "@id"},
    "quoteUri": "http://fedibird.com/ns#quoteUri",
    "_misskey_quote": "https://misskey-hub.net/ns#_misskey_quote",
    "medfed": NAMESPACE,
    "case": "medfed:case",
    "stage": "medfed:stage",
    "ageBand": "medfed:ageBand",
    "sex": "medfed:sex",
    "specialty": "medfed:specialty",
    "presentation": "medfed:presentation",
    "history": "medfed:history",
    "examination": "medfed:examination",
    "investigations": "medfed:investigations",
    "question": "medfed:question",
    "outcome": "medfed:outcome",
    "consent": "medfed:consent",
    "accepted": {"@id": "medfed:accepted", "@type": "@id"},
    "audiencePolicy": "medfed:audiencePolicy",
    "profession": "medfed:profession",
    "jurisdictions": "medfed:jurisdictions",
    "minAssurance": "medfed:minAssurance",
}
POST: Final = (AS2, DATA_INTEGRITY, _POST_TERMS)
ACTIVITY: Final = (AS2, DATA_INTEGRITY)

PERMITTED: Final = (
    AS2,
    DATA_INTEGRITY,
    {
        "gts": "https://gotosocial.org/ns#",
        "approvedBy": {"@id": "gts:approvedBy", "@type": "@id"},
        "announceAuthorization": {"@id": "gts:announceAuthorization", "@type": "@id"},
    },
)
"""A boost that the author of what is boosted was asked about."""

_REQUEST_TERMS: Final = {
    "gts": "https://gotosocial.org/ns#",
    "QuoteRequest": "https://w3id.org/fep/044f#QuoteRequest",
    "LikeRequest": "gts:LikeRequest",
    "ReplyRequest": "gts:ReplyRequest",
    "AnnounceRequest": "gts:AnnounceRequest",
}
REQUEST: Final = (AS2, _POST_TERMS | _REQUEST_TERMS)
"""What asks to do something with a post: it shows what it would be done with."""
ANSWER: Final = (AS2, _REQUEST_TERMS)
"""What answers such a request."""
AUTHORIZATION: Final = (
    AS2,
    {
        "gts": "https://gotosocial.org/ns#",
        "QuoteAuthorization": "https://w3id.org/fep/044f#QuoteAuthorization",
        "LikeAuthorization": "gts:LikeAuthorization",
        "ReplyAuthorization": "gts:ReplyAuthorization",
        "AnnounceAuthorization": "gts:AnnounceAuthorization",
        "interactingObject": {"@id": "gts:interactingObject", "@type": "@id"},
        "interactionTarget": {"@id": "gts:interactionTarget", "@type": "@id"},
    },
)
