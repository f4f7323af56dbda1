"""A served instance, and a member of it for the clients to meet."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from tests.interop.servers import Medfed, Member

PASSWORD = "a long enough password 7"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here is slow, as clients are processes of their own, and shares one instance."""
    here = Path(__file__).parent
    for item in items:
        if here in Path(item.path).parents:
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.xdist_group("clients"))


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Medfed]:
    """One instance, served."""
    server = Medfed(tmp_path_factory.mktemp("clients"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="package")
def colleague(site: Medfed) -> Member:
    """Somebody to follow and to answer."""
    return site.member("colleague", "--display-name", "Dr Roy")


@pytest.fixture(scope="package")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small image."""
    file = tmp_path_factory.mktemp("picture") / "ecg.png"
    out = BytesIO()
    Image.new("RGB", (40, 30), (20, 120, 90)).save(out, "PNG")
    file.write_bytes(out.getvalue())
    return file
