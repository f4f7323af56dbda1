"""Reads the official vectors under tests/vectors and the keys printed with them."""

import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from medfed.activitypub import keys, multibase
from medfed.activitypub.keys import PrivateKey

ROOT = Path(__file__).parents[2] / "vectors"


def vector(name: str) -> Any:
    """A vector file, as JSON."""
    return json.loads(text(name))


def text(name: str) -> str:
    """A vector file, as it is."""
    return (ROOT / name).read_text(encoding="utf-8")


def secret_multikey(multikey: str) -> PrivateKey:
    """An Ed25519 secret key as the W3C vectors print it: multicodec 0x1300 and the seed."""
    seed = multibase.decode(multikey).removeprefix(b"\x80\x26")
    material = Ed25519PrivateKey.from_private_bytes(seed)
    return PrivateKey(public=keys.parse_multikey(public_multikey(material)), material=material)


def public_multikey(material: Ed25519PrivateKey) -> str:
    """The Multikey of a secret key's public half."""
    return multibase.encode_base58btc(b"\xed\x01" + material.public_key().public_bytes_raw())


def w3c_key() -> PrivateKey:
    """The key of the eddsa-jcs-2022 vectors, which the FEPs use too."""
    return secret_multikey(vector("vc-di-eddsa/keyPair.json")["privateKeyMultibase"])
