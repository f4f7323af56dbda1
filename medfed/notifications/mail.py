"""Mail leaves through an SMTP server, or into a folder when none is configured; it is promised as a task."""

import asyncio
import smtplib
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from medfed.activitypub.here import Here
from medfed.kernel import limits
from medfed.kernel.errors import Invalid, Misconfigured, RemoteRefused, Unreachable
from medfed.kernel.secrets import new_token
from medfed.net.pool import tls_context
from medfed.storage import tasks
from medfed.storage.database import Transaction

TASK: Final = "mail"
"""The kind of task that carries a letter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message to one address, as plain text."""

    to: str
    subject: str
    text: str


async def post_letter(tx: Transaction, here: Here, letter: Letter) -> None:
    """Promise a letter in the transaction of what it tells."""
    payload = {"to": letter.to, "subject": letter.subject, "text": letter.text}
    await tasks.ask(tx, here, TASK, payload)


def letter_of(payload: Mapping[str, Any]) -> Letter:
    """The letter that a task carries."""
    return Letter(to=str(payload["to"]), subject=str(payload["subject"]), text=str(payload["text"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """Sends letters. `url` is smtp://[USER:PASSWORD@]HOST[:PORT], smtps://… or empty; `folder` serves the latter."""

    url: str = field(repr=False)
    sender: str
    domain: str
    folder: Path

    async def send(self, letter: Letter) -> None:
        """Hand one letter over. Raises Unreachable (later), RemoteRefused (never), Misconfigured, Invalid."""
        message = self._message(letter)
        if self.url:
            await asyncio.to_thread(_submit, self.url, message)
        else:
            await asyncio.to_thread(self._write, message)

    def _message(self, letter: Letter) -> EmailMessage:
        message = EmailMessage()
        try:
            message["From"] = self.sender or f"medfed@{self.domain.partition(':')[0]}"
            message["To"] = letter.to
            message["Subject"] = letter.subject
        except ValueError:
            # The library refuses line breaks in headers.
            raise Invalid("the letter has a header that cannot be sent") from None
        message["Date"] = formatdate(localtime=False)
        message["Message-ID"] = make_msgid(domain=self.domain.partition(":")[0])
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(letter.text)
        return message

    def _write(self, message: EmailMessage) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        target = self.folder / f"{new_token()}.eml"
        target.touch(mode=0o600)
        target.write_bytes(bytes(message))


def _submit(url: str, message: EmailMessage) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise Misconfigured("mail.url must be smtp://[USER:PASSWORD@]HOST[:PORT] or smtps://…")
    try:
        with _connected(parts.scheme, parts.hostname, parts.port or 0) as server:
            if parts.username is not None:
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        code = next(iter(error.recipients.values()))[0]
        raise _failure(code, parts.hostname) from None
    except smtplib.SMTPResponseException as error:
        raise _failure(error.smtp_code, parts.hostname) from None
    except (smtplib.SMTPException, OSError) as error:
        raise Unreachable(f"the mail server does not answer: {type(error).__name__}", host=parts.hostname) from None


def _connected(scheme: str, host: str, port: int) -> smtplib.SMTP:
    context = tls_context()
    if scheme == "smtps":
        return smtplib.SMTP_SSL(host, port, timeout=limits.TOTAL_TIMEOUT, context=context)
    server = smtplib.SMTP(host, port, timeout=limits.TOTAL_TIMEOUT)
    if server.has_extn("starttls") or (server.ehlo()[0] == 250 and server.has_extn("starttls")):
        server.starttls(context=context)
    return server


def _failure(code: int, host: str) -> Unreachable | RemoteRefused:
    if 400 <= code < 500:
        return Unreachable(f"the mail server answered {code}", host=host, remote_status=code)
    return RemoteRefused(f"the mail server answered {code}", host=host, remote_status=code)
