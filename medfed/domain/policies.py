"""The trust policy as a document: read strictly and written back, as TOML for people and as JSON for programs."""

import difflib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, TypeVar

from medfed.domain.accounts import is_authority
from medfed.domain.codes import COUNTRIES, PROFESSIONS, SPECIALTIES
from medfed.domain.credentials import ASSURANCES, CREDENTIAL_TYPES, Assurance
from medfed.domain.peers import Level
from medfed.domain.trust import Names, Rule, Scope, TrustPolicy, did_of, host_of
from medfed.kernel.clock import DAY, HOUR, MINUTE, SECOND, Millis
from medfed.kernel.errors import Invalid

MOST_RULES: Final = 1_000
MOST_NAMES: Final = 5_000
LONGEST_CHAIN: Final = 5
_ANY: Final = "*"

_POLICY_KEYS: Final = ("version", "peers", "rules", "deny", "revoked_keys")
_RULE_KEYS: Final = (
    "id",
    "anchor",
    "via",
    "list_url",
    "max_chain",
    "accept",
    "min_assurance",
    "max_credential_age",
    "max_status_age",
    "on_stale",
    "subject_hosts",
)
_ACCEPT_KEYS: Final = ("credential_types", "jurisdictions", "professions", "specialties", "max_assurance")
_VIA: Final[tuple[Literal["direct", "list"], ...]] = ("direct", "list")
_ON_STALE: Final[tuple[Literal["downgrade", "reject"], ...]] = ("downgrade", "reject")

_RULE_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MULTIKEY: Final = re.compile(r"z[1-9A-HJ-NP-Za-km-z]{20,2000}")
_DURATION: Final = re.compile(r"P(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,5})M)?(?:(\d{1,5})S)?)?")
_CAMEL: Final = re.compile(r"(?<=[a-z])([A-Z])")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")

_Choice = TypeVar("_Choice", bound=str)


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────


def from_toml(text: str) -> TrustPolicy:
    """Read what `to_toml` writes. Raises Invalid with a sentence that says where and what."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"the policy is not valid TOML: {error}") from None
    return read_policy(document)


def from_json(text: str) -> TrustPolicy:
    """Read what `to_json` writes. Raises Invalid."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise Invalid("the policy is not valid JSON") from None
    if not isinstance(document, dict):
        raise Invalid("the policy is not a JSON object")
    return read_policy(document)


def read_policy(document: Mapping[str, Any]) -> TrustPolicy:
    """Read a parsed document; keys may be written in snake_case or camelCase. Raises Invalid."""
    given = _known(document, _POLICY_KEYS, "the policy")
    rules = given.get("rules", [])
    if not isinstance(rules, list) or len(rules) > MOST_RULES:
        raise Invalid(f"rules: a list of at most {MOST_RULES} tables")
    read = tuple(_rule(item, f"rule {place}") for place, item in enumerate(rules, 1))
    twice = _first_repeated(rule.id for rule in read)
    if twice is not None:
        raise Invalid(f"two rules are called {twice!r}")
    return TrustPolicy(
        version=_whole(given, "version", "the policy", default=0, least=0, most=2**53),
        rules=read,
        deny=tuple(_did(text, "deny") for text in _texts(given.get("deny", []), "deny")),
        revoked_keys=tuple(_key(text) for text in _texts(given.get("revoked_keys", []), "revoked_keys")),
        peers=_peers(given["peers"]) if "peers" in given else None,
    )


def _known(document: object, keys: tuple[str, ...], where: str) -> dict[str, Any]:
    """The members of a table, in snake_case. Raises Invalid for one that is not known."""
    if not isinstance(document, Mapping):
        raise Invalid(f"{where} is not a table")
    given = {_CAMEL.sub(lambda match: f"_{match[1].lower()}", str(name)): value for name, value in document.items()}
    for name in given:
        if name not in keys:
            nearest = difflib.get_close_matches(name, keys, n=1, cutoff=0.0)[0]
            raise Invalid(f"{where} has an unknown key {name[:60]!r}; did you mean {nearest!r}?")
    if len(given) < len(document):
        raise Invalid(f"{where} has one key in two spellings")
    return given


def _rule(item: object, where: str) -> Rule:
    given = _known(item, _RULE_KEYS, where)
    id_ = given.get("id")
    if not isinstance(id_, str) or not _RULE_ID.fullmatch(id_):
        raise Invalid(f"{where} needs an id of 1 to 64 letters, digits, '.', '_' or '-'")
    where = f"rule {id_!r}"
    return Rule(
        id=id_,
        anchor=_did(given.get("anchor"), f"{where}: anchor"),
        via=_choice(given.get("via", "direct"), _VIA, f"{where}: via"),
        list_url=_url(given.get("list_url", ""), f"{where}: list_url"),
        max_chain=_whole(given, "max_chain", where, default=2, least=1, most=LONGEST_CHAIN),
        scope=_scope(given.get("accept", {}), f"{where}: accept"),
        min_assurance=_assurance(given.get("min_assurance", "low"), f"{where}: min_assurance"),
        max_credential_age=_age(given.get("max_credential_age"), f"{where}: max_credential_age"),
        max_status_age=_age(given.get("max_status_age", "PT24H"), f"{where}: max_status_age") or DAY,
        on_stale=_choice(given.get("on_stale", "downgrade"), _ON_STALE, f"{where}: on_stale"),
        subject_hosts=_names(given.get("subject_hosts"), None, f"{where}: subject_hosts"),
    )


def _scope(item: object, where: str) -> Scope:
    given = _known(item, _ACCEPT_KEYS, where)
    return Scope(
        types=_names(given.get("credential_types"), CREDENTIAL_TYPES, f"{where}.credential_types"),
        jurisdictions=_names(given.get("jurisdictions"), COUNTRIES, f"{where}.jurisdictions"),
        professions=_names(given.get("professions"), PROFESSIONS, f"{where}.professions"),
        specialties=_names(given.get("specialties"), SPECIALTIES, f"{where}.specialties"),
        max_assurance=_assurance(given.get("max_assurance", "high"), f"{where}.max_assurance"),
    )


def _names(value: object, known: Iterable[str] | None, where: str) -> Names:
    """The names that are admitted; None, also for a list with "*" in it, admits all. `known` None: hosts."""
    if value is None:
        return None
    texts = _texts(value, where)
    if _ANY in texts:
        return None
    admissible = None if known is None else set(known)
    for text in texts:
        if admissible is None and not _is_exact_host(text):
            raise Invalid(f"{where}: {text[:80]!r} is not a host in lower case, such as chu.example")
        if admissible is not None and text not in admissible:
            raise Invalid(f"{where}: {text[:80]!r} is not known")
    return frozenset(texts)


def _is_exact_host(text: str) -> bool:
    return is_authority(text) and text == text.lower()


def _texts(value: object, where: str) -> list[str]:
    if not isinstance(value, list) or len(value) > MOST_NAMES or not all(isinstance(item, str) for item in value):
        raise Invalid(f"{where}: a list of at most {MOST_NAMES} strings")
    return value


def _did(value: object, where: str) -> str:
    """A did:web in its one canonical form: what is only like the name of an issuer names nobody (N16)."""
    if not isinstance(value, str) or did_of(host_of(value)) != value or not _is_exact_host(host_of(value)):
        raise Invalid(f"{where}: {str(value)[:80]!r} is not a did:web in lower case, such as did:web:chu.example")
    return value


def _key(text: str) -> str:
    if not _MULTIKEY.fullmatch(text):
        raise Invalid(f"revoked_keys: {text[:80]!r} is not a key; write it as publicKeyMultibase, such as z6Mk…")
    return text


def _url(value: object, where: str) -> str:
    if not isinstance(value, str) or (value and not value.startswith(("https://", "http://"))):
        raise Invalid(f"{where}: a URL")
    return value


def _choice(value: object, choices: tuple[_Choice, ...], where: str) -> _Choice:
    for choice in choices:
        if value == choice:
            return choice
    raise Invalid(f"{where}: {' or '.join(choices)}")


def _assurance(value: object, where: str) -> Assurance:
    return _choice(value, ASSURANCES, where)


def _whole(given: Mapping[str, Any], name: str, where: str, *, default: int, least: int, most: int) -> int:
    value = given.get(name, default)
    if type(value) is not int or not least <= value <= most:
        raise Invalid(f"{where}: {name} is a whole number from {least} to {most}")
    return value


def _age(value: object, where: str) -> Millis | None:
    """An ISO 8601 duration in days and smaller parts."""
    if value is None:
        return None
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    parts = [int(part or 0) for part in match.groups()] if match else []
    age = sum(part * unit for part, unit in zip(parts, (DAY, HOUR, MINUTE, SECOND), strict=False))
    if age <= 0:
        raise Invalid(f"{where}: a duration such as P400D or PT24H")
    return age


def _peers(value: object) -> dict[str, Level]:
    if not isinstance(value, Mapping) or len(value) > MOST_NAMES:
        raise Invalid(f"peers: a table of at most {MOST_NAMES} domains")
    found = {}
    for domain, level in value.items():
        if not isinstance(domain, str) or not _is_exact_host(domain):
            raise Invalid(f"peers: {str(domain)[:80]!r} is not a domain in lower case")
        found[domain] = _choice(level, tuple(Level), f"peers: {domain}")
    return found


def _first_repeated(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


# ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────


def to_document(policy: TrustPolicy) -> dict[str, Any]:
    """The policy as JSON carries it, in camelCase."""
    document: dict[str, Any] = {
        "version": policy.version,
        "rules": [_rule_document(rule) for rule in policy.rules],
        "deny": list(policy.deny),
        "revokedKeys": list(policy.revoked_keys),
    }
    if policy.peers is not None:
        document["peers"] = {domain: level.value for domain, level in sorted(policy.peers.items())}
    return document


def to_json(policy: TrustPolicy) -> str:
    """The policy as a JSON text."""
    return json.dumps(to_document(policy), ensure_ascii=False, indent=2)


def _rule_document(rule: Rule) -> dict[str, Any]:
    document: dict[str, Any] = {"id": rule.id, "anchor": rule.anchor, "via": rule.via}
    if rule.via == "list":
        document["maxChain"] = rule.max_chain
    if rule.list_url:
        document["listUrl"] = rule.list_url
    document["accept"] = _scope_document(rule.scope)
    document["minAssurance"] = rule.min_assurance
    if rule.max_credential_age is not None:
        document["maxCredentialAge"] = _duration(rule.max_credential_age)
    document["maxStatusAge"] = _duration(rule.max_status_age)
    document["onStale"] = rule.on_stale
    if rule.subject_hosts is not None:
        document["subjectHosts"] = sorted(rule.subject_hosts)
    return document


def _scope_document(scope: Scope) -> dict[str, Any]:
    document: dict[str, Any] = {
        "credentialTypes": _listed(scope.types),
        "jurisdictions": _listed(scope.jurisdictions),
    }
    if scope.professions is not None:
        document["professions"] = _listed(scope.professions)
    if scope.specialties is not None:
        document["specialties"] = _listed(scope.specialties)
    if scope.max_assurance != "high":
        document["maxAssurance"] = scope.max_assurance
    return document


def _listed(names: Names) -> list[str]:
    return [_ANY] if names is None else sorted(names)


def _duration(age: Millis) -> str:
    days, rest = divmod(age, DAY)
    hours, rest = divmod(rest, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    date = f"{days}D" if days else ""
    parts = ((hours, "H"), (minutes, "M"), (rest // SECOND, "S"))
    time = "".join(f"{number}{unit}" for number, unit in parts if number)
    return f"P{date}{f'T{time}' if time else ''}"


def to_toml(policy: TrustPolicy) -> str:
    """The policy as TOML, to be edited and applied again."""
    document = to_document(policy)
    lines = [_pair("version", document["version"]), _pair("deny", document["deny"])]
    lines.append(_pair("revoked_keys", document["revokedKeys"]))
    if "peers" in document:
        lines += ["", "[peers]", *(_pair(domain, level) for domain, level in document["peers"].items())]
    for rule in document["rules"]:
        accept = rule.pop("accept")
        lines += ["", "[[rules]]", *(_pair(_snake(name), value) for name, value in rule.items())]
        lines += ["[rules.accept]", *(_pair(_snake(name), value) for name, value in accept.items())]
    return "\n".join(lines) + "\n"


def _snake(name: str) -> str:
    return _CAMEL.sub(lambda match: f"_{match[1].lower()}", name)


def _pair(name: str, value: object) -> str:
    return f"{name if _BARE_KEY.fullmatch(name) else _value(name)} = {_value(value)}"


def _value(value: object) -> str:
    """Strings, whole numbers and lists of strings, which JSON and TOML write alike but for one character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
