"""Members come to be by the rules, and nobody else does."""

from dataclasses import replace

import pytest

from medfed.accounts.keyring import KeyRing
from medfed.accounts.register import (
    CONFIRM_WITHIN,
    INVITED_FOR,
    NewKeys,
    SignUp,
    SignUpRules,
    check_sign_up,
    confirm,
    confirmation_token,
    invite,
    register,
    register_instance_actor,
    sign_up,
)
from medfed.activitypub.here import Here
from medfed.activitypub.keys import parse_multikey, parse_public_pem
from medfed.kernel.clock import SECOND, FixedClock
from medfed.kernel.errors import Forbidden, Gone, Invalid, Misconfigured
from medfed.kernel.secrets import Vault
from medfed.storage import accounts, tasks
from medfed.storage.database import Store
from tests.accounts.conftest import People

OPEN = SignUpRules(mode="open", confirm="none")
FORM = SignUp(username="roy", email="Roy@Lille.example", password="correct horse battery", agreement=True)


async def test_a_member_has_an_actor_with_two_keys_that_sign(store: Store, here: Here, people: People) -> None:
    member = await people.member("roy")
    ring = KeyRing(store, here.vault, here.clock)
    both = await ring.both(member.account.id)
    (rsa_id, rsa), (ed_id, ed25519) = both.rsa, both.ed25519
    async with store.view() as view:
        account = await accounts.find_by_handle(view, "ROY", "lyon.example")
        assert account is not None
        assert (account.uri, account.inbox) == (
            "https://lyon.example/users/roy",
            "https://lyon.example/users/roy/inbox",
        )
        public = {key.uri: key.public for key in await accounts.keys(view, account.id)}
    assert (rsa_id, ed_id) == (f"{account.uri}#main-key", f"{account.uri}#ed25519-key")
    parse_public_pem(public[rsa_id]).verify(rsa.sign(b"x"), b"x")
    parse_multikey(public[ed_id]).verify(ed25519.sign(b"x"), b"x")
    assert member.may_sign_in


@pytest.mark.case("C17")
async def test_private_keys_are_sealed_under_a_key_outside_the_database(
    store: Store, here: Here, people: People
) -> None:
    member = await people.member()
    async with store.view() as view:
        for key in await accounts.keys(view, member.account.id):
            assert key.sealed
            assert b"PRIVATE" not in key.sealed
    with pytest.raises(Misconfigured):
        await KeyRing(store, Vault(b"x" * 32), here.clock).both(member.account.id)


async def test_the_key_ring_keeps_the_keys_that_were_used_last(store: Store, here: Here, people: People) -> None:
    one, other = await people.member(), await people.member()
    ring = KeyRing(store, here.vault, here.clock, kept=1)
    first = (await ring.both(one.account.id)).rsa
    assert (await ring.both(one.account.id)).rsa is first
    await ring.both(other.account.id)
    again = (await ring.both(one.account.id)).rsa
    assert again is not first
    assert again == first
    with pytest.raises(Misconfigured):
        await ring.both(1)


@pytest.mark.case("C18", "X23")
async def test_the_key_ring_signs_with_no_key_that_was_taken_away(store: Store, here: Here, people: People) -> None:
    member = await people.member()
    ring = KeyRing(store, here.vault, here.clock)
    key_id, _ = (await ring.both(member.account.id)).rsa
    async with store.transaction("take the key away") as tx:
        await accounts.forget_private_part(tx, key_id)
    with pytest.raises(Misconfigured):
        await ring.both(member.account.id)


@pytest.mark.case("C18")
async def test_the_key_ring_looks_every_second_when_it_hears_of_no_change(
    store: Store, here: Here, clock: FixedClock, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = await people.member()
    ring = KeyRing(store, here.vault, here.clock)
    key_id, _ = (await ring.both(member.account.id)).rsa
    monkeypatch.setattr(store, "wake", lambda _channel: None)
    async with store.transaction("take the key away, in a process that nobody hears") as tx:
        await accounts.forget_private_part(tx, key_id)
    clock.advance(SECOND)
    with pytest.raises(Misconfigured):
        await ring.both(member.account.id)


async def test_the_instance_actor_is_made_once(store: Store, here: Here, keys: NewKeys) -> None:
    async with store.transaction("test") as tx:
        made = await register_instance_actor(tx, here, keys)
        assert await register_instance_actor(tx, here, keys) == await accounts.get(tx, made.id)
    assert (made.uri, made.kind) == ("https://lyon.example/actor", "Application")


@pytest.mark.parametrize(
    ("username", "email", "field"),
    [
        ("ROY", "other@lyon.example", "username"),
        ("new", "roy@LYON.example", "email"),
        ("instance.actor", "a@lyon.example", "username"),
        ("../x", "a@lyon.example", "username"),
        ("new", "no address", "email"),
        ("new", "a\r\nBcc: b@c.example@lyon.example", "email"),
    ],
)
@pytest.mark.case("F19")
async def test_what_is_taken_or_unfit_is_refused_by_name(
    store: Store, here: Here, people: People, keys: NewKeys, username: str, email: str, field: str
) -> None:
    await people.member("roy")
    async with store.transaction("test") as tx:
        with pytest.raises(Invalid) as caught:
            await register(tx, here, username=username, email=email, password_hash="x", keys=keys)
    assert set(caught.value.fields) == {field}


@pytest.mark.parametrize("username", ["admin", "Root", "support", "medfed"])
def test_nobody_signs_up_under_a_name_that_sounds_like_the_operators(here: Here, username: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_sign_up(here, OPEN, replace(FORM, username=username))
    assert caught.value.fields == {"username": "reserved"}


async def test_an_open_instance_lets_people_in_at_once(store: Store, here: Here, keys: NewKeys) -> None:
    async with store.transaction("test") as tx:
        member = await sign_up(tx, here, OPEN, FORM, password_hash="x", keys=keys)
    assert member.may_sign_in
    assert member.email == "roy@lille.example"


async def test_where_addresses_are_confirmed_a_letter_is_promised_and_its_link_works_once(
    store: Store, here: Here, clock: FixedClock, keys: NewKeys
) -> None:
    rules = SignUpRules(mode="open", confirm="email")
    async with store.transaction("test") as tx:
        member = await sign_up(tx, here, rules, FORM, password_hash="x", keys=keys)
        (task,) = await tasks.due(tx, here.now(), 10)
    assert not member.may_sign_in
    assert task.payload["to"] == "roy@lille.example"
    token = task.payload["text"].split("token=")[1].split()[0]
    async with store.transaction("test") as tx:
        assert (await confirm(tx, here, token)).may_sign_in
    async with store.transaction("test") as tx:
        with pytest.raises(Gone):
            await confirm(tx, here, token)


@pytest.mark.case("F10")
async def test_a_forged_or_old_confirmation_is_refused(
    store: Store, here: Here, clock: FixedClock, people: People
) -> None:
    member = await people.member(confirmed=False)
    other = await people.member(confirmed=False)
    token = confirmation_token(here, member)
    id_, until, mac = token.split(".")
    async with store.transaction("test") as tx:
        for forged in (
            "",
            "..",
            "1.2.3",
            f"{other.account.id}.{until}.{mac}",
            f"{id_}.{until}0.{mac}",
            "9" * 500,
            "é.é.é",
        ):
            with pytest.raises(Invalid):
                await confirm(tx, here, forged)
        clock.advance(CONFIRM_WITHIN + 1)
        with pytest.raises(Gone):
            await confirm(tx, here, token)


async def test_with_approval_somebody_must_let_them_in(store: Store, here: Here, keys: NewKeys) -> None:
    rules = SignUpRules(mode="approval", confirm="none")
    async with store.transaction("test") as tx:
        member = await sign_up(tx, here, rules, FORM, password_hash="x", keys=keys)
    assert not member.may_sign_in


def test_a_closed_instance_takes_nobody(here: Here) -> None:
    with pytest.raises(Forbidden):
        check_sign_up(here, SignUpRules(mode="closed", confirm="none"), FORM)


@pytest.mark.case("F10")
def test_an_invitation_is_for_one_address_and_a_time(here: Here, clock: FixedClock) -> None:
    rules = SignUpRules(mode="invite", confirm="none")
    token = invite(here, FORM.email)

    def hand_in(token: str, email: str = FORM.email) -> None:
        form = SignUp(username="roy", email=email, password=FORM.password, agreement=True, invitation=token)
        check_sign_up(here, rules, form)

    hand_in(token)
    for forged, email in ((token, "other@lille.example"), (f"9{token}", FORM.email), ("", FORM.email)):
        with pytest.raises(Invalid) as caught:
            hand_in(forged, email)
        assert "invitation" in caught.value.fields
    clock.advance(INVITED_FOR + 1)
    with pytest.raises(Invalid):
        hand_in(token)


def test_a_form_says_everything_that_is_wrong_with_it(here: Here) -> None:
    with pytest.raises(Invalid) as caught:
        check_sign_up(here, OPEN, SignUp(username="a b", email="x", password="short", agreement=False))
    assert set(caught.value.fields) == {"username", "email", "password", "agreement"}
