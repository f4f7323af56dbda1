"""A peer that does exactly what a test says: actors, documents and signatures, right ones and every kind of wrong one.

evil = Stranger(world, "evil.test")
mallory = evil.person("mallory")
answer = await mallory.sends(lyon, mallory.create("Bonjour", to=[PUBLIC]))
assert answer.status == 202
"""

import base64
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, TypeAlias

import orjson
from starlette.types import Message, Receive, Scope, Send

from medfed.activitypub import cavage, digests, proofs, rfc9421
from medfed.activitypub.claims import SignedRequest
from medfed.activitypub.keys import PrivateKey, generate_ed25519
from medfed.domain.posts import AS_PUBLIC
from medfed.kernel.clock import iso
from tests.support.world import Site, World, some_keys

Document: TypeAlias = dict[str, Any]
Header: TypeAlias = tuple[str, str]

PUBLIC = AS_PUBLIC
ACTIVITY_JSON = "application/activity+json"
_CONTEXT = ["https://www.w3.org/ns/activitystreams", "https://w3id.org/security/v1"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a site said."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def json(self) -> Any:
        """The body, read."""
        return orjson.loads(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A request that is about to be sent; forgeries change it. Headers may come twice."""

    method: str = "POST"
    target: str = "/inbox"
    authority: str
    headers: tuple[Header, ...] = ()
    body: bytes = b""

    @property
    def request(self) -> SignedRequest:
        """The letter as signatures see it."""
        return SignedRequest(
            method=self.method,
            target=self.target,
            scheme="https",
            authority=self.authority,
            headers=self.headers,
            body=self.body,
        )

    def value(self, name: str) -> str:
        """The first value of a header."""
        return next(value for header, value in self.headers if header == name)

    def with_headers(self, **changes: str | None) -> "Letter":
        """The letter with headers set, or taken away (None). Underscores stand for hyphens."""
        given = {name.replace("_", "-"): value for name, value in changes.items()}
        kept = [header for header in self.headers if header[0] not in given]
        added = [(name, value) for name, value in given.items() if value is not None]
        return replace(self, headers=(*kept, *added))

    def also(self, name: str, value: str) -> "Letter":
        """The letter with one more header, whether or not there is one of this name."""
        return replace(self, headers=(*self.headers, (name, value)))

    async def send(self, site: Site) -> Answer:
        """Hand the letter to a site's application. A crash is an answer of 500, as it would be on a socket."""
        status, headers, parts = 500, {}, []
        path, mark, query = self.target.partition("?")
        waiting = [{"type": "http.request", "body": self.body, "more_body": False}]

        async def receive() -> Message:
            return waiting.pop() if waiting else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers.update({name.decode(): value.decode("latin-1") for name, value in message["headers"]})
            else:
                parts.append(message.get("body", b""))

        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "https",
            "path": path,
            "raw_path": path.encode("latin-1"),
            "query_string": query.encode("latin-1") if mark else b"",
            "root_path": "",
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.headers],
            "client": ("198.51.100.7", 40_000),
            "server": (self.authority, 443),
            "state": {},
        }
        try:
            await site.app(scope, receive, send)
        except Exception as error:  # noqa: BLE001  (whatever it is, the peer sees a 500)
            site.world.internet.crashes.append(error)
            status = 500
        return Answer(status=status, headers=headers, body=b"".join(parts))


# ── signing by hand ──────────────────────────────────────────────────────────────────────────────────────────


def signed(letter: Letter, scheme: str, key_id: str, key: PrivateKey, now: int) -> Letter:
    """The letter, signed as this project signs."""
    sign = rfc9421.sign if scheme == "rfc9421" else cavage.sign
    return letter.with_headers(**{"host": letter.authority, **sign(letter.request, key_id=key_id, key=key, now=now)})


def signed_cavage(
    letter: Letter,
    key_id: str,
    key: PrivateKey,
    now: int,
    *,
    covered: Sequence[str] = ("(request-target)", "host", "date", "digest"),
    algorithm: str | None = "rsa-sha256",
    created: int | None = None,
    expires: int | None = None,
    **headers: str | None,
) -> Letter:
    """The letter, signed over exactly `covered`; `headers` replace host, date and digest."""
    dressed = letter.with_headers(
        host=letter.authority, date=cavage.http_date(now), digest=digests.digest(letter.body)
    ).with_headers(**headers)
    base = cavage.signing_string(dressed.request, covered, created=created, expires=expires)
    times = "".join(f",{name}={at}" for name, at in (("created", created), ("expires", expires)) if at is not None)
    label = f',algorithm="{algorithm}"' if algorithm is not None else ""
    value = f'keyId="{key_id}"{label}{times},headers="{" ".join(covered)}",signature="{_base64(key.sign(base))}"'
    return dressed.with_headers(signature=value)


def signed_rfc9421(
    letter: Letter,
    key_id: str,
    key: PrivateKey,
    now: int,
    *,
    covered: Sequence[str] = ("@method", "@target-uri", "content-digest"),
    parameters: str | None = None,
    label: str = "sig1",
    **headers: str | None,
) -> Letter:
    """The letter, signed over exactly `covered` with exactly `parameters` (after the key id)."""
    dressed = letter.with_headers(
        host=letter.authority, content_digest=digests.content_digest(letter.body)
    ).with_headers(**headers)
    components = " ".join(f'"{name}"' for name in covered)
    tail = f";created={now // 1000}" if parameters is None else parameters
    raw = f'({components}){tail};keyid="{key_id}"'
    (member,) = rfc9421.parse_input(f"{label}={raw}")
    base = rfc9421.signature_base(dressed.request, member)
    return dressed.with_headers(signature_input=f"{label}={raw}", signature=f"{label}=:{_base64(key.sign(base))}:")


# ── the peer ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class Stranger:
    """A scripted server. `documents` maps a path to what it serves there: a document, or a bare status."""

    world: World
    authority: str
    documents: dict[str, Document | int] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """Paths of the documents that were asked for, in order."""
    received: list[Document] = field(default_factory=list)
    """Activities that were delivered here and answered with success, in order."""
    answers: list[tuple[int, Mapping[str, str]]] = field(default_factory=list)
    """What the next deliveries are answered with, first come first served; afterwards 202."""
    always: tuple[int, Mapping[str, str]] | None = None
    """What every delivery is answered with, once `answers` are used up."""
    judge: "Callable[[SignedRequest], tuple[int, Mapping[str, str]] | None] | None" = None
    """Looks at every request first; what it answers with, unless that is None, is the answer."""
    subjects: dict[str, tuple[str, str]] = field(default_factory=dict)
    """What WebFinger says of a name, where that is not the truth: (name@domain, actor id)."""
    content_type: str = ACTIVITY_JSON
    _serial: "count[int]" = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.world.internet.register(self.authority, self._serve)

    @property
    def base(self) -> str:
        """Where its documents are."""
        return f"https://{self.authority}"

    def person(self, name: str, **members: Any) -> "Puppet":
        """An actor with keys and a document, found by WebFinger; `members` are put into the document."""
        puppet = Puppet(home=self, name=name, rsa=some_keys().rsa, ed25519=generate_ed25519())
        self.documents[f"/users/{name}"] = puppet.document(**members)
        return puppet

    def instance_actor(self) -> "Puppet":
        """The Application actor of this peer."""
        return self.person("instance", type="Application")

    def serves(self, path: str, document: Document | int) -> str:
        """From now on, this is at `path`; its URL."""
        self.documents[path] = document
        return self.base + path

    def new_id(self, kind: str) -> str:
        """An id of this host that was not used before."""
        return f"{self.base}/{kind}/{next(self._serial)}-{secrets.token_hex(3)}"

    def heard(self, kind: str) -> list[Document]:
        """Activities of one type that were delivered here."""
        return [activity for activity in self.received if activity["type"] == kind]

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = (await receive()).get("body", b"")
        judged = self.judge(self._as_signed(scope, body)) if self.judge is not None else None
        if judged is not None and judged[0] >= 300:
            await _answer(send, *judged)
            return
        if scope["method"] == "POST":
            await self._take(body, judged, send)
            return
        path = scope["path"]
        query = scope["query_string"].decode()
        self.asked.append(f"{path}?{query}" if query else path)
        if path in self.redirects:
            await _answer(send, 302, {"location": self.redirects[path]})
            return
        if path == "/.well-known/webfinger":
            await self._find(query, send)
            return
        found = self.documents.get(path, 404)
        if isinstance(found, int):
            await _answer(send, found, {})
            return
        await _answer(send, 200, {"content-type": self.content_type}, orjson.dumps(found))

    async def _find(self, query: str, send: Send) -> None:
        name = query.partition("acct:")[2].partition("@")[0]
        subject, href = self.subjects.get(name, (f"{name}@{self.authority}", f"{self.base}/users/{name}"))
        if name not in self.subjects and f"/users/{name}" not in self.documents:
            await _answer(send, 404, {})
            return
        link = {"rel": "self", "type": ACTIVITY_JSON, "href": href}
        body = orjson.dumps({"subject": f"acct:{subject}", "links": [link]})
        await _answer(send, 200, {"content-type": "application/jrd+json"}, body)

    def _as_signed(self, scope: Scope, body: bytes) -> SignedRequest:
        query = scope["query_string"].decode()
        return SignedRequest(
            method=scope["method"],
            target=scope["raw_path"].decode() + (f"?{query}" if query else ""),
            scheme="https",
            authority=self.authority,
            headers=[(name.decode(), value.decode("latin-1")) for name, value in scope["headers"]],
            body=body,
        )

    async def _take(self, body: bytes, judged: tuple[int, Mapping[str, str]] | None, send: Send) -> None:
        status, headers = judged or (self.answers.pop(0) if self.answers else self.always or (202, {}))
        if status < 300:
            self.received.append(orjson.loads(body))
        await _answer(send, status, headers)


async def _answer(send: Send, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


@dataclass(slots=True)
class Puppet:
    """An actor of a stranger, with its keys; says what the test wants said."""

    home: Stranger
    name: str
    rsa: PrivateKey
    ed25519: PrivateKey
    key_name: str = "main-key"

    @property
    def uri(self) -> str:
        """Its id."""
        return f"{self.home.base}/users/{self.name}"

    @property
    def key_id(self) -> str:
        """The id of its RSA key."""
        return f"{self.uri}#{self.key_name}"

    @property
    def handle(self) -> str:
        """name@domain."""
        return f"{self.name}@{self.home.authority}"

    @property
    def followers(self) -> str:
        """Its followers collection."""
        return f"{self.uri}/followers"

    def document(self, **members: Any) -> Document:
        """The actor document. A member given as None is left out."""
        document: Document = {
            "@context": _CONTEXT,
            "id": self.uri,
            "type": "Person",
            "preferredUsername": self.name,
            "name": self.name.title(),
            "inbox": f"{self.uri}/inbox",
            "outbox": f"{self.uri}/outbox",
            "followers": self.followers,
            "following": f"{self.uri}/following",
            "endpoints": {"sharedInbox": f"{self.home.base}/inbox"},
            "publicKey": {"id": self.key_id, "owner": self.uri, "publicKeyPem": self.rsa.public.pem},
            "assertionMethod": [
                {
                    "id": f"{self.uri}#ed25519-key",
                    "type": "Multikey",
                    "controller": self.uri,
                    "publicKeyMultibase": self.ed25519.public.multikey,
                }
            ],
        }
        return {name: value for name, value in (document | members).items() if value is not None}

    def changes_keys(self, *, name: str | None = None) -> None:
        """Rotate: new keys, under the same ids or under a new name, and a new document."""
        self.rsa, self.ed25519 = _another(self.rsa), generate_ed25519()
        self.key_name = name or self.key_name
        self.home.documents[f"/users/{self.name}"] = self.document()

    def vanishes(self, status: int = 410) -> None:
        """From now on its document answers with a bare status."""
        self.home.documents[f"/users/{self.name}"] = status

    # ── what it says ─────────────────────────────────────────────────────────────────────────────────────────

    def activity(self, kind: str, object_: Any, **members: Any) -> Document:
        """An activity by this actor. A member given as None is left out."""
        document: Document = {
            "@context": _CONTEXT[0],
            "id": self.home.new_id("activities"),
            "type": kind,
            "actor": self.uri,
            "object": object_,
        }
        return {name: value for name, value in (document | members).items() if value is not None}

    def note(self, content: str = "<p>Bonjour</p>", **members: Any) -> Document:
        """A public Note by this actor, served under its id. A member given as None is left out."""
        document: Document = {
            "id": self.home.new_id("notes"),
            "type": "Note",
            "attributedTo": self.uri,
            "content": content,
            "published": iso(self.home.world.clock.now()),
            "to": [PUBLIC],
            "cc": [self.followers],
        }
        document = {name: value for name, value in (document | members).items() if value is not None}
        if isinstance(document.get("id"), str) and document["id"].startswith(self.home.base + "/"):
            self.home.documents[document["id"].removeprefix(self.home.base)] = {"@context": _CONTEXT[0], **document}
        return document

    def create(self, content: str | Document = "<p>Bonjour</p>", **members: Any) -> Document:
        """A Create of a note."""
        note = content if isinstance(content, dict) else self.note(content, **members)
        return self.activity("Create", note, to=note.get("to"), cc=note.get("cc"))

    def undo(self, activity: Document) -> Document:
        """An Undo of an activity."""
        return self.activity("Undo", {name: value for name, value in activity.items() if name != "@context"})

    def proven(self, activity: Document) -> Document:
        """The activity with this actor's own proof (FEP-8b32)."""
        return dict(
            proofs.sign(
                activity,
                key=self.ed25519,
                verification_method=f"{self.uri}#ed25519-key",
                created=self.home.world.clock.now(),
            )
        )

    # ── how it says it ───────────────────────────────────────────────────────────────────────────────────────

    def letter(self, site: Site, activity: Document | bytes, *, target: str = "/inbox") -> Letter:
        """A delivery that is not signed yet."""
        body = activity if isinstance(activity, bytes) else orjson.dumps(activity)
        return Letter(
            authority=site.instance.here.uris.authority,
            target=target,
            headers=(("content-type", ACTIVITY_JSON),),
            body=body,
        )

    def signs(self, letter: Letter, scheme: str = "cavage") -> Letter:
        """A delivery, signed rightly."""
        return signed(letter, scheme, self.key_id, self.rsa, self.home.world.clock.now())

    async def sends(
        self, site: Site, activity: Document | bytes, *, target: str = "/inbox", scheme: str = "cavage"
    ) -> Answer:
        """Deliver an activity, signed rightly."""
        return await self.signs(self.letter(site, activity, target=target), scheme).send(site)

    async def tells(self, site: Site, activity: Document) -> str:
        """Deliver an activity and let it be applied: what the site's log says about it, "state: note"."""
        answer = await self.sends(site, activity)
        assert answer.status == 202, (answer.status, answer.body)
        await self.home.world.settle()
        return await site.became(activity["id"])

    async def asks(self, site: Site, target: str, scheme: str = "cavage") -> Answer:
        """GET a document of a site, signed."""
        return await self.signs(get_letter(site, target), scheme).send(site)


def get_letter(site: Site, target: str, *, accept: str = ACTIVITY_JSON) -> Letter:
    """A GET that is not signed; `target` is a path or a URL of the site."""
    authority = site.instance.here.uris.authority
    path = target.removeprefix(site.instance.here.uris.base)
    return Letter(method="GET", authority=authority, target=path, headers=(("host", authority), ("accept", accept)))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _another(key: PrivateKey) -> PrivateKey:
    while True:
        candidate = some_keys().rsa
        if candidate.public != key.public:
            return candidate
