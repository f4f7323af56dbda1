"""`medfed demo`: three instances on loopback, seeded through their client surface, federating over HTTP."""

import asyncio
import json
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from medfed.cli.demo import story
from medfed.cli.demo.house import LOOPBACK, DemoFailed, Running
from medfed.cli.demo.story import Place
from medfed.kernel.errors import MedfedError
from medfed.net.client import Net
from medfed.net.ports import free_ports

FIRST_PORT: Final = 8001
_PATIENCE: Final = 40.0
_FILES: Final = Path(__file__).resolve().parent


class Demo:
    """The story and the houses that it happens in."""

    def __init__(self, folder: Path, net: Net) -> None:
        ports = free_ports(len(story.HOUSES), FIRST_PORT)
        self.houses: dict[Place, Running] = {}
        for house, port in zip(story.HOUSES, ports, strict=True):
            own = folder / house.place
            own.mkdir()
            self.houses[house.place] = Running(house=house, port=port, folder=own, net=net)
        self.checks: list[str] = []

    @property
    def hospital(self) -> Running:
        """The CHU."""
        return self.houses["hospital"]

    @property
    def society(self) -> Running:
        """Those who attest cardiologists."""
        return self.houses["society"]

    @property
    def clinic(self) -> Running:
        """Whom nobody trusts yet."""
        return self.houses["clinic"]

    async def tell(self) -> None:
        """The whole story. Raises DemoFailed where it stops."""
        await _step("three instances, each with its own database, keys and process", self._build())
        await _step("the hospital and the society trust each other; the clinic is let in as a stranger", self._peers())
        await _step("colleagues follow each other across instances", self._follow())
        await _step("the society attests three practitioners; they accept; one attestation is revoked", self._attest())
        await _step("an urgent case for verified practitioners only, with an ECG", self._wellens())
        await _step("a public case, a poll, a few posts", self._chatter())

    async def stop(self) -> None:
        """Leave nothing running."""
        await asyncio.gather(*(house.stop() for house in self.houses.values()))

    # ── the chapters ─────────────────────────────────────────────────────────────────────────────────────────

    async def _build(self) -> None:
        await asyncio.gather(*(self._build_house(house) for house in self.houses.values()))

    async def _build_house(self, house: Running) -> None:
        people = [person for person in story.PEOPLE if person.place == house.house.place]
        await house.build(people)
        await house.serve()

    async def _peers(self) -> None:
        levels = (
            (self.hospital, self.society, "trusted"),
            (self.society, self.hospital, "trusted"),
            (self.hospital, self.clinic, "federated"),
            (self.society, self.clinic, "federated"),
            (self.clinic, self.hospital, "federated"),
            (self.clinic, self.society, "federated"),
        )
        await asyncio.gather(*(one.command("peer", "set", other.domain, level) for one, other, level in levels))

    async def _follow(self) -> None:
        for follower, who, followed, whom in (
            (self.hospital, "marchetti", self.society, "lindqvist"),
            (self.hospital, "marchetti", self.hospital, "belkacem"),
            (self.hospital, "marchetti", self.hospital, "vasseur"),
            (self.hospital, "marchetti", self.clinic, "harper"),
            (self.hospital, "belkacem", self.society, "lindqvist"),
            (self.society, "lindqvist", self.hospital, "belkacem"),
            (self.society, "lindqvist", self.hospital, "marchetti"),
            (self.society, "roussel", self.hospital, "vasseur"),
            (self.clinic, "harper", self.hospital, "belkacem"),
            (self.clinic, "harper", self.society, "lindqvist"),
        ):
            account = await follower.find(who, followed.handle(whom))
            await follower.post(who, f"/api/v1/accounts/{account['id']}/follow")
        account = await self.clinic.find("harper", self.hospital.handle("belkacem"))
        await self._until("the clinic’s follow is accepted", lambda: self._follows(account["id"]))

    async def _follows(self, account_id: str) -> bool:
        relationships = await self.clinic.get("harper", f"/api/v1/accounts/relationships?id[]={account_id}")
        return bool(relationships[0]["following"])

    async def _attest(self) -> None:
        offers = (
            ("marchetti", "physician", "cardiology"),
            ("belkacem", "physician", "emergency-medicine"),
            ("vasseur", "nurse", ""),
        )
        await asyncio.gather(
            *(
                self._issue(self.society, self.hospital.handle(name), profession, specialty)
                for name, profession, specialty in offers
            ),
            self._issue(self.society, "lindqvist", "physician", "cardiology"),
            self._issue(self.clinic, "harper", "physician", "dermatology"),
        )
        for username, _, _ in offers:
            await self._accept_offer(username)
        for username, _, _ in offers:
            await self._until_state(self.society, "lindqvist", self.hospital.handle(username), "trusted")
        await self._until_state(self.hospital, "marchetti", self.society.handle("lindqvist"), "trusted")
        await self._until_state(self.hospital, "marchetti", self.clinic.handle("harper"), "untrusted")
        await self._revoke("vasseur")
        await self._until_state(self.hospital, "marchetti", "@vasseur", "revoked")

    async def _issue(self, issuer: Running, whom: str, profession: str, specialty: str) -> None:
        chosen = ["--specialty", specialty] if specialty else []
        await issuer.command(
            "attest", "issue", whom, "--profession", profession, *chosen, "--country", "FR", "--level", "substantial",
        )  # fmt: skip

    async def _accept_offer(self, username: str) -> None:
        async def offered() -> bool:
            return bool(await self.hospital.get(username, "/api/medfed/v1/offers"))

        await self._until(f"the offer reaches {username}", offered)
        for offer in await self.hospital.get(username, "/api/medfed/v1/offers"):
            await self.hospital.post(username, f"/api/medfed/v1/offers/{offer['id']}/accept")

    async def _revoke(self, username: str) -> None:
        issued = json.loads(await self.society.command("attest", "list", "--json"))
        subject = self.hospital.handle(username).removeprefix("@")
        (id_,) = [attestation["id"] for attestation in issued if attestation["subject"] == subject]
        await self.society.command("attest", "revoke", id_, "--reason", "end of contract")

    async def _until_state(self, house: Running, who: str, handle: str, state: str) -> None:
        account = await house.find(who, handle)

        async def reached() -> bool:
            known = await house.get(who, f"/api/medfed/v1/accounts/{account['id']}/attestations")
            return any(attestation["state"] == state for attestation in known)

        await self._until(f"{house.house.name} shows {handle} as {state}", reached)

    async def _wellens(self) -> None:
        ecg = await self.hospital.upload("belkacem", _FILES / "ecg.png", story.WELLENS_ALT)
        case = await self.hospital.post("belkacem", "/api/medfed/v1/cases", story.WELLENS | {"media_ids": [ecg]})
        (_, first), (_, second) = story.WELLENS_ANSWERS
        copy = await self._copy_of(self.society, "lindqvist", case["uri"])
        await self.society.post(
            "lindqvist", "/api/v1/statuses", {"status": first, "in_reply_to_id": copy["status_id"], "language": "en"}
        )
        answer = await self._answer(case)
        await self.hospital.post(
            "belkacem", "/api/v1/statuses", {"status": second, "in_reply_to_id": answer["id"], "language": "fr"}
        )
        await self.hospital.post("belkacem", f"/api/medfed/v1/cases/{case['id']}/accept", {"status_id": answer["id"]})
        await self.hospital.post(
            "belkacem",
            f"/api/medfed/v1/cases/{case['id']}/stage",
            {"stage": "solved", "outcome": story.WELLENS_OUTCOME},
        )
        await self._until("the society sees the case solved", lambda: self._is_solved(copy["id"]))
        await self._not_elsewhere(case["uri"])

    async def _copy_of(self, house: Running, who: str, uri: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = []

        async def arrived() -> bool:
            found[:] = [case for case in await house.get(who, "/api/medfed/v1/cases") if case["uri"] == uri]
            return bool(found)

        await self._until(f"the case reaches {house.house.name}", arrived)
        return found[0]

    async def _answer(self, case: dict[str, Any]) -> dict[str, Any]:
        found: list[dict[str, Any]] = []

        async def arrived() -> bool:
            context = await self.hospital.get("belkacem", f"/api/v1/statuses/{case['status_id']}/context")
            found[:] = context["descendants"]
            return bool(found)

        await self._until("the answer comes back", arrived)
        return found[0]

    async def _is_solved(self, id_: str) -> bool:
        case = await self.society.get("lindqvist", f"/api/medfed/v1/cases/{id_}")
        return bool(case["stage"] == "solved")

    async def _not_elsewhere(self, uri: str) -> None:
        """Neither the clinic, nor a colleague whose attestation was revoked, sees anything of it."""
        for house, who in ((self.clinic, "harper"), (self.hospital, "vasseur")):
            shown = await house.get(who, "/api/medfed/v1/cases")
            if any(case["uri"] == uri for case in shown):
                raise DemoFailed(f"{who} sees a case that is for verified practitioners only")
        self.checks.append("a case for verified practitioners stayed among them")

    async def _chatter(self) -> None:
        skin = await self.clinic.upload("harper", _FILES / "skin.jpg", story.ANNULAR_ALT)
        await self.clinic.post("harper", "/api/medfed/v1/cases", story.ANNULAR | {"media_ids": [skin]})
        await self.hospital.post("vasseur", "/api/v1/statuses", {"status": story.ALARMS, "language": "fr"})
        poll = {"options": story.POLL["options"], "expires_in": 7 * 86_400}
        await self.society.post(
            "lindqvist", "/api/v1/statuses", {"status": story.POLL["text"], "poll": poll, "language": "en"}
        )
        greeting = await self.clinic.post("harper", "/api/v1/statuses", {"status": story.GREETING, "language": "en"})
        found: list[dict[str, Any]] = []

        async def arrived() -> bool:
            home = await self.hospital.get("marchetti", "/api/v1/timelines/home")
            found[:] = [status for status in home if status["uri"] == greeting["uri"]]
            return bool(found)

        await self._until("the clinic’s greeting reaches the hospital", arrived)
        await self.hospital.post(
            "marchetti",
            "/api/v1/statuses",
            {"status": f"{self.clinic.handle('harper')} {story.ANSWER_TO_GREETING}", "in_reply_to_id": found[0]["id"]},
        )
        await self.hospital.post("marchetti", f"/api/v1/statuses/{found[0]['id']}/favourite")

    async def _until(self, what: str, reached: Callable[[], Awaitable[bool]]) -> None:
        for _ in range(int(_PATIENCE / 0.2)):
            if await reached():
                self.checks.append(what)
                return
            await asyncio.sleep(0.2)
        raise DemoFailed(f"waited in vain: {what}")


async def _step(what: str, chapter: Awaitable[None]) -> None:
    _say(f"  · {what} …")
    await chapter


async def run(*, leave: bool) -> int:
    """Run the demo; `leave` ends it after the story (exit 0 if all of it happened, 1 if not)."""
    _say("medfed demo: a hospital, a society and a clinic on loopback")
    net = Net(allow_http=True, allow_networks=[LOOPBACK])
    with tempfile.TemporaryDirectory(prefix="medfed-demo-", ignore_cleanup_errors=True) as folder:
        demo = Demo(Path(folder), net)
        try:
            await demo.tell()
            _summary(demo, leave=leave)
            if not leave:
                await _interrupted()
        except MedfedError as error:
            _say(f"the demo stopped: {error}")
            for house in demo.houses.values():
                _say(f"--- {house.house.name}, end of log ---\n{house.last_words()}")
            return 1
        finally:
            await demo.stop()
            await net.aclose()
    return 0


def _summary(demo: Demo, *, leave: bool) -> None:
    _say(f"\n{len(demo.checks)} things were checked, all of them over HTTP between separate processes.\n")
    for house in demo.houses.values():
        names = ", ".join(person.username for person in story.PEOPLE if person.place == house.house.place)
        _say(f"  {house.house.name:32} {house.url}\n      sign in as {names}; password {story.PASSWORD}")
    if leave:
        return
    _say(
        "\nTry this:\n"
        f"  1. {demo.hospital.url}/sign-in as marchetti: the case of the woman with chest pain is in your home.\n"
        f"  2. {demo.society.url}/sign-in as lindqvist: the same case, on another instance, and your own answer kept.\n"
        f"  3. {demo.clinic.url}/sign-in as harper: there is no such case. Nobody trusts this clinic yet.\n"
        f"  4. {demo.hospital.url}/admin/policy as oyono: make a dry run, trust the clinic, look again.\n"
        "\nCtrl-C stops all of it."
    )


async def _interrupted() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, stop.set)
    await stop.wait()
    _say("\nstopping …")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
