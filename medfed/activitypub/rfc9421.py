"""HTTP Message Signatures, RFC 9421: the part of it that requests between servers need.

The signature base is rebuilt from the very characters of Signature-Input: peers order parameters as they like,
and whoever serialises them anew verifies only their own.
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote, unquote_plus

from medfed.activitypub import digests
from medfed.activitypub.cavage import http_date
from medfed.activitypub.claims import (
    SignatureClaim,
    SignedRequest,
    check_key_id,
    check_window,
    normal_authority,
)
from medfed.activitypub.keys import KEY_NAMES, KeyKind, PrivateKey
from medfed.kernel import limits
from medfed.kernel.clock import SECOND, Millis
from medfed.kernel.errors import BadSignature

_EXPIRES_AFTER: Final = 300
LABEL: Final = "sig1"
KIND_OF: Final[Mapping[str, KeyKind]] = {"rsa-v1_5-sha256": "rsa", "ed25519": "ed25519"}
NAME_OF: Final[Mapping[KeyKind, str]] = {kind: name for name, kind in KIND_OF.items()}
DERIVED: Final = frozenset(
    {"@method", "@target-uri", "@authority", "@scheme", "@request-target", "@path", "@query", "@query-param"}
)
"""The derived components of a request (§ 2.2)."""
USUAL: Final = ("@method", "@target-uri", "content-digest")
"""What a signature of ours covers always, the digest where there is, or could be, a body."""
ACCEPTED: Final = 'sig1=("@method" "@target-uri" "content-digest");created'
"""What we ask deliveries to be signed like (§ 5.1, Accept-Signature)."""
ACCEPTED_OF_FETCHES: Final = 'sig1=("@method" "@target-uri");created'

# The grammar of structured fields (RFC 9651), as far as it reaches here.
_KEY: Final = r"[a-z*][a-z0-9_\-.*]*+"
_STRING: Final = r'"(?:[ !#-\[\]-~]|\\["\\])*+"'
_INTEGER: Final = r"-?[0-9]{1,15}+(?![.0-9])"
_OTHER: Final = r"-?[0-9]{1,12}\.[0-9]{1,3}|[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*+|:[A-Za-z0-9+/=]*+:|\?[01]"
_PARAMETER: Final = rf"; *+{_KEY}(?:=(?:{_STRING}|{_INTEGER}|{_OTHER}))?+"
_ITEM: Final = rf"{_STRING}(?:{_PARAMETER})*+"
_INPUT_MEMBER: Final = re.compile(
    rf"({_KEY})=(\( *+((?:{_ITEM}(?: ++|(?=\))))*+)\)((?:{_PARAMETER})*+))[ \t]*+(?:,[ \t]*+(?!$)|$)"
)
_SIGNATURE_MEMBER: Final = re.compile(rf"({_KEY})=:([A-Za-z0-9+/=]*+):[ \t]*+(?:,[ \t]*+(?!$)|$)")
_EACH_ITEM: Final = re.compile(rf"({_STRING})((?:{_PARAMETER})*+)")
_EACH_PARAMETER: Final = re.compile(rf"; *+({_KEY})(?:=(?:({_STRING})|({_INTEGER})|{_OTHER}))?+")
_ESCAPED: Final = re.compile(r'\\(["\\])')
_TO_ESCAPE: Final = re.compile(r'["\\]')


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureInput:
    """One member of Signature-Input. `raw` is its value, character by character."""

    label: str
    raw: str
    components: tuple["Component", ...]
    strings: Mapping[str, str]
    integers: Mapping[str, int]
    names: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One covered component: its identifier as written, its name, and for @query-param the parameter's name."""

    raw: str
    name: str
    parameter: str | None


def _covering(*names: str) -> tuple[str, tuple[Component, ...]]:
    """Components as our signatures list them: as they are written, and read."""
    components = tuple(Component(raw=f'"{name}"', name=name, parameter=None) for name in names)
    return f"({' '.join(component.raw for component in components)})", components


_SIGNS_TARGET: Final = _covering("@method", "@target-uri")
_SIGNS_BODY: Final = _covering("@method", "@target-uri", "content-digest")


def read(request: SignedRequest, now: Millis) -> SignatureClaim:
    """Read Signature-Input and Signature and check all that needs no key: form, coverage, time, digest.

    Of several labels (at most 3) the first one counts, whatever the others say. Raises BadSignature.
    """
    labelled = parse_input(_only(request, "signature-input"))
    chosen = labelled[0]
    signatures = _parse_signatures(_only(request, "signature"))
    if chosen.label not in signatures:
        raise BadSignature("Signature has nothing under the label of Signature-Input")
    created = _check_parameters(chosen, now)
    _check_coverage(request, chosen)
    if any(component.name == "content-digest" for component in chosen.components):
        digests.verify_content_digest(request.values("content-digest"), request.body)
    return SignatureClaim(
        key_id=chosen.strings["keyid"],
        scheme="rfc9421",
        created=created * SECOND,
        signature=signatures[chosen.label],
        bases=_bases(request, chosen),
        required=_required_kind(chosen),
        covered=tuple(component.name for component in chosen.components),
    )


def _bases(request: SignedRequest, member: SignatureInput) -> tuple[bytes, ...]:
    """What may have been signed: the request; or, when it fetches, the same with the fragment of a key of ours.

    Fedify fetches a key by its id and signs the whole id as @target-uri, fragment and all, which no request carries.
    """
    is_no_actor = request.target.count("/") > 2
    fragments = () if request.must_bind_body or is_no_actor else tuple(f"#{name}" for name in KEY_NAMES)
    targets = (request.target, *(request.target + fragment for fragment in fragments))
    return tuple(signature_base(replace(request, target=target), member) for target in targets)


def sign(
    request: SignedRequest,
    *,
    key_id: str,
    key: PrivateKey,
    now: Millis,
    covers: Sequence[Component] = (),
    label: str = LABEL,
    nonce: str = "",
    tag: str = "",
) -> dict[str, str]:
    """The headers to add: signature-input, signature, content-digest if the request must have one, or it is covered.

    `covers`, `nonce` and `tag` are what the verifier asked for; the method, the target and the body are covered
    whatever it asked. Raises BadSignature when something covered is not there.
    """
    headers = _added(request, covers, now)
    listed, components = _SIGNS_BODY if request.must_bind_body else _SIGNS_TARGET
    if covers or request.also_signed:
        listed, components = _listing(covers, components, request.also_signed)
    created = now // SECOND
    raw = f'{listed};created={created};expires={created + _EXPIRES_AFTER};keyid="{key_id}";alg="{NAME_OF[key.kind]}"'
    if nonce:
        raw += f";nonce={quoted(nonce)}"
    if tag:
        raw += f";tag={quoted(tag)}"
    signature = key.sign(_base(request, components, raw, extra=headers))
    headers["signature-input"] = f"{label}={raw}"
    headers["signature"] = f"{label}=:{base64.b64encode(signature).decode('ascii')}:"
    return headers


def _added(request: SignedRequest, covers: Sequence[Component], now: Millis) -> dict[str, str]:
    """Headers that the request is given so that they can be signed: digests, and a date, if they are wanted."""
    wanted = {component.name for component in covers}
    added: dict[str, str] = {}
    if request.must_bind_body or "content-digest" in wanted:
        added["content-digest"] = digests.content_digest(request.body)
    if "digest" in wanted:
        added["digest"] = digests.digest(request.body)
    if "date" in wanted:
        added["date"] = http_date(now)
    return added


def _listing(
    covers: Sequence[Component], usual: Sequence[Component], also: Sequence[str]
) -> tuple[str, tuple[Component, ...]]:
    """What is asked for, in its order, and then what of ours is missing."""
    named = {component.name for component in covers}
    own = [component for component in (*usual, *_covering(*also)[1]) if component.name not in named]
    components = (*covers, *own)
    return f"({' '.join(component.raw for component in components)})", components


def quoted(text: str) -> str:
    """A string as a structured field writes it (RFC 9651 § 4.1.6)."""
    return '"' + _TO_ESCAPE.sub(r"\\\g<0>", text) + '"'


def parse_input(header: str) -> tuple[SignatureInput, ...]:
    """Read a Signature-Input field: a dictionary of inner lists. Raises BadSignature."""
    members = [_input(match) for match in _members(_INPUT_MEMBER, header)]
    if len({member.label for member in members}) != len(members):
        raise BadSignature("Signature-Input has the same label twice")
    return tuple(members)


def signature_base(request: SignedRequest, member: SignatureInput, *, extra: Mapping[str, str] | None = None) -> bytes:
    """The bytes that are signed (§ 2.5), over the request's own headers or, before them, `extra` ones.

    Raises BadSignature when a covered component is unknown here or absent from the request.
    """
    return _base(request, member.components, member.raw, extra=extra or {})


def _base(request: SignedRequest, components: Sequence[Component], raw: str, *, extra: Mapping[str, str]) -> bytes:
    lines = [f"{component.raw}: {_value(request, component, extra)}" for component in components]
    lines.append(f'"@signature-params": {raw}')
    base = "\n".join(lines)
    # § 2.5: "the signature base MUST be ASCII", and a value cannot bring a line of its own.
    if not base.isascii() or base.count("\n") != len(lines) - 1 or "\r" in base:
        raise BadSignature("a signed component holds characters that cannot be signed")
    return base.encode("ascii")


def _only(request: SignedRequest, name: str) -> str:
    values = request.values(name)
    if len(values) != 1 or len(values[0]) > limits.SIGNATURE_HEADER:
        raise BadSignature(f"the request must carry exactly one {name} header")
    return values[0]


def _members(form: re.Pattern[str], header: str) -> list[re.Match[str]]:
    """The members of a structured dictionary, each of which has this form; at least one, at most 3."""
    matches: list[re.Match[str]] = []
    at = 0
    while at < len(header) or not matches:
        match = form.match(header, at)
        if match is None or len(matches) == limits.SIGNATURE_LABELS:
            raise BadSignature("the signature headers are malformed, or hold too many signatures")
        matches.append(match)
        at = match.end()
    return matches


def _input(match: re.Match[str]) -> SignatureInput:
    label, raw, items, parameters = match.groups()
    components = tuple(_component(item) for item in _EACH_ITEM.finditer(items))
    if len({(component.name, component.parameter) for component in components}) != len(components):
        raise BadSignature("the signature covers the same component twice")
    strings, integers, names = _parameters(parameters)
    return SignatureInput(label=label, raw=raw, components=components, strings=strings, integers=integers, names=names)


def _component(item: re.Match[str]) -> Component:
    strings, _, names = _parameters(item.group(2))
    name = _unquoted(item.group(1))
    expected = {"name"} if name == "@query-param" else set()
    # sf, key, bs, tr and req change what a component means; nobody here needs them, so nobody gets them.
    if names != expected or strings.keys() != expected:
        raise BadSignature(f"the parameters of the covered component {name} are not supported")
    return Component(raw=item.group(), name=name, parameter=strings.get("name"))


def _parameters(text: str) -> tuple[dict[str, str], dict[str, int], frozenset[str]]:
    """Parameters by type: the strings, the integers, and the names of them all."""
    strings: dict[str, str] = {}
    integers: dict[str, int] = {}
    names: set[str] = set()
    for match in _EACH_PARAMETER.finditer(text):
        name, string, integer = match.groups()
        if name in names:
            raise BadSignature("the signature has the same parameter twice")
        names.add(name)
        if string is not None:
            strings[name] = _unquoted(string)
        elif integer is not None:
            integers[name] = int(integer)
    return strings, integers, frozenset(names)


def _unquoted(string: str) -> str:
    return _ESCAPED.sub(r"\1", string[1:-1])


def _parse_signatures(header: str) -> dict[str, bytes]:
    signatures: dict[str, bytes] = {}
    for match in _members(_SIGNATURE_MEMBER, header):
        label, encoded = match.groups()
        if label in signatures:
            raise BadSignature("Signature has the same label twice")
        try:
            signatures[label] = base64.b64decode(encoded, validate=True)
        except binascii.Error as error:
            raise BadSignature("the signature is not valid base64") from error
    return signatures


def _check_parameters(member: SignatureInput, now: Millis) -> int:
    """Refuse parameters of the wrong type, and times out of the window; when it was made, in seconds."""
    if not (member.names & {"keyid", "alg", "nonce", "tag"}) <= member.strings.keys():
        raise BadSignature("a parameter of the signature is not a string")
    if not (member.names & {"created", "expires"}) <= member.integers.keys():
        raise BadSignature("the times of the signature must be integers")
    if "keyid" not in member.strings or "created" not in member.integers:
        raise BadSignature("the signature must say keyid and created")
    check_key_id(member.strings["keyid"])
    created = member.integers["created"]
    check_window(created, member.integers.get("expires"), now)
    return created


def _check_coverage(request: SignedRequest, member: SignatureInput) -> None:
    covered = {component.name for component in member.components}
    # A target without a query has no query to cover: one that is added makes the coverage insufficient.
    path = {"@path", "@query"} if "?" in request.target else {"@path"}
    whole_target = "@target-uri" in covered or (
        "@authority" in covered and ("@request-target" in covered or path <= covered)
    )
    if "@method" not in covered or not whole_target:
        raise BadSignature("the signature must cover @method and @target-uri")
    if request.must_bind_body and "content-digest" not in covered:
        raise BadSignature("the signature must cover content-digest")


def _required_kind(member: SignatureInput) -> KeyKind | None:
    name = member.strings.get("alg")
    if name is None:
        return None
    if name not in KIND_OF:
        raise BadSignature("the algorithm of the signature is not supported")
    return KIND_OF[name]


def _value(request: SignedRequest, component: Component, extra: Mapping[str, str]) -> str:
    if component.name.startswith("@"):
        return _derived(request, component)
    if component.name in extra:
        return extra[component.name]
    values = request.values(component.name)
    if not values:
        raise BadSignature(f"the signature covers {component.name}, which the request does not carry")
    return ", ".join(values)


def _derived(request: SignedRequest, component: Component) -> str:
    path, _, query = request.target.partition("?")
    authority = normal_authority(request.authority, request.scheme)
    match component.name:
        case "@method":
            return request.method
        case "@target-uri":
            return f"{request.scheme.lower()}://{authority}{request.target}"
        case "@authority":
            return authority
        case "@scheme":
            return request.scheme.lower()
        case "@request-target":
            return request.target
        case "@path":
            return path or "/"
        case "@query":
            # § 2.2.7: an absent query is signed as "the leading ? character alone".
            return f"?{query}"
        case "@query-param":
            return _query_parameter(query, component.parameter or "")
        case _:
            raise BadSignature(f"the covered component {component.name} is not supported")


def _query_parameter(query: str, wanted: str) -> str:
    """§ 2.2.8: name and value decoded as a form and percent-encoded anew; a repeated name cannot be signed."""
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    values = [_form_encoded(value) for name, _, value in pairs if _form_encoded(name) == wanted]
    if len(values) != 1:
        raise BadSignature("the signature covers a query parameter that is not there exactly once")
    return values[0]


def _form_encoded(text: str) -> str:
    return quote(unquote_plus(text), safe="*-._").replace("~", "%7E")
