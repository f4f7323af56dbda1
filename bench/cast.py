"""A cast of scripted actors on many loopback hosts: their keys, their documents, and the activities they sign.

Shared by the scripted peer, the load generator, the benchmarks and the fault tests, each in a process of its own.
"""

import base64
import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from medfed.activitypub import cavage
from medfed.activitypub.claims import SignedRequest
from medfed.activitypub.keys import PrivateKey, generate_rsa, load_private
from medfed.kernel.clock import Millis, iso

PUBLIC = "https://www.w3.org/ns/activitystreams#Public"
_DISTINCT_KEYS = 4
"""RSA keys take 100 ms to make, so a few are shared out; each actor still has a key id of its own."""

_WORDS = (
    "<p>Patient vu en consultation ce matin pour une dyspnée d'effort progressive, sans douleur thoracique. "
    "L'auscultation retrouve un souffle systolique au foyer aortique, irradiant aux carotides. "
    "L'électrocardiogramme montre une hypertrophie ventriculaire gauche et l'échographie est demandée.</p>"
    '<p>Avis bienvenus, en particulier sur le délai. <a href="https://example.org/recommandations" '
    'rel="nofollow noopener" target="_blank"><span class="invisible">https://</span>'
    '<span class="ellipsis">example.org/recommandations</span></a> '
    '<a href="https://example.org/tags/cardiologie" class="mention hashtag" rel="tag">#<span>cardiologie</span></a></p>'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """One scripted actor."""

    host: str
    name: str
    key: PrivateKey

    @property
    def uri(self) -> str:
        """The actor's id."""
        return f"http://{self.host}/users/{self.name}"

    @property
    def key_id(self) -> str:
        """The id of its key."""
        return f"{self.uri}#main-key"

    def document(self) -> dict[str, Any]:
        """The actor document that its host serves."""
        return {
            "@context": ["https://www.w3.org/ns/activitystreams", "https://w3id.org/security/v1"],
            "id": self.uri,
            "type": "Person",
            "preferredUsername": self.name,
            "name": f"Dr {self.name}",
            "inbox": f"{self.uri}/inbox",
            "outbox": f"{self.uri}/outbox",
            "followers": f"{self.uri}/followers",
            "endpoints": {"sharedInbox": f"http://{self.host}/inbox"},
            "publicKey": {"id": self.key_id, "owner": self.uri, "publicKeyPem": self.key.public.pem},
        }

    def create(self, number: int, at: Millis, *, to: Sequence[str] = ()) -> dict[str, Any]:
        """A Create of a public Note as a large server writes it; `number` makes its ids."""
        published = iso(at)
        uri = f"{self.uri}/notes/{number}"
        followers = f"{self.uri}/followers"
        mentions = [{"type": "Mention", "href": href, "name": "@somebody"} for href in to]
        note = {
            "id": uri,
            "type": "Note",
            "summary": None,
            "inReplyTo": None,
            "published": published,
            "url": f"http://{self.host}/@{self.name}/{number}",
            "attributedTo": self.uri,
            "to": [PUBLIC],
            "cc": [followers, *to],
            "sensitive": False,
            "content": f"{_WORDS}<p>{number}</p>",
            "contentMap": {"fr": f"{_WORDS}<p>{number}</p>"},
            "attachment": [],
            "tag": [
                *mentions,
                {"type": "Hashtag", "href": f"http://{self.host}/tags/cardiologie", "name": "#cardiologie"},
            ],
        }
        return self.activity("Create", f"{uri}/activity", note, published=published, to=[PUBLIC], cc=[followers, *to])

    def activity(self, kind: str, id_: str, object_: object, **more: object) -> dict[str, Any]:
        """Any activity by this actor."""
        context = "https://www.w3.org/ns/activitystreams"
        return {"@context": context, "id": id_, "type": kind, "actor": self.uri, **more, "object": object_}

    def post(self, url: str, activity: object, at: Millis) -> bytes:
        """The whole signed request, as bytes for a socket."""
        body = json.dumps(activity).encode()
        parts = urlsplit(url)
        request = SignedRequest(
            method="POST",
            target=parts.path,
            scheme=parts.scheme,
            authority=parts.netloc,
            headers=(("content-type", "application/activity+json"),),
            body=body,
        )
        headers = cavage.sign(request, key_id=self.key_id, key=self.key, now=at)
        return as_request(parts.path, headers | {"content-type": "application/activity+json"}, body)


@dataclass(frozen=True)
class Cast:
    """Actors a0, a1 … on each of some hosts, which differ by address and share a port."""

    port: int
    hosts_count: int
    per_host: int
    secrets: tuple[str, ...]

    @classmethod
    def hire(cls, *, hosts: int, per_host: int) -> Self:
        """Make keys, and find a free port."""
        secrets = tuple(
            base64.b64encode(generate_rsa().to_pkcs8()).decode() for _ in range(min(_DISTINCT_KEYS, hosts * per_host))
        )
        return cls(port=free_port(), hosts_count=hosts, per_host=per_host, secrets=secrets)

    def save(self, path: Path) -> None:
        """Write what another process needs to be the same cast. These keys open nothing but a test."""
        values = {"port": self.port, "hosts": self.hosts_count, "per_host": self.per_host, "secrets": self.secrets}
        path.write_text(json.dumps(values))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote."""
        values = json.loads(path.read_text())
        secrets = tuple(values["secrets"])
        return cls(port=values["port"], hosts_count=values["hosts"], per_host=values["per_host"], secrets=secrets)

    @cached_property
    def addresses(self) -> list[str]:
        """The loopback addresses that are hosts here."""
        return [f"127.1.{number // 250}.{number % 250 + 1}" for number in range(self.hosts_count)]

    @cached_property
    def roles(self) -> list[Role]:
        """Everybody, host by host."""
        keys = [load_private(base64.b64decode(secret)) for secret in self.secrets]
        return [
            Role(host=f"{address}:{self.port}", name=f"a{number}", key=keys[(place + number) % len(keys)])
            for place, address in enumerate(self.addresses)
            for number in range(self.per_host)
        ]

    @property
    def control(self) -> str:
        """Where the peer is asked what it saw."""
        return f"{self.addresses[0]}:{self.port}"


def as_request(target: str, headers: dict[str, str], body: bytes) -> bytes:
    """A POST as bytes."""
    lines = [f"POST {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode() + body


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
