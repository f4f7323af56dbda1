"""Tells peers what happens to attestations: activities as the documents that are sent, owed to those concerned."""

from collections.abc import Iterable
from dataclasses import replace

import orjson

from medfed.accounts.promise import inbox_of, promise, promise_profile
from medfed.activitypub import contexts, render
from medfed.activitypub.here import Here
from medfed.activitypub.uris import authority_of
from medfed.domain.accounts import Account
from medfed.domain.credentials import Attestation, Credential
from medfed.domain.peers import Level
from medfed.domain.posts import AS_PUBLIC
from medfed.domain.trust import host_of
from medfed.kernel.errors import Misconfigured
from medfed.storage import accounts, credentials, outbox, peers, trust
from medfed.storage.database import Transaction, View
from medfed.storage.issuer import OwnList
from medfed.storage.outbox import Inbox


async def instance_actor(view: View, here: Here) -> Account:
    """The actor that speaks for this instance as an issuer. Raises Misconfigured when there is none."""
    found = await accounts.find_by_uri(view, here.uris.instance_actor)
    if found is None:
        raise Misconfigured("this instance has no actor of its own; run `medfed init`")
    return found


async def offer(tx: Transaction, here: Here, attestation: Attestation, subject: Account) -> None:
    """Offer an attestation to an account on a peer; it appears once they accept."""
    speaker = await instance_actor(tx, here)
    activity = render.activity(
        "Offer",
        id_=attestation.offer_uri,
        actor_uri=speaker.uri,
        object_=attestation.uri,
        to=[subject.uri],
        target=subject.attestations_uri,
    )
    await promise(tx, here, speaker, activity, [inbox_of(subject)])


async def answer(tx: Transaction, here: Here, member: Account, credential: Credential, kind: str) -> None:
    """Accept or Reject what a peer's issuer offered."""
    issuer_actor = await _actor_of(tx, credential)
    if issuer_actor is None or not credential.offer_uri:
        return
    activity = render.activity(
        kind,
        id_=here.uris.activity(member.uri, here.ids.new()),
        actor_uri=member.uri,
        object_=credential.offer_uri,
        to=[issuer_actor.uri],
    )
    await promise(tx, here, member, activity, [inbox_of(issuer_actor)])


async def _actor_of(view: View, credential: Credential) -> Account | None:
    """The actor that its DID document names for an issuer, on the issuer's own host."""
    did = credential.claim.issuer
    known = (await trust.issuers(view, [did])).get(did)
    named = orjson.loads(known.document).get("alsoKnownAs", []) if known is not None and known.document else []
    uris = [uri for uri in named if isinstance(uri, str) and authority_of(uri) == host_of(did)]
    found = await accounts.find_by_uris(view, uris)
    return next(iter(found.values()), None)


async def shown(tx: Transaction, here: Here, member: Account, credential: Credential, *, kind: str) -> None:
    """Add or Remove: a member puts an attestation on their profile, or takes it off.

    Everybody who knows the member and may care hears of it: the instances of followers and of those followed, the
    issuer's, and trusted peers, who would otherwise see yesterday's profile until they look again.
    """
    changed = replace(member, updated_at=here.now())
    await accounts.store(tx, changed)
    hosts = {*await credentials.hosts_followed(tx, member.id), host_of(credential.claim.issuer)}
    hosts |= {peer.domain for peer in await peers.everyone(tx) if peer.level is Level.TRUSTED}
    inboxes = [*await outbox.follower_inboxes(tx, member.id), *await outbox.inboxes_on(tx, hosts)]
    inboxes = _one_for_each_host(inboxes)
    activity = render.activity(
        kind,
        id_=here.uris.activity(member.uri, here.ids.new()),
        actor_uri=member.uri,
        object_=credential.claim.uri,
        to=[AS_PUBLIC],
        cc=[member.followers_uri],
        target=member.attestations_uri,
    )
    await promise(tx, here, member, activity, inboxes)
    await promise_profile(tx, here, changed, inboxes)


async def list_changed(tx: Transaction, here: Here, own: OwnList, *, concerning: Account | None) -> None:
    """Push a status list to whoever follows this issuer, holds a subject of it, follows the one it is about, or is
    trusted. It proves itself; peers that do not get it fetch it within its ttl.
    """
    speaker = await instance_actor(tx, here)
    inboxes = await outbox.follower_inboxes(tx, speaker.id)
    hosts = set(await credentials.holder_hosts(tx, own.number))
    hosts |= {peer.domain for peer in await peers.everyone(tx) if peer.level is Level.TRUSTED}
    inboxes += await outbox.inboxes_on(tx, hosts)
    if concerning is not None and concerning.local:
        inboxes += await outbox.follower_inboxes(tx, concerning.id)
    activity = render.activity(
        "Update",
        id_=here.uris.activity(speaker.uri, here.ids.new()),
        actor_uri=speaker.uri,
        object_=orjson.loads(own.document),
        to=[speaker.followers_uri],
    )
    await promise(tx, here, speaker, activity, _one_for_each_host(inboxes))


def _one_for_each_host(inboxes: list[Inbox]) -> list[Inbox]:
    return list({inbox.host: inbox for inbox in inboxes}.values())


async def withdrawn(tx: Transaction, here: Here, attestation: Attestation, subject: Account) -> None:
    """Delete: tell the subject's server that an attestation no longer stands."""
    speaker = await instance_actor(tx, here)
    activity = render.activity(
        "Delete",
        id_=here.uris.activity(speaker.uri, here.ids.new()),
        actor_uri=speaker.uri,
        object_=attestation.uri,
        to=[subject.uri],
    )
    await promise(tx, here, speaker, activity, [inbox_of(subject)])


async def keys_changed(tx: Transaction, here: Here) -> None:
    """Tell every peer that we know to fetch our keys again."""
    known = {peer.domain for peer in await peers.everyone(tx) if peer.level is not Level.BLOCKED}
    await look_again(tx, here, known)


async def look_again(tx: Transaction, here: Here, hosts: Iterable[str]) -> None:
    """Update of the instance actor: peers fetch our DID document again, and what our members show."""
    speaker = await instance_actor(tx, here)
    actor = render.actor(here.uris, speaker, await accounts.keys(tx, speaker.id), now=here.now())
    del actor["@context"]
    update = render.activity(
        "Update",
        id_=here.uris.activity(speaker.uri, here.ids.new()),
        actor_uri=speaker.uri,
        object_=actor,
        to=[AS_PUBLIC],
    )
    await promise(tx, here, speaker, update, await outbox.inboxes_on(tx, hosts), context=contexts.ACTOR)
