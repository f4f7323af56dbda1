"""Letters leave by SMTP or land in a folder; what fails says whether trying again makes sense."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest

from medfed.kernel.errors import Invalid, Misconfigured, RemoteRefused, Unreachable
from medfed.notifications.mail import Letter, Mail

LETTER = Letter(to="roy@lille.example", subject="Bienvenue à Lyon", text="Ouvrez https://lyon.example/é\n")


def mail(url: str, folder: Path) -> Mail:
    return Mail(url=url, sender="admin@lyon.example", domain="lyon.example:8000", folder=folder)


@asynccontextmanager
async def a_server(answer: Callable[[str], str]) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A mail server that answers each command as told, and keeps the letters."""
    kept: list[bytes] = []

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        while line := (await reader.readline()).decode().strip().upper():
            reply = answer(line)
            writer.write(f"{reply}\r\n".encode())
            if line == "DATA" and reply.startswith("354"):
                kept.append(await reader.readuntil(b"\r\n.\r\n"))
                writer.write(b"250 kept\r\n")
            if line == "QUIT":
                break
        writer.close()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"smtp://127.0.0.1:{port}", kept
    finally:
        server.close()
        await server.wait_closed()


def polite(line: str) -> str:
    return {"DATA": "354 go on", "QUIT": "221 bye"}.get(line, "250 fine")


async def test_without_a_server_letters_land_in_a_folder_for_the_operator_only(tmp_path: Path) -> None:
    folder = tmp_path / "mail"
    await mail("", folder).send(LETTER)
    (file,) = list(folder.iterdir())
    assert file.stat().st_mode & 0o077 == 0
    message = message_from_bytes(file.read_bytes(), policy=default)
    assert (message["To"], message["From"], message["Subject"]) == (
        "roy@lille.example",
        "admin@lyon.example",
        "Bienvenue à Lyon",
    )
    assert message["Message-ID"].endswith("@lyon.example>")
    assert "https://lyon.example/é" in message.get_content()


async def test_a_letter_is_handed_to_the_server(tmp_path: Path) -> None:
    async with a_server(polite) as (url, kept):
        await mail(url, tmp_path).send(LETTER)
    assert b"To: roy@lille.example" in kept[0]


@pytest.mark.parametrize(
    ("command", "reply", "error"),
    [
        ("RCPT", "550 nobody", RemoteRefused),
        ("RCPT", "451 later", Unreachable),
        ("MAIL", "552 full", RemoteRefused),
        ("DATA", "421 closing", Unreachable),
    ],
)
async def test_a_refusal_says_whether_to_try_again(
    tmp_path: Path, command: str, reply: str, error: type[Exception]
) -> None:
    async with a_server(lambda line: reply if line.upper().startswith(command) else polite(line)) as (url, _kept):
        with pytest.raises(error):
            await mail(url, tmp_path).send(LETTER)


async def test_a_server_that_is_not_there_is_tried_again_and_a_wrong_url_is_not(tmp_path: Path) -> None:
    with pytest.raises(Unreachable) as caught:
        await mail("smtp://u:hunter2@127.0.0.1:1", tmp_path).send(LETTER)
    assert "hunter2" not in str(caught.value)
    with pytest.raises(Misconfigured):
        await mail("http://a.example", tmp_path).send(LETTER)
    assert "hunter2" not in repr(mail("smtp://u:hunter2@a.example", tmp_path))


@pytest.mark.case("F19")
async def test_headers_cannot_be_smuggled_in(tmp_path: Path) -> None:
    for letter in (
        Letter(to="a@b.example\r\nBcc: c@d.example", subject="x", text="x"),
        Letter(to="a@b.example", subject="x\r\nBcc: c@d.example", text="x"),
    ):
        with pytest.raises(Invalid):
            await mail("", tmp_path).send(letter)
