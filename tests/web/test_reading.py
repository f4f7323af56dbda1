"""Who sees what: a case for verified practitioners shows on no page of anybody else, not even in its head."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from medfed.cases import discuss
from medfed.domain.accounts import Account
from medfed.domain.cases import Case, CaseDraft
from medfed.domain.posts import Post
from medfed.kernel.clock import DAY
from medfed.storage import accounts, cases, credentials
from medfed.verification import revoke
from medfed.verification.attest import Statement, attest
from medfed.verification.issuer import create_key
from tests.support.world import Site, a_world
from tests.web.browser import Browser, visitor

SECRET = "Xanthochromie"
TITLE = "Vertige rotatoire aux urgences"


@dataclass(slots=True)
class Ward:
    """A hospital with a verified-only case and whoever looks at it."""

    site: Site
    case: Case
    post: Post
    answer: Post

    @property
    def pages(self) -> list[str]:
        """Every page that might give the case away."""
        return [
            "/", "/?tab=cases", "/?tab=local", "/about", "/cases", "/cases?specialty=neurology", "/cases?stage=urgent",
            f"/cases/{self.case.id}", f"/cases/{self.case.id}/edit", f"/@author/{self.post.id}", "/@author",
            "/@author?show=posts", "/@author?show=cases", f"/@reader/{self.answer.id}", "/@reader?show=posts",
            "/tags/vertige", f"/search?q={SECRET}", "/search?q=Vertige", f"/search?q={self.post.uri}", "/notifications",
            "/messages", f"/compose?in_reply_to={self.post.id}", f"/report?post={self.post.id}", "/directory",
        ]  # fmt: skip


async def attested(site: Site, username: str) -> Account:
    """A member whose attestation counts here."""
    account = await site.member(username)
    async with site.instance.store.transaction("attest") as tx:
        await create_key(tx, site.instance.here)
        statement = Statement(profession="physician", specialties=("neurology",), country="FR", assurance="substantial")
        await attest(tx, site.instance.here, account, statement, by="test", accepted=True)
    return account


def draft(**more: object) -> CaseDraft:
    """A case that may be published."""
    facts: dict[str, object] = {
        "title": TITLE,
        "presentation": f"{SECRET} au second tube. #vertige",
        "question": "Angioscanner d’emblée ?",
        "specialties": ("neurology",),
        "stage": "urgent",
        "audience": "verified",
        "language": "fr",
        **more,
    }
    return CaseDraft(**facts)  # type: ignore[arg-type]  # a builder of tests


async def opened(site: Site, author: Account, **more: object) -> tuple[Case, Post]:
    """A case, as it is stored."""
    async with site.instance.store.transaction("open case") as tx:
        _, post = await discuss.open_case(tx, site.instance.here, site.instance.levels, author, draft(**more))
        return (await cases.of_posts(tx, [post.id]))[post.id], post


@pytest.fixture
async def ward() -> AsyncIterator[Ward]:
    async with a_world("lyon.test") as world:
        site = world["lyon.test"]
        author = await attested(site, "author")
        await attested(site, "reader")
        for follower in ("reader", "stranger"):
            await site.member(follower)
            await site.follows(follower, "author")
        case, post = await opened(site, author)
        answer = await site.publishes("reader", f"{SECRET} : penser à l’HSA @stranger", reply_to=post)
        yield Ward(site=site, case=case, post=post, answer=answer)


@pytest.mark.case("M01", "M02", "M04", "M05", "M06")
@pytest.mark.parametrize("who", ["", "stranger", "boss"])
async def test_a_verified_only_case_is_on_no_page_of_whoever_is_not_recognised(ward: Ward, who: str) -> None:
    browser = await visitor(ward.site, who, role="admin" if who == "boss" else "member")
    for url in ward.pages:
        answer = await browser.get(url)
        shown = answer.text.replace(f'value="{SECRET}"', "").replace(f"q={SECRET}", "")
        assert SECRET not in shown, url
        assert TITLE not in shown, url
    for url in (f"/cases/{ward.case.id}", f"/@author/{ward.post.id}", f"/@reader/{ward.answer.id}"):
        assert (await browser.get(url)).status == 404
    nothing = await browser.get("/@author/999999")
    assert (await browser.get(f"/@author/{ward.post.id}")).text.count("<") == nothing.text.count("<")


@pytest.mark.case("M01")
@pytest.mark.parametrize("do", ["useful", "relay", "keep", "accept", "delete"])
async def test_whoever_may_not_read_a_post_cannot_do_anything_with_it(ward: Ward, do: str) -> None:
    browser = await visitor(ward.site, "stranger")
    assert (await browser.post(f"/posts/{ward.post.id}", {"do": do})).status == 404
    assert (await browser.post(f"/cases/{ward.case.id}/stage", {"stage": "solved"})).status == 404
    assert (await browser.post("/compose", {"content": "x", "in_reply_to": str(ward.post.id)})).status == 404
    kept = await ward.site.copy_of(ward.post)
    assert (kept.likes_count, kept.boosts_count, kept.replies_count) == (0, 0, 1)


async def test_a_recognised_reader_reads_the_case_and_its_discussion(ward: Ward) -> None:
    browser = await visitor(ward.site, "reader")
    page = await browser.get(f"/cases/{ward.case.id}")
    assert page.status == 200
    assert TITLE in page.text
    assert "penser à l’HSA" in page.text
    assert "<b>Neurologist</b>" in page.text
    assert "Attested practitioners" in page.text
    assert 'content="noindex, noarchive"' in page.text
    assert TITLE in (await browser.get("/cases")).text
    assert TITLE in (await browser.get("/")).text


@pytest.mark.case("M09")
async def test_who_loses_the_attestation_loses_the_case(ward: Ward) -> None:
    browser = await visitor(ward.site, "reader")
    assert (await browser.get(f"/cases/{ward.case.id}")).status == 200
    here = ward.site.instance.here
    async with ward.site.instance.store.transaction("revoke") as tx:
        account = await accounts.find_by_handle(tx, "reader", here.domain)
        assert account is not None
        issued = await credentials.attestations_of(tx, account.uri)
        await revoke.revoke(tx, here, issued[0].id, reason="fin de mandat", by="test")
    assert (await browser.get(f"/cases/{ward.case.id}")).status == 404
    assert TITLE not in (await browser.get("/")).text


@pytest.mark.case("M14")
async def test_an_answer_to_a_verified_only_case_is_for_the_same_readers(ward: Ward) -> None:
    browser = await visitor(ward.site, "reader")
    answer = await browser.post(
        "/compose",
        {"content": "Je suis d’accord", "in_reply_to": str(ward.post.id), "audience": "public", "do": "publish"},
    )
    assert answer.status == 303
    assert answer.location.startswith(f"/cases/{ward.case.id}#post-")
    written = int(answer.location.rpartition("-")[2])
    assert (await browser.get(f"/@reader/{written}")).status == 200
    assert (await (await visitor(ward.site)).get(f"/@reader/{written}")).status == 404


async def test_an_expired_attestation_opens_nothing(ward: Ward) -> None:
    browser = await visitor(ward.site, "reader")
    ward.site.world.clock.advance(500 * DAY)
    again = Browser(ward.site)
    await again.signs_in("reader")
    assert (await again.get(f"/cases/{ward.case.id}")).status == 404
    assert (await browser.get(f"/cases/{ward.case.id}")).status == 404


# ── messages, blocks, mutes ──────────────────────────────────────────────────────────────────────────────────


async def test_a_private_message_is_seen_by_those_it_names_and_nobody_else() -> None:
    async with a_world("lyon.test") as world:
        site = world["lyon.test"]
        await site.member("yanis")
        await site.member("third")
        await site.member("helene")
        await site.follows("third", "helene")
        post = await site.publishes("helene", f"@yanis {SECRET}", visibility="direct")
        yanis, third, helene = [await visitor(site, name) for name in ("yanis", "third", "helene")]
        for browser in (yanis, helene):
            assert SECRET in (await browser.get("/messages")).text
            assert (await browser.get(f"/@helene/{post.id}")).status == 200
            assert SECRET not in (await browser.get("/")).text
        assert SECRET in (await yanis.get("/notifications")).text
        for url in (
            "/",
            "/messages",
            "/notifications",
            f"/@helene/{post.id}",
            "/@helene?show=posts",
            f"/search?q={SECRET}",
        ):
            assert f"@yanis {SECRET}" not in (await third.get(url)).text
        assert (await third.get(f"/@helene/{post.id}")).status == 404


async def test_a_muted_colleague_is_not_on_the_home_and_a_blocked_one_nowhere() -> None:
    async with a_world("lyon.test") as world:
        site = world["lyon.test"]
        await site.member("helene")
        await site.member("yanis")
        await site.follows("helene", "yanis")
        await site.publishes("yanis", "Une phrase de Yanis")
        browser = await visitor(site, "helene")
        assert "Une phrase de Yanis" in (await browser.get("/")).text
        await browser.post("/@yanis", {"do": "mute"})
        assert "Une phrase de Yanis" not in (await browser.get("/")).text
        assert "Une phrase de Yanis" in (await browser.get("/@yanis?show=posts")).text
        await browser.post("/@yanis", {"do": "block"})
        assert "Une phrase de Yanis" not in (await browser.get("/@yanis?show=posts")).text


async def test_a_list_is_read_page_by_page_both_ways() -> None:
    async with a_world("lyon.test") as world:
        site = world["lyon.test"]
        for number in range(45):
            await site.publishes("helene", f"Message {number:02d}.")
        browser = await visitor(site)
        first = (await browser.get("/about")).text
        assert "Message 44." in first
        assert "Message 25." in first
        assert "Message 24." not in first
        older = _link(first, "older")
        second = (await browser.get(older)).text
        assert "Message 24." in second
        assert "Message 05." in second
        back = (await browser.get(_link(second, "newer"))).text
        assert "Message 44." in back
        last = (await browser.get(_link(second, "older"))).text
        assert "Message 00." in last
        assert 'href="/about?older=' not in last


def _link(page: str, name: str) -> str:
    found = re.search(rf'href="([^"]*{name}=[^"]*)"', page)
    assert found is not None
    return found[1].replace("&amp;", "&")


async def test_peers_content_reaches_a_page_only_as_clean_markup() -> None:
    async with a_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        await lille.member("roy", display_name="Roy <b>✅</b>")
        await lyon.member("helene")
        await world.follow("helene@lyon.test", "roy@lille.test")
        await lille.publishes("roy", "<script>alert(1)</script> bonjour @helene@lyon.test")
        await world.settle()
        page = (await (await visitor(lyon, "helene")).get("/")).text
        assert "bonjour" in page
        assert "<script>alert" not in page
        assert 'href="/@helene"' in page


@pytest.mark.case("M06")
async def test_an_answer_for_fewer_readers_is_not_even_counted() -> None:
    async with a_world("lyon.test") as world:
        site = world["lyon.test"]
        question = await site.publishes("helene", "Qui connaît ce protocole ?")
        await site.publishes("yanis", "@helene en privé", visibility="direct", reply_to=question)
        assert (await site.copy_of(question)).replies_count == 0
        await site.publishes("yanis", "Moi", reply_to=question)
        assert (await site.copy_of(question)).replies_count == 1
        page = (await (await visitor(site)).get(f"/@helene/{question.id}")).text
        assert "1 answer" in page
        assert "en privé" not in page
