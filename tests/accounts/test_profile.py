"""What members change about themselves, others hear, if they may."""

import orjson
import pytest
import pytest_asyncio

from medfed.accounts.peers import PeerLevels, set_level
from medfed.accounts.profile import Edited, ProfileEdit, edit, prefer
from medfed.activitypub.here import Here
from medfed.domain.accounts import Account, Member, ProfileField
from medfed.domain.peers import Level
from medfed.domain.relations import Follow
from medfed.kernel.errors import Invalid
from medfed.storage import accounts, outbox, relations
from medfed.storage.database import Store
from tests.accounts.conftest import People


@pytest_asyncio.fixture
async def levels(store: Store, here: Here) -> PeerLevels:
    """What an admin has said of peers, in the database and in memory."""
    known = PeerLevels("cautious", "lyon.example")
    async with store.transaction("judge") as tx:
        await set_level(tx, here, "evil.example", Level.BLOCKED, by="test")
    await known.reload(store)
    return known


async def follower_on(store: Store, here: Here, host: str, member: Member) -> None:
    uri = f"https://{host}/users/x"
    peer = Account(
        id=here.ids.new(),
        uri=uri,
        local=False,
        kind="Person",
        username="x",
        domain=host,
        host=host,
        inbox=f"{uri}/inbox",
    )
    async with store.transaction("test") as tx:
        id_ = await accounts.store(tx, peer)
        await relations.put(
            tx,
            Follow(
                id=here.ids.new(), uri=f"{uri}#follow", follower_id=id_, target_id=member.account.id, state="accepted"
            ),
        )


async def change(store: Store, here: Here, levels: PeerLevels, account: Account, wanted: ProfileEdit) -> Edited:
    async with store.transaction("test") as tx:
        return await edit(tx, here, levels, account, wanted)


async def test_an_edited_profile_is_stored_and_followers_are_told(
    store: Store, here: Here, people: People, levels: PeerLevels
) -> None:
    member = await people.member("roy")
    await follower_on(store, here, "lille.example", member)
    await follower_on(store, here, "evil.example", member)
    wanted = ProfileEdit(
        display_name="Dr\u202e Roy",
        bio="Cardiologue #Santé <script>",
        fields=[ProfileField(name="Ville", value="Lyon"), ProfileField(name="", value="dropped")],
        locked=True,
        avatar="a" * 32 + ".jpg",
    )
    edited = await change(store, here, levels, member.account, wanted)
    async with store.view() as view:
        stored = await accounts.get(view, member.account.id)
        owed = await outbox.overview(view)
        (delivery,) = await outbox.lane(view, "lille.example", 10)
    assert stored == edited.account
    assert (stored.display_name, stored.locked, stored.discoverable) == ("Dr Roy", True, True)
    assert stored.fields == (ProfileField(name="Ville", value="Lyon"),)
    assert "<script" not in stored.summary
    assert "https://lyon.example/tags/sante" in stored.summary
    assert [row["host"] for row in owed] == ["lille.example"]
    activity = orjson.loads(delivery.body)
    assert (activity["type"], activity["object"]["name"]) == ("Update", "Dr Roy")


async def test_a_replaced_picture_is_no_longer_used_and_an_unchanged_profile_is_not_announced(
    store: Store, here: Here, people: People, levels: PeerLevels
) -> None:
    member = await people.member()
    await follower_on(store, here, "lille.example", member)
    old, new = "a" * 32 + ".jpg", "b" * 32 + ".jpg"
    first = await change(store, here, levels, member.account, ProfileEdit(avatar=old, header=old))
    assert first.unused == ()
    assert (await change(store, here, levels, first.account, ProfileEdit(avatar=old))).unused == ()
    second = await change(store, here, levels, first.account, ProfileEdit(avatar=new))
    assert second.unused == ()
    third = await change(store, here, levels, second.account, ProfileEdit(header=""))
    assert third.unused == (old,)
    async with store.view() as view:
        assert len(await outbox.lane(view, "lille.example", 10)) == 3


@pytest.mark.case("H06")
@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (ProfileEdit(display_name="x" * 61), "display_name"),
        (ProfileEdit(bio="x" * 1_001), "note"),
        (ProfileEdit(fields=[ProfileField(name="x", value="y")] * 9), "fields_attributes"),
        (ProfileEdit(fields=[ProfileField(name="x", value="y" * 256)]), "fields_attributes"),
    ],
)
async def test_what_is_too_long_is_refused_by_name(
    store: Store, here: Here, people: People, levels: PeerLevels, wanted: ProfileEdit, field: str
) -> None:
    member = await people.member()
    with pytest.raises(Invalid) as caught:
        await change(store, here, levels, member.account, wanted)
    assert set(caught.value.fields) == {field}


async def test_preferences_are_kept_one_by_one(store: Store, here: Here, people: People) -> None:
    member = await people.member()
    async with store.transaction("test") as tx:
        once = await prefer(tx, here, member, visibility="followers", posting_language="fr-CA")
        await prefer(tx, here, once, language="en", sensitive=True, theme="dark")
        stored = await accounts.find_member(tx, member.account.id)
        assert stored is not None
        assert stored.language == "en"
        assert stored.preferences == {
            "visibility": "followers",
            "language": "fr-CA",
            "sensitive": True,
            "theme": "dark",
        }
        with pytest.raises(Invalid) as caught:
            await prefer(tx, here, member, language="xx", visibility="verified", theme="x", posting_language="<b>")
    assert set(caught.value.fields) == {"language", "visibility", "theme", "posting_language"}
