"""Whose attestations count here, for what, and how far: the trust policy, and the one decision made with it."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from medfed.domain.credentials import (
    EMPLOYMENT,
    SKEW,
    Assurance,
    Claim,
    CredentialState,
    Reason,
    Step,
    lower_of,
    rank,
)
from medfed.domain.peers import Level
from medfed.kernel.clock import DAY, HOUR, Millis

STALE_GRACE: Final = 72 * HOUR
"""How long what is stale is still shown, without opening anything, before it counts for nothing."""
FOREVER: Final[Millis] = 2**62
NODES: Final = 64
"""How many lists one decision may walk through."""

Names: TypeAlias = frozenset[str] | None
"""What a scope admits; None: everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What an issuer may say and be believed."""

    types: Names = None
    jurisdictions: Names = None
    professions: Names = None
    specialties: Names = None
    max_assurance: Assurance = "high"

    def within(self, other: "Scope") -> "Scope":
        """What both admit: nobody can grant more than they were given."""
        return Scope(
            types=_both(self.types, other.types),
            jurisdictions=_both(self.jurisdictions, other.jurisdictions),
            professions=_both(self.professions, other.professions),
            specialties=_both(self.specialties, other.specialties),
            max_assurance=lower_of(self.max_assurance, other.max_assurance),
        )


def _both(one: Names, other: Names) -> Names:
    if one is None or other is None:
        return other if one is None else one
    return one & other


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line of the policy: an anchor that is believed itself, or whose signed list says who is.

    `subject_hosts`: only accounts on these hosts; None: anywhere. Ages are in milliseconds; `max_chain` counts lists.
    """

    id: str
    anchor: str
    via: Literal["direct", "list"] = "direct"
    scope: Scope = field(default_factory=Scope)
    min_assurance: Assurance = "low"
    max_chain: int = 2
    max_credential_age: Millis | None = None
    max_status_age: Millis = DAY
    on_stale: Literal["downgrade", "reject"] = "downgrade"
    subject_hosts: Names = None
    list_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustPolicy:
    """What an instance has decided, whole. `peers` holds their levels; None: this document does not speak of them."""

    version: int = 0
    rules: tuple[Rule, ...] = ()
    deny: tuple[str, ...] = ()
    revoked_keys: tuple[str, ...] = ()
    peers: Mapping[str, Level] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """An entry of a trust list. Any action but `issue` and `recognize` grants nothing."""

    did: str
    name: str
    action: str
    scope: Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustList:
    """A verified list of whom `did` recognises."""

    did: str
    name: str
    entries: tuple[Recognition, ...]
    valid_until: Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """All that decides, but for the credential: the policy, the levels of peers, the lists at hand.

    `trusted` and `blocked` are the identifiers of peers at these levels, `names` what issuers are called.
    """

    own: str
    own_name: str = ""
    policy: TrustPolicy = field(default_factory=TrustPolicy)
    trusted: frozenset[str] = frozenset()
    blocked: frozenset[str] = frozenset()
    lists: Mapping[str, TrustList] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusFact:
    """What a status list says of one credential; `raised` is None when no good list could be had."""

    purpose: Literal["revocation", "suspension"]
    raised: bool | None
    fetched_at: Millis = FOREVER
    valid_until: Millis = FOREVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A credential and what was found out about it, gathered beforehand.

    `proof_key` verified its proof; `issuer_keys` are those that the issuer lists today; `settled` is False while an
    admin has to confirm them; `bound` says whether the account holds the key that the credential was made for;
    `fault` is what makes it invalid whatever the policy says.
    """

    claim: Claim
    proof_key: str
    issuer_keys: frozenset[str]
    settled: bool = True
    bound: bool = True
    statuses: tuple[StatusFact, ...] = ()
    fault: Reason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """The credential counts here, as far as `assurance`, until `recheck_at`; `path` and `reason` say why."""

    assurance: Assurance
    reason: Reason
    path: tuple[Step, ...]
    recheck_at: Millis

    @property
    def state(self) -> CredentialState:
        """Trusted."""
        return CredentialState.TRUSTED


@dataclass(frozen=True, slots=True, kw_only=True)
class NotRecognised:
    """The credential does not count here; `recheck_at` is when time alone may change why."""

    state: CredentialState
    reason: Reason
    path: tuple[Step, ...]
    recheck_at: Millis


Decision: TypeAlias = Recognised | NotRecognised


def did_of(authority: str) -> str:
    """The did:web of a host[:port]."""
    return f"did:web:{authority.replace(':', '%3A')}"


def host_of(did: str) -> str:
    """The host[:port] of a did:web."""
    return did.removeprefix("did:web:").partition(":")[0].replace("%3A", ":")


def recognise(basis: Basis, evidence: Evidence, now: Millis) -> Decision:
    """Decide what a credential is worth here. Authentic and valid first, then the policy, then how fresh it is."""
    refused = _unsound(evidence, now) or _denied(basis, evidence) or _unconfirmed(evidence)
    if refused is not None:
        return refused
    grant = _best_grant(basis, evidence, now)
    if isinstance(grant, Reason):
        return _refuse(evidence, CredentialState.UNTRUSTED, grant)
    return _if_fresh(evidence, grant, now)


# ── before the policy ────────────────────────────────────────────────────────────────────────────────────────


def _refuse(
    evidence: Evidence,
    state: CredentialState,
    reason: Reason | str,
    *,
    recheck_at: Millis | None = None,
    path: tuple[Step, ...] = (),
) -> NotRecognised:
    claim = evidence.claim
    return NotRecognised(
        state=state,
        reason=reason if isinstance(reason, Reason) else Reason(code=reason, args={"issuer": _name(claim)}),
        path=path or (_issuer_step(claim),),
        recheck_at=claim.valid_until if recheck_at is None else min(recheck_at, claim.valid_until),
    )


def _name(claim: Claim) -> str:
    return claim.issuer_name or host_of(claim.issuer)


def _issuer_step(claim: Claim) -> Step:
    return Step(did=claim.issuer, name=_name(claim), role="issuer")


def _unsound(evidence: Evidence, now: Millis) -> NotRecognised | None:
    claim = evidence.claim
    if evidence.fault is not None:
        return _refuse(evidence, CredentialState.INVALID, evidence.fault)
    if now >= claim.valid_until:
        return _refuse(evidence, CredentialState.EXPIRED, "expired", recheck_at=FOREVER)
    if now < claim.valid_from - SKEW:
        return _refuse(evidence, CredentialState.INVALID, "not-yet-valid", recheck_at=claim.valid_from - SKEW)
    raised = {fact.purpose for fact in evidence.statuses if fact.raised}
    if "revocation" in raised:
        return _refuse(evidence, CredentialState.REVOKED, "revoked")
    if "suspension" in raised:
        return _refuse(evidence, CredentialState.SUSPENDED, "suspended")
    return None


def _denied(basis: Basis, evidence: Evidence) -> NotRecognised | None:
    issuer = evidence.claim.issuer
    if issuer != basis.own and (issuer in basis.policy.deny or issuer in basis.blocked):
        return _refuse(evidence, CredentialState.UNTRUSTED, "issuer-denied")
    if evidence.proof_key in basis.policy.revoked_keys:
        return _refuse(evidence, CredentialState.UNTRUSTED, "key-denied")
    return None


def _unconfirmed(evidence: Evidence) -> NotRecognised | None:
    if not evidence.settled:
        return _refuse(evidence, CredentialState.KEY_DISCONTINUITY, "issuer-keys")
    if evidence.proof_key not in evidence.issuer_keys:
        return _refuse(evidence, CredentialState.INVALID, "issuer-key-gone")
    if not evidence.bound:
        return _refuse(evidence, CredentialState.KEY_DISCONTINUITY, "subject-key")
    return None


# ── the policy ───────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grant:
    assurance: Assurance
    reason: Reason
    path: tuple[Step, ...]
    until: Millis
    rule: Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chain:
    """One way from an anchor to an issuer: what is left of the scope, over which lists, until when."""

    scope: Scope
    over: tuple[Step, ...] = ()
    until: Millis = FOREVER


def _best_grant(basis: Basis, evidence: Evidence, now: Millis) -> _Grant | Reason:
    claim = evidence.claim
    if claim.issuer == basis.own:
        return _own_grant(basis, claim)
    grants: list[_Grant] = []
    misses: list[Reason] = []
    for rule in rules_in_force(basis):
        for chain in _chains(basis, rule, claim.issuer):
            judged = _judge(basis, rule, chain, claim, now)
            if isinstance(judged, Reason):
                misses.append(judged)
            else:
                grants.append(judged)
    if grants:
        return max(grants, key=lambda grant: (grant.until > now, rank(grant.assurance), -len(grant.path)))
    return misses[0] if misses else Reason(code="issuer-unknown", args={"issuer": _name(claim)})


def _own_grant(basis: Basis, claim: Claim) -> _Grant:
    return _Grant(
        assurance=claim.supported_assurance,
        reason=Reason(code="own"),
        path=(_ours(basis),),
        until=FOREVER,
        rule=Rule(id="own", anchor=basis.own),
    )


def _ours(basis: Basis) -> Step:
    return Step(did=basis.own, name=basis.own_name or host_of(basis.own), role="yours")


def rules_in_force(basis: Basis) -> Iterator[Rule]:
    """The rules of the policy, and one for each trusted peer that none of them speaks of directly.

    `peer set D trusted` recognises D's issuer for everything, whoever the subject, up to high; a rule in the policy
    document, narrower or wider, takes its place.
    """
    yield from basis.policy.rules
    spoken_of = {rule.anchor for rule in basis.policy.rules if rule.via == "direct"}
    for did in sorted(basis.trusted - spoken_of):
        yield Rule(id="", anchor=did)


def _chains(basis: Basis, rule: Rule, issuer: str) -> Iterator[_Chain]:
    """Every way from the anchor of a rule to an issuer that is not longer than the rule allows."""
    if rule.via == "direct":
        if rule.anchor == issuer:
            yield _Chain(scope=rule.scope)
        return
    pending = deque([(rule.anchor, _Chain(scope=rule.scope))])
    for _ in range(NODES):
        if not pending:
            return
        did, chain = pending.popleft()
        found = basis.lists.get(did)
        if found is None or did in basis.policy.deny or did in basis.blocked:
            continue
        over = (*chain.over, Step(did=did, name=found.name or host_of(did), role="list"))
        until = min(chain.until, found.valid_until)
        for entry in found.entries:
            longer = _Chain(scope=chain.scope.within(entry.scope), over=over, until=until)
            if entry.action == "issue" and entry.did == issuer:
                yield longer
            elif _may_go_on(entry, over, rule, len(pending)):
                pending.append((entry.did, longer))


def _may_go_on(entry: Recognition, over: Sequence[Step], rule: Rule, waiting: int) -> bool:
    """Whether an entry leads on to another list: delegation is never implied, cycles are cut."""
    return (
        entry.action == "recognize"
        and len(over) < rule.max_chain
        and waiting < NODES
        and all(step.did != entry.did for step in over)
    )


def _judge(basis: Basis, rule: Rule, chain: _Chain, claim: Claim, now: Millis) -> _Grant | Reason:
    """What one rule, over one chain, makes of a claim."""
    refused = _outside(rule, chain.scope, claim)
    if refused is not None:
        return refused
    assurance = lower_of(claim.supported_assurance, chain.scope.max_assurance)
    if rank(assurance) < rank(rule.min_assurance):
        return Reason(code="assurance", args={"assurance": assurance, "minimum": rule.min_assurance})
    if rule.max_credential_age is not None and now >= claim.valid_from + rule.max_credential_age:
        return Reason(code="too-old")
    if now >= chain.until + (STALE_GRACE if rule.on_stale == "downgrade" else 0):
        return Reason(code="list-expired", args={"issuer": _name(claim)})
    too_old_at = FOREVER if rule.max_credential_age is None else claim.valid_from + rule.max_credential_age
    return _Grant(
        assurance=assurance,
        reason=_because(rule, claim),
        path=(_ours(basis), *chain.over, _issuer_step(claim)),
        until=min(chain.until, too_old_at),
        rule=rule,
    )


def _because(rule: Rule, claim: Claim) -> Reason:
    if rule.id:
        return Reason(code="rule", args={"rule": rule.id})
    return Reason(code="peer", args={"issuer": _name(claim)})


def _outside(rule: Rule, scope: Scope, claim: Claim) -> Reason | None:
    """The first thing about a claim that a scope does not admit."""
    issuer = _name(claim)
    for type_ in claim.types:
        if not _admits(scope.types, type_):
            return Reason(code="type", args={"issuer": issuer, "type": type_})
    if not _admits(_subject_hosts(rule, claim), claim.subject_host):
        return Reason(code="subject-host", args={"issuer": issuer, "host": claim.subject_host})
    if not _admits(scope.jurisdictions, claim.country):
        return Reason(code="jurisdiction", args={"issuer": issuer, "country": claim.country or "no country"})
    if not _admits(scope.professions, claim.profession):
        return Reason(code="profession", args={"issuer": issuer, "profession": claim.profession or "it names"})
    for specialty in claim.specialties:
        if not _admits(scope.specialties, specialty):
            return Reason(code="specialty", args={"issuer": issuer, "specialty": specialty})
    return None


def _admits(names: Names, name: str) -> bool:
    return names is None or name in names


def _subject_hosts(rule: Rule, claim: Claim) -> Names:
    """Employment is believed of the employer's own accounts only, unless a rule says otherwise."""
    if rule.subject_hosts is None and EMPLOYMENT in claim.types:
        return frozenset({host_of(claim.issuer)})
    return rule.subject_hosts


# ── after the policy ─────────────────────────────────────────────────────────────────────────────────────────


def _if_fresh(evidence: Evidence, grant: _Grant, now: Millis) -> Decision:
    """Trusted, unless the issuer has been silent for too long: then stale, and after that nothing (N07)."""
    claim = evidence.claim
    if any(fact.raised is None for fact in evidence.statuses):
        return _refuse(evidence, CredentialState.STALE, "status-unknown", path=grant.path)
    until = min((grant.until, claim.valid_until, *(_confirmed_until(fact, grant.rule) for fact in evidence.statuses)))
    if now < until:
        return Recognised(assurance=grant.assurance, reason=grant.reason, path=grant.path, recheck_at=until)
    grace = STALE_GRACE if grant.rule.on_stale == "downgrade" else 0
    if now < until + grace:
        return _refuse(evidence, CredentialState.STALE, "status-old", recheck_at=until + grace, path=grant.path)
    return _refuse(evidence, CredentialState.UNTRUSTED, "status-old")


def _confirmed_until(fact: StatusFact, rule: Rule) -> Millis:
    return min(fact.fetched_at + rule.max_status_age, fact.valid_until)


# ── what a change of policy would do ─────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A credential of an account, with what a decision needs."""

    account: str
    uri: str
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelChange:
    """A peer that would be let in further, or less far; `follows` is how many follows a block would end."""

    domain: str
    before: Level
    after: Level
    follows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingChange:
    """A credential that would stand differently."""

    account: str
    uri: str
    issuer: str
    before: CredentialState
    after: CredentialState
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """What would change, for whom."""

    levels: tuple[LevelChange, ...]
    standings: tuple[StandingChange, ...]

    @property
    def opens(self) -> bool:
        """Whether somebody would be let in further than today."""
        return any(_ORDER.index(each.after) > _ORDER.index(each.before) for each in self.levels) or any(
            each.after is CredentialState.TRUSTED for each in self.standings
        )

    @property
    def follows_ended(self) -> int:
        """How many follows, in both directions, would no longer carry anything."""
        return sum(each.follows for each in self.levels)


_ORDER: Final = list(Level)


def explain(
    before: Basis,
    after: Basis,
    *,
    levels: Iterable[tuple[str, Level, Level]],
    follows: Mapping[str, int],
    held: Iterable[Held],
    now: Millis,
) -> Effects:
    """Compare two policies on what is known: `levels` are (domain, before, after), `follows` counts by domain."""
    return Effects(
        levels=tuple(
            LevelChange(
                domain=domain, before=was, after=will_be, follows=_ended_follows(will_be, follows.get(domain, 0))
            )
            for domain, was, will_be in levels
            if was is not will_be
        ),
        standings=tuple(
            StandingChange(
                account=each.account,
                uri=each.uri,
                issuer=each.evidence.claim.issuer,
                before=was.state,
                after=will_be.state,
                reason=will_be.reason,
            )
            for each in held
            for was, will_be in [(recognise(before, each.evidence, now), recognise(after, each.evidence, now))]
            if was.state is not will_be.state
        ),
    )


def _ended_follows(level: Level, follows: int) -> int:
    return follows if level is Level.BLOCKED else 0
