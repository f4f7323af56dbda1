"""One activity of every kind, about the same member and post, for tables that go through all of them."""

from collections.abc import Mapping

from medfed.domain.posts import Post
from tests.support.stranger import PUBLIC, Document, Puppet
from tests.support.world import Site

KINDS = (
    "Create", "Update", "Update Person", "Delete", "Delete Person", "Follow", "Accept", "Reject", "Block", "Like",
    "Announce", "Add", "Remove", "Move", "Flag", "Offer", "Undo Follow", "Undo Block", "Undo Like", "Undo Announce",
    "Undo Accept", "Undo by id", "Arrive", "Dislike", "View",
)  # fmt: skip


def one_of_each(author: Puppet, site: Site, post: Post) -> Mapping[str, Document]:
    """An activity of each of KINDS by `author`, well-formed, about dr-dupont of `site` and a post of theirs."""
    member = site.instance.here.uris.actor("dr-dupont")
    note = author.note()
    follow = author.activity("Follow", member)
    block = author.activity("Block", member)
    like = author.activity("Like", post.uri)
    announce = author.activity("Announce", post.uri, to=[PUBLIC])
    asked = {"id": f"{member}/follows/1", "type": "Follow", "actor": member, "object": author.uri}
    accept = author.activity("Accept", asked)
    return {
        "Create": author.create(note),
        "Update": author.activity("Update", note | {"content": "<p>Changed</p>", "updated": "2026-11-25T10:00:00Z"}),
        "Update Person": author.activity("Update", author.document(name="Changed")),
        "Delete": author.activity("Delete", {"id": note["id"], "type": "Tombstone"}),
        "Delete Person": author.activity("Delete", author.uri),
        "Follow": follow,
        "Accept": accept,
        "Reject": author.activity("Reject", asked),
        "Block": block,
        "Like": like,
        "Announce": announce,
        "Add": author.activity("Add", note["id"], target=f"{author.uri}/featured"),
        "Remove": author.activity("Remove", note["id"], target=f"{author.uri}/featured"),
        "Move": author.activity("Move", author.uri, target=f"{author.home.base}/users/other"),
        "Flag": author.activity("Flag", [member, post.uri], content="Spam"),
        "Offer": author.activity("Offer", {"type": "Relationship", "id": f"{author.uri}/offers/1"}, target=member),
        "Undo Follow": author.undo(follow),
        "Undo Block": author.undo(block),
        "Undo Like": author.undo(like),
        "Undo Announce": author.undo(announce),
        "Undo Accept": author.undo(accept),
        "Undo by id": author.activity("Undo", like["id"]),
        "Arrive": author.activity("Arrive", None, location={"type": "Place", "name": "Lyon"}),
        "Dislike": author.activity("Dislike", post.uri),
        "View": author.activity("View", post.uri),
    }
