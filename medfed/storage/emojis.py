"""Custom emojis of peers: their names, and where their pictures are."""

from collections.abc import Callable, Sequence

import orjson

from medfed.activitypub.wire import PeerEmoji
from medfed.domain.emoji import Emoji
from medfed.storage.database import Transaction, View
from medfed.storage.statements import sql

_PUT = sql(
    """
    INSERT INTO emoji (id, host, shortcode, url) VALUES (:id, :host, :shortcode, :url)
    ON CONFLICT (host, shortcode) DO UPDATE SET url = excluded.url
    RETURNING id
    """
)
_FIND = sql("SELECT host, url FROM emoji WHERE id = :id")


def as_text(emojis: Sequence[Emoji]) -> str:
    """Emojis as a column holds them."""
    return orjson.dumps([[each.id, each.shortcode] for each in emojis]).decode() if emojis else "[]"


def from_text(text: str) -> tuple[Emoji, ...]:
    """Emojis as a column holds them, read."""
    return () if text == "[]" else tuple(Emoji(id=id_, shortcode=name) for id_, name in orjson.loads(text))


async def put(tx: Transaction, host: str, named: Sequence[PeerEmoji], next_id: Callable[[], int]) -> tuple[Emoji, ...]:
    """Keep the emojis that a document of `host` names, with the picture that it gives each now."""
    kept = []
    for each in named:
        row = await tx.one(_PUT, id=next_id(), host=host, shortcode=each.shortcode, url=each.url)
        kept.append(Emoji(id=row["id"], shortcode=each.shortcode))
    return tuple(kept)


async def find(view: View, id_: int) -> tuple[str, str] | None:
    """(host, address of the picture) of an emoji."""
    row = await view.one_or_none(_FIND, id=id_)
    return (row["host"], row["url"]) if row else None
