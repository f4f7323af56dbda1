"""Attestations across instances: a society attests, a hospital shows, a third instance decides for itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from medfed.domain.accounts import Account
from medfed.domain.credentials import Attestation, Credential, CredentialState
from medfed.domain.peers import Level
from medfed.storage import credentials
from medfed.verification import consent, revoke
from medfed.verification.attest import Statement, attest
from medfed.verification.standing import states_for
from tests.support.world import Site, World, a_world

CARDIOLOGIST = Statement(
    profession="physician", specialties=("cardiology",), country="FR", assurance="substantial"
)


async def attests(site: Site, handle: str, statement: Statement = CARDIOLOGIST, *, accepted: bool = True) -> Attestation:
    """A site attests an account, of its own or of a peer."""
    subject = await site.find(handle)
    assert subject is not None
    async with site.instance.store.transaction("attest") as tx:
        return await attest(tx, site.instance.here, subject, statement, by="test", accepted=accepted)


async def shown(site: Site, handle: str) -> list[Credential]:
    """What a site makes of what an account shows."""
    account = await site.find(handle)
    assert account is not None
    async with site.instance.store.view() as view:
        return (await states_for(view, site.instance.here, [account.id])).get(account.id, [])


async def state(site: Site, handle: str) -> CredentialState | None:
    """Where the only attestation of an account stands at a site; None when it shows none."""
    found = await shown(site, handle)
    assert len(found) <= 1
    return found[0].state if found else None


async def everything(site: Site, handle: str) -> list[Credential]:
    """What a site knows of an account, shown or not."""
    account = await site.find(handle)
    assert account is not None
    async with site.instance.store.view() as view:
        return await credentials.of_account(view, account.id)


@asynccontextmanager
async def two() -> AsyncIterator[tuple[World, Site, Site]]:
    """Lyon, whose Alice is followed from Lille; Lille trusts Lyon."""
    async with a_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        await lille.judges("lyon.test", Level.TRUSTED)
        await world.follow("bob@lille.test", "alice@lyon.test")
        yield world, lyon, lille


async def test_an_attestation_by_a_trusted_issuer_counts() -> None:
    async with two() as (world, lyon, lille):
        await attests(lyon, "alice")
        await world.settle()
        (credential,) = await shown(lille, "alice@lyon.test")
        assert credential.state is CredentialState.TRUSTED, credential.reason.text
        assert credential.claim.specialties == ("cardiology",)
        assert credential.assurance == "substantial"
        assert [step.role for step in credential.path] == ["yours", "issuer"]
        assert await state(lyon, "alice") is CredentialState.TRUSTED
