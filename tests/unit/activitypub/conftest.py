"""One RSA key for the whole session: generating one takes longer than every test that uses it."""

import pytest

from medfed.activitypub import keys
from medfed.activitypub.keys import PrivateKey


@pytest.fixture(scope="session")
def rsa_key() -> PrivateKey:
    return keys.generate_rsa()


@pytest.fixture(scope="session")
def ed25519_key() -> PrivateKey:
    return keys.generate_ed25519()
