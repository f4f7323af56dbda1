"""How admins see and judge peers, and keep the trust policy."""

from starlette.responses import Response

from medfed.api import models
from medfed.api.calls import Call
from medfed.api.entities import Entity
from medfed.domain.peers import Level, Mode, Peer, effective
from medfed.domain.policies import read_policy, to_document
from medfed.domain.trust import Effects
from medfed.edge import Json
from medfed.kernel.clock import Millis, iso
from medfed.kernel.errors import Invalid
from medfed.storage import peers
from medfed.verification import policy


async def list_peers(call: Call) -> Response:
    """Every peer that was met or judged."""
    async with call.store.view() as view:
        known = await peers.everyone(view)
    return Json([_peer(one, call.here.mode) for one in known])


async def judge_peer(call: Call) -> Response:
    """Say how far a peer is let in."""
    judgement = models.parse(models.PeerJudgement, call.params.raw)
    level = _level(judgement.level)
    domain = call.part("domain").strip().lower().rstrip(".")
    async with call.store.transaction("judge peer") as tx:
        await policy.set_level(tx, call.here, domain, level, by=call.account.acct, note=judgement.note)
        judged = await peers.find(tx, domain)
    await call.instance.levels.reload(call.store)
    return Json(_peer(judged or Peer(domain=domain, level=level), call.here.mode))


def _level(text: str | None) -> Level | None:
    if text is None:
        return None
    try:
        return Level(text)
    except ValueError:
        levels = ", ".join(level.value for level in Level)
        raise Invalid(f"{text[:40]!r} is not a level", {"level": f"is not one of {levels}"}) from None


def _peer(one: Peer, mode: Mode) -> Entity:
    return {
        "domain": one.domain,
        "level": effective(one, mode).value,
        "decided_by": "mode" if one.level is None else "admin",
        "note": one.note,
        "first_seen": _time(one.first_seen or None),
        "last_heard": _time(one.last_heard),
        "last_sent": _time(one.last_sent),
        "failing_since": _time(one.failing_since),
        "last_error": one.last_error,
    }


def _time(at: Millis | None) -> str | None:
    return None if at is None else iso(at)


async def show_policy(call: Call) -> Response:
    """The trust policy in force, with the levels of peers."""
    async with call.store.view() as view:
        return Json(to_document(await policy.current(view)))


async def try_policy(call: Call) -> Response:
    """What a policy would change, for whom; nothing is changed."""
    wanted = read_policy(call.params.raw)
    async with call.store.view() as view:
        return Json(_effects(await policy.dry_run(view, call.here, wanted)))


async def apply_policy(call: Call) -> Response:
    """Put a policy in force; its `version` is the one that it was made from, and 409 says that another came between."""
    wanted = read_policy(call.params.raw)
    async with call.store.transaction("apply policy") as tx:
        applied = await policy.apply(tx, call.here, wanted, base=wanted.version, by=call.account.acct)
    await call.instance.levels.reload(call.store)
    return Json(to_document(applied))


def _effects(effects: Effects) -> Entity:
    return {
        "opens": effects.opens,
        "follows_ended": effects.follows_ended,
        "peers": [
            {
                "domain": one.domain,
                "before": one.before.value,
                "after": one.after.value,
                "follows_ended": one.follows,
            }
            for one in effects.levels
        ],
        "attestations": [
            {
                "account": one.account,
                "uri": one.uri,
                "issuer": one.issuer,
                "before": one.before.value,
                "after": one.after.value,
                "reason": one.reason.text,
            }
            for one in effects.standings
        ],
    }
