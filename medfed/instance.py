"""The capabilities that one server runs on, in one frozen bundle; and how it is opened."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from medfed.accounts.identify import Identifier
from medfed.accounts.keyring import KeyRing
from medfed.accounts.lookup import Lookup
from medfed.accounts.peers import Newcomers, PeerLevels
from medfed.accounts.sign import Knocking, Manners
from medfed.activitypub.here import Here
from medfed.activitypub.manners import CAVAGE
from medfed.activitypub.uris import Uris
from medfed.domain.accounts import Account, is_authority
from medfed.kernel.clock import SECOND, Clock, SystemClock
from medfed.kernel.errors import Misconfigured
from medfed.kernel.ids import Ids
from medfed.kernel.secrets import Vault
from medfed.media.accept import Images
from medfed.media.blobs import Blobs, FileBlobs
from medfed.net.client import Net
from medfed.net.message import Signer, Transport
from medfed.notifications.mail import Mail
from medfed.posts.fetch import PostFetcher
from medfed.relations.digests import FollowerDigests
from medfed.settings import Settings
from medfed.storage import accounts
from medfed.storage.connect import connect
from medfed.storage.database import Store
from medfed.storage.remembered import Remembered
from medfed.verification.recognise import Recogniser

Role: TypeAlias = Literal["server", "tool"]

KEY_FILE: Final = "secret.key"
KEY_FILE_VARIABLE: Final = "MEDFED_SECRET_KEY_FILE"


_DOCUMENTS_KEPT: Final = 500
_DOCUMENTS_KEPT_FOR: Final = 1 * SECOND
"""Should the news of a change be lost: no process shows a stolen key for longer (C18)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A document about a local account, rendered: whole, and what of it is for everybody."""

    whole: bytes
    open: bytes
    status: int = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One server. Only edges and the worker see it; what lies below is handed what it uses."""

    settings: Settings
    here: Here
    store: Store
    net: Net
    levels: PeerLevels
    keyring: KeyRing
    lookup: Lookup
    identifier: Identifier
    posts: PostFetcher
    recogniser: Recogniser
    followers: FollowerDigests
    documents: Remembered[str, Shown]
    """What was shown of accounts last, by address."""
    blobs: Blobs
    images: Images
    mail: Mail
    sign_as_instance: Callable[[], Awaitable[Signer]]
    """Signs fetches with the instance actor's key."""

    async def actor(self) -> Account:
        """The instance actor. Raises Misconfigured when `medfed init` was not run."""
        return await _instance_actor(self.store, self.here)


@asynccontextmanager
async def open_instance(
    settings: Settings,
    *,
    role: Role,
    clock: Clock | None = None,
    transport: Transport | None = None,
    vault: Vault | None = None,
    durable: bool = True,
) -> AsyncIterator[Instance]:
    """Open everything that a server, or a command beside it, needs. Raises Misconfigured, StorageDown.

    `transport` replaces the network, `clock` the time, `vault` the key file, and `durable=False`
    gives up fsync: for tests and simulations.
    """
    if not is_authority(settings.instance.domain):
        raise Misconfigured(
            f"instance.domain is {settings.instance.domain[:100]!r}, which is no domain; write it like chu-lyon.example"
        )
    clock = clock or SystemClock()
    here = Here(
        name=settings.instance.name or settings.instance.domain,
        contact=settings.instance.contact,
        languages=settings.instance.languages,
        mode=settings.federation.mode,
        uris=Uris(base=settings.instance.public_url, domain=settings.instance.domain),
        ids=Ids(clock),
        clock=clock,
        vault=vault or Vault(read_key(settings)),
    )
    levels = PeerLevels(settings.federation.mode, here.uris.authority)
    async with AsyncExitStack() as stack:
        store = await connect(
            settings.database_url,
            role=role,
            readers=settings.database.readers,
            pool=settings.database.pool,
            durable=durable,
        )
        stack.push_async_callback(store.aclose)
        net = Net(
            public_url=here.uris.base,
            allow_networks=settings.federation.allow_networks,
            allow_http=settings.federation.allow_http,
            ca_file=Path(settings.federation.ca_file) if settings.federation.ca_file else None,
            is_blocked=levels.is_blocked,
            meet=Newcomers(store, clock).meet,
            transport=transport,
        )
        stack.push_async_callback(net.aclose)
        keyring = KeyRing(store, here.vault, clock)

        habits = Manners()

        async def sign_as_instance() -> Signer:
            return await _sign_as_instance(store, keyring, here, habits)

        lookup = Lookup(store=store, net=net, here=here, sign_as_instance=sign_as_instance)
        blobs = FileBlobs(settings.media_dir)
        yield Instance(
            settings=settings,
            here=here,
            store=store,
            net=net,
            levels=levels,
            keyring=keyring,
            lookup=lookup,
            identifier=Identifier(store=store, lookup=lookup, levels=levels, here=here),
            posts=PostFetcher(store=store, net=net, here=here, lookup=lookup, sign_as_instance=sign_as_instance),
            recogniser=Recogniser(store=store, net=net, here=here, sign_as_instance=sign_as_instance),
            followers=FollowerDigests(store=store, here=here),
            documents=Remembered(
                store,
                here.now,
                channels=(accounts.CHANGED, accounts.OWN_KEYS),
                kept_for=_DOCUMENTS_KEPT_FOR,
                most=_DOCUMENTS_KEPT,
            ),
            blobs=blobs,
            images=Images(blobs),
            sign_as_instance=sign_as_instance,
            mail=Mail(
                url=settings.mail.url,
                sender=settings.instance.contact,
                domain=here.domain,
                folder=settings.instance.data_dir / "mail",
            ),
        )


def read_key(settings: Settings) -> bytes:
    """The key-encryption key, from the file that the environment names or from data_dir. Raises Misconfigured."""
    path = key_path(settings)
    try:
        return bytes.fromhex(path.read_text("ascii").strip())
    except FileNotFoundError:
        raise Misconfigured(f"there is no key file at {path}; run `medfed init`, or restore it from a backup") from None
    except (OSError, ValueError) as error:
        raise Misconfigured(f"the key file {path} cannot be read: {error}") from None


def key_path(settings: Settings) -> Path:
    """Where the key-encryption key is kept: outside the database."""
    named = os.environ.get(KEY_FILE_VARIABLE)
    return Path(named) if named else settings.instance.data_dir / KEY_FILE


async def _instance_actor(store: Store, here: Here) -> Account:
    async with store.view() as view:
        actor = await accounts.find_by_uri(view, here.uris.instance_actor)
    if actor is None:
        raise Misconfigured("this instance has no actor; run `medfed init`")
    return actor


async def _sign_as_instance(store: Store, keyring: KeyRing, here: Here, habits: Manners) -> Signer:
    """Fetches begin with draft-cavage, which every peer reads; a host that wants another signature gets it."""
    actor = await _instance_actor(store, here)
    keys = await keyring.both(actor.id)
    return Knocking(keys=keys, clock=here.clock, manners=habits, first=CAVAGE)
