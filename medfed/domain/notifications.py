"""What a member is told about."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from medfed.kernel.clock import Millis

NotificationKind: TypeAlias = Literal[
    "mention", "reblog", "favourite", "follow", "follow_request", "poll", "update", "status",
    "quote", "quoted_update", "quote_request", "group_request", "attestation_offer", "case_answer_kept",
]  # fmt: skip

OURS: Final[frozenset[str]] = frozenset({"quote_request", "group_request", "attestation_offer", "case_answer_kept"})
"""Kinds that the Mastodon client API has no word for."""

GROUPED: Final[tuple[NotificationKind, ...]] = ("favourite", "reblog")
"""Kinds that are told once for each post, however many people did it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One thing that happened to one member."""

    id: int
    account_id: int
    kind: NotificationKind
    from_id: int
    post_id: int | None = None
    group_id: int | None = None
    """The group that somebody asks to join."""
    created_at: Millis = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationGroup:
    """What of one kind happened to one post; of the kinds that are not grouped, one thing."""

    latest: tuple[Notification, ...]
    """Newest first: as many as were asked for."""
    count: int
    """Of all of them."""
