"""A small server whose signatures and proofs are those of bovine and apsig, two libraries that we did not write.

Boris lives here, and vera, who passes on what he says. The tests drive it through a second, private port, as they do
the peer on Fedify; it runs in an environment of its own, for what those libraries need is not what we need.
"""

import asyncio
import json
import sys
import uuid
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import apsig
import bovine.activitystreams
import bovine.clients.lookup_account
import bovine.clients.signed_http
import bovine.crypto
from aiohttp import ClientSession, web
from apsig.draft import Signer, Verifier
from apsig.rfc9421 import RFC9421Signer
from bovine.crypto.helper import content_digest_sha256_rfc_9530
from bovine.crypto.multibase import multibase_to_private_key
from bovine.crypto.types import CryptographicIdentifier, CryptographicSecret
from cryptography.hazmat.primitives.serialization import load_pem_private_key

ACTIVITY = "application/activity+json"


class Person:
    """Keys, documents, and what came to the inbox."""

    def __init__(self, origin: str, name: str) -> None:
        self.origin = origin
        self.name = name
        self.uri = f"{origin}/{name}"
        self.public_pem, self.private_pem = bovine.crypto.generate_rsa_public_private_key()
        self.ed25519 = bovine.crypto.generate_ed25519_private_key()
        self.proving_key = f"{self.uri}#ed25519-key"
        self.seen: list[dict[str, Any]] = []
        self.documents: dict[str, dict[str, Any]] = {}

    def actor(self) -> dict[str, Any]:
        """As bovine writes an actor."""
        did = bovine.crypto.private_key_to_did_key(self.ed25519)
        key = bovine.activitystreams.controller.Multikey(
            id=self.proving_key, controller=self.uri, multibase=did.removeprefix("did:key:")
        )
        actor: dict[str, Any] = bovine.activitystreams.Actor(
            id=self.uri,
            name=f"{self.name.title()} Petrov",
            preferred_username=self.name,
            inbox=f"{self.uri}/inbox",
            outbox=f"{self.uri}/outbox",
            followers=f"{self.uri}/followers",
            public_key=self.public_pem,
            public_key_name="main-key",
            assertion_method=[key],
        ).build(visibility=bovine.types.Visibility.OWNER)
        return actor

    def created(self, content: str, to: list[str]) -> dict[str, Any]:
        """A Create as bovine writes it."""
        activities, objects = bovine.activitystreams.factories_for_actor_object(
            self.actor(), id_generator=lambda: f"{self.uri}/{uuid.uuid4()}"
        )
        note = objects.note(content=content, to=set(to)).as_public().build()
        create: dict[str, Any] = activities.create(note).build()
        self.documents[note["id"]] = note
        return create

    def proven(self, document: dict[str, Any], by: str | None) -> dict[str, Any]:
        """With a proof, as one of the libraries makes it."""
        if by == "bovine":
            secret = CryptographicSecret.from_multibase(self.proving_key, self.ed25519)
            # It would fetch the contexts to add its own; there is no network here.
            document["@context"] = [document["@context"], "https://w3id.org/security/data-integrity/v2"]
            document = secret.sign_document(document)
        if by == "apsig":
            options = {
                "type": "DataIntegrityProof",
                "cryptosuite": "eddsa-jcs-2022",
                "proofPurpose": "assertionMethod",
                "verificationMethod": self.proving_key,
                "created": bovine.utils.now_isoformat(),
            }
            document = apsig.ProofSigner(multibase_to_private_key(self.ed25519)).sign(document, options)
        return document


async def deliver(sender: Person, session: ClientSession, inbox: str, body: str, by: str) -> dict[str, Any]:
    """POST to an inbox, signed by one of the libraries in one of its ways; what the other server said."""
    key_id = f"{sender.uri}#main-key"
    if by.startswith("bovine"):
        digest = content_digest_sha256_rfc_9530 if by == "bovine, content-digest" else None
        client = bovine.clients.signed_http.SignedHttpClient(session, key_id, sender.private_pem, digest)
        return await told(await client.post(inbox, body))
    private = load_pem_private_key(sender.private_pem.encode(), None)
    headers = {"content-type": ACTIVITY}
    if by == "apsig":
        headers = Signer(headers, private, "POST", inbox, key_id, body.encode()).sign()
    else:
        at = urlsplit(inbox)
        headers = RFC9421Signer(private, key_id).sign("POST", at.path, at.netloc, headers, body.encode())
    return await told(await session.post(inbox, data=body.encode(), headers=headers))


async def fetch(boris: Person, session: ClientSession, url: str, by: str | None) -> dict[str, Any]:
    """GET, signed by one of the libraries, or by none."""
    key_id = f"{boris.uri}#main-key"
    if by == "bovine":
        client = bovine.clients.signed_http.SignedHttpClient(session, key_id, boris.private_pem)
        return await told(await client.get(url))
    headers = {"accept": ACTIVITY}
    if by == "apsig":
        private = load_pem_private_key(boris.private_pem.encode(), None)
        headers = Signer(headers, private, "GET", url, key_id).sign()
    return await told(await session.get(url, headers=headers))


async def told(response: Any) -> dict[str, Any]:
    async with response:
        return {"status": response.status, "body": await response.text()}


# ── the inbox ────────────────────────────────────────────────────────────────────────────────────────────────


async def received(boris: Person, session: ClientSession, request: web.Request) -> web.Response:
    """What each library says of the signature and of the proof; 401 unless one of them is content with the request."""
    body = await request.read()
    headers = {name.lower(): value for name, value in request.headers.items()}
    document = json.loads(body)
    signer = await bovine_verdict(boris, session, request, headers, body)
    entry = {
        "type": document["type"],
        "scheme": "rfc9421" if "signature-input" in headers else "cavage",
        "bovine": signer,
        "apsig": await apsig_verdict(boris, session, request, headers, body),
        "document": document,
        "status": 202,
    }
    if not entry["bovine"] and not entry["apsig"]:
        entry["status"] = 401
    boris.seen.append(entry)
    return web.Response(status=entry["status"])


async def bovine_verdict(
    boris: Person, session: ClientSession, request: web.Request, headers: dict[str, str], body: bytes
) -> str | None:
    async def key(key_id: str) -> CryptographicIdentifier:
        return CryptographicIdentifier.from_public_key((await actor_of(boris, session, key_id))["publicKey"])

    async def raw() -> bytes:
        return body

    check = bovine.crypto.build_validate_http_signature_raw(key)
    owner: str | None = await check(request.method, f"{boris.origin}{request.path_qs}", headers, raw)
    return owner


async def apsig_verdict(
    boris: Person, session: ClientSession, request: web.Request, headers: dict[str, str], body: bytes
) -> str | None:
    if "signature-input" in headers:
        return None  # It knows no @target-uri, which is ours to cover.
    key_id = headers["signature"].partition('keyId="')[2].partition('"')[0]
    pem = (await actor_of(boris, session, key_id))["publicKey"]["publicKeyPem"]
    verified: str | None = Verifier(pem, request.method, f"{boris.origin}{request.path_qs}", headers, body).verify()
    return verified


async def actor_of(boris: Person, session: ClientSession, key_id: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((await fetch(boris, session, key_id.partition("#")[0], "bovine"))["body"])
    return found


async def proof_verdicts(boris: Person, session: ClientSession, document: dict[str, Any]) -> dict[str, bool]:
    """What each library says of a proof."""
    method = document["proof"]["verificationMethod"]
    keys = (await actor_of(boris, session, method))["assertionMethod"]
    (key,) = [each for each in keys if each["id"] == method]
    by_bovine = CryptographicIdentifier.from_multikey(key).verify_document(json.loads(json.dumps(document)))
    by_apsig = apsig.ProofVerifier(key["publicKeyMultibase"]).verify(json.loads(json.dumps(document)))
    return {"bovine": by_bovine == key["controller"], "apsig": by_apsig == method}


# ── the private port ─────────────────────────────────────────────────────────────────────────────────────────


def verbs(boris: Person, vera: Person, session: ClientSession) -> dict[str, Callable[..., Awaitable[Any]]]:
    """What the tests may ask for, one POST of JSON each."""

    async def find(resource: str, origin: str) -> str | None:
        at = f"{origin}/.well-known/webfinger"
        lookup = bovine.clients.lookup_account.lookup_with_webfinger
        found: str | None = await lookup(session, at, {"resource": resource})
        return found

    async def get(url: str, by: str | None) -> dict[str, Any]:
        return await fetch(boris, session, url, by)

    async def post(inbox: str, content: str, to: list[str], by: str) -> dict[str, Any]:
        document = boris.created(content, to)
        answer = await deliver(boris, session, inbox, json.dumps(document), by)
        return answer | {"uri": document["object"]["id"]}

    async def pass_on(inbox: str, content: str, to: list[str], proof: str, altered: bool) -> dict[str, Any]:
        document = boris.proven(boris.created(content, to), proof)
        if altered:
            document["object"]["content"] += " Nein."
        answer = await deliver(vera, session, inbox, json.dumps(document), "bovine")
        return answer | {"uri": document["object"]["id"]}

    async def follow(inbox: str, target: str, by: str) -> dict[str, Any]:
        activities, _ = bovine.activitystreams.factories_for_actor_object(
            boris.actor(), id_generator=lambda: f"{boris.uri}/{uuid.uuid4()}"
        )
        document = activities.follow(target).build()
        return await deliver(boris, session, inbox, json.dumps(document), by) | {"id": document["id"]}

    async def verify(document: dict[str, Any]) -> dict[str, bool]:
        return await proof_verdicts(boris, session, document)

    async def seen() -> list[dict[str, Any]]:
        return boris.seen

    return {
        "find": find,
        "get": get,
        "post": post,
        "pass-on": pass_on,
        "follow": follow,
        "verify": verify,
        "seen": seen,
    }


async def serve(port: int, control_port: int) -> None:
    origin = f"http://127.0.0.1:{port}"
    boris, vera = Person(origin, "boris"), Person(origin, "vera")
    async with ClientSession() as session:
        known = verbs(boris, vera, session)

        async def control(request: web.Request) -> web.Response:
            return web.json_response(await known[request.path[1:]](**json.loads(await request.read() or b"{}")))

        async def inbox(request: web.Request) -> web.Response:
            return await received(boris, session, request)

        async def actor(request: web.Request) -> web.Response:
            person = boris if request.path == "/boris" else vera
            return web.json_response(person.actor(), content_type=ACTIVITY)

        async def said(request: web.Request) -> web.Response:
            found = boris.documents.get(f"{boris.origin}{request.path}")
            return web.json_response(found, content_type=ACTIVITY, status=200 if found else 404)

        async def finger(request: web.Request) -> web.Response:
            asked = request.query.get("resource")
            for person in (boris, vera):
                if asked in (f"acct:{person.name}@127.0.0.1:{port}", person.uri):
                    links = [{"rel": "self", "type": ACTIVITY, "href": person.uri}]
                    found = {"subject": f"acct:{person.name}@127.0.0.1:{port}", "links": links}
                    return web.json_response(found, content_type="application/jrd+json")
            raise web.HTTPNotFound

        public, private = web.Application(), web.Application()
        public.router.add_get("/boris", actor)
        public.router.add_get("/vera", actor)
        public.router.add_post("/boris/inbox", inbox)
        public.router.add_get("/boris/{id}", said)
        public.router.add_get("/.well-known/webfinger", finger)
        private.router.add_post("/{verb}", control)
        for application, at in ((public, port), (private, control_port)):
            runner = web.AppRunner(application)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", at).start()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
