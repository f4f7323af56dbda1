"""What an operator may set: medfed.toml and MEDFED_SECTION__KEY, parsed once into frozen models.

`load` is pure but for reading the named file and the files that `*_file` keys name. Nothing below `instance`
sees Settings: it receives values.
"""

import difflib
import ipaddress
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from medfed.kernel.age import Recipient
from medfed.kernel.errors import Malformed, Misconfigured

ENVIRONMENT_PREFIX: Final = "MEDFED_"
NOT_SETTINGS: Final = frozenset({"MEDFED_CONFIG"})


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class InstanceSettings(_Section):
    """Who this server is."""

    domain: Annotated[str, Field(description="In handles and ids; never changes.")]
    public_url: Annotated[
        str, Field(description="Where browsers and peers reach it; default https://DOMAIN.", validate_default=True)
    ] = ""
    name: Annotated[str, Field(description="The name members and peers see.")] = ""
    contact: Annotated[str, Field(description="E-mail address of the people who answer for it.")] = ""
    source_url: Annotated[
        str, Field(description="Where the source of the running version can be had; shown in the footer (AGPL §13).")
    ] = ""
    languages: Annotated[tuple[str, ...], Field(description="Languages of the interface, best first.")] = (
        "en",
        "fr",
    )
    data_dir: Annotated[Path, Field(description="Database, media, keys, mail.")] = Path("data")

    @field_validator("domain")
    @classmethod
    def _lower(cls, value: str) -> str:
        return value.strip().lower()

    @field_validator("public_url")
    @classmethod
    def _origin(cls, value: str, info: ValidationInfo) -> str:
        url = value or f"https://{info.data.get('domain', '')}"
        if not url.startswith(("https://", "http://")):
            raise ValueError("must start with https:// or http://")
        return url.rstrip("/")


class HttpSettings(_Section):
    """Where the process listens."""

    host: Annotated[str, Field(description="Address to bind.")] = "127.0.0.1"
    port: Annotated[int, Field(description="Port to bind.", ge=0, le=65535)] = 8000
    trusted_proxies: Annotated[
        tuple[str, ...], Field(description="Addresses or networks whose forwarding headers are believed.")
    ] = ()

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _checked_networks(value)


class DatabaseSettings(_Section):
    """Where the data lives."""

    url: Annotated[str, Field(description="sqlite:///PATH or postgresql://…; default: medfed.db in data_dir.")] = ""
    url_file: Annotated[str, Field(description="A file that holds the URL, when it carries a password.")] = ""
    readers: Annotated[int, Field(description="SQLite: reading connections.", ge=1, le=32)] = 3
    pool: Annotated[int, Field(description="PostgreSQL: connections at most.", ge=2, le=200)] = 10


class MediaSettings(_Section):
    """Where images are kept."""

    store: Annotated[str, Field(description="file:///PATH; default: media in data_dir.")] = ""

    @field_validator("store")
    @classmethod
    def _on_disk(cls, value: str) -> str:
        if value and not value.startswith("file:///"):
            raise ValueError("must start with file:///; no other store is known to this version")
        return value


class FederationSettings(_Section):
    """How this server meets others."""

    mode: Annotated[
        Literal["open", "cautious", "allowlist"],
        Field(description="What an unknown peer may do: everything, what members follow, or nothing."),
    ] = "cautious"
    allow_http: Annotated[bool, Field(description="Plain http to peers in allow_networks; development only.")] = False
    allow_networks: Annotated[tuple[str, ...], Field(description="Private networks this server may fetch from.")] = ()
    ca_file: Annotated[str, Field(description="Additional certificate authority for peers.")] = ""

    @field_validator("allow_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _checked_networks(value)


class MailSettings(_Section):
    """How mail leaves."""

    url: Annotated[str, Field(description="smtp://…; empty: mail is written to data_dir/mail.")] = ""
    url_file: Annotated[str, Field(description="A file that holds the URL, when it carries a password.")] = ""


class RegistrationSettings(_Section):
    """Who may become a member."""

    mode: Annotated[Literal["closed", "invite", "approval", "open"], Field(description="Who may register.")] = (
        "approval"
    )
    confirm: Annotated[
        Literal["email", "none"], Field(description="How an address is confirmed; none is for tests.")
    ] = "email"


class LimitSettings(_Section):
    """Rate limits."""

    enabled: Annotated[bool, Field(description="false: tests and benchmarks only.")] = True


class VerificationSettings(_Section):
    """Attestations."""

    vc_api: Annotated[bool, Field(description="Serve the W3C VC-API conformance endpoints.")] = False
    status_interval_seconds: Annotated[
        int, Field(description="How often status lists of recognised issuers are fetched.", ge=1, le=3600)
    ] = 900


class BackupSettings(_Section):
    """Who can read backups."""

    recipients: Annotated[
        tuple[str, ...],
        Field(description="age keys (age1…) that `medfed backup` encrypts to; `medfed backup-key` makes one."),
    ] = ()

    @field_validator("recipients")
    @classmethod
    def _keys(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(str(Recipient.parse(each)) for each in value)
        except Malformed as error:
            raise ValueError(str(error)) from None


class Settings(_Section):
    """The whole configuration; see docs/guide/settings.md."""

    instance: InstanceSettings
    http: HttpSettings = HttpSettings()
    database: DatabaseSettings = DatabaseSettings()
    media: MediaSettings = MediaSettings()
    federation: FederationSettings = FederationSettings()
    mail: MailSettings = MailSettings()
    registration: RegistrationSettings = RegistrationSettings()
    limits: LimitSettings = LimitSettings()
    verification: VerificationSettings = VerificationSettings()
    backup: BackupSettings = BackupSettings()

    @property
    def database_url(self) -> str:
        """The URL in force: the setting, or the default in data_dir."""
        return self.database.url or f"sqlite:///{self.instance.data_dir / 'medfed.db'}"

    @property
    def media_dir(self) -> Path:
        """The folder that images are kept in."""
        if not self.media.store:
            return self.instance.data_dir / "media"
        return Path(self.media.store.removeprefix("file:///"))


def load(path: Path, environ: Mapping[str, str]) -> Settings:
    """Read medfed.toml and the environment. Raises Misconfigured with one sentence that says what to change.

    Relative paths in the file are relative to the file.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise Misconfigured(f"there is no configuration at {path}; run `medfed init --domain DOMAIN`") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path} is not valid TOML: {error}") from None
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read: {error.strerror}") from None
    return from_document(_overlay(document, environ), base=path.parent)


def from_document(document: Mapping[str, Any], *, base: Path) -> Settings:
    """Check a parsed document; `base` is what relative paths are relative to."""
    try:
        settings = Settings.model_validate(document)
    except ValidationError as error:
        raise Misconfigured(_sentence(error)) from None
    database, mail, ca_file = settings.database, settings.mail, settings.federation.ca_file
    resolved: dict[str, Any] = {
        "instance": settings.instance.model_copy(update={"data_dir": base / settings.instance.data_dir}),
        "database": database.model_copy(
            update={"url": _anchored(_secret(database.url, database.url_file, base), base)}
        ),
        "media": settings.media.model_copy(update={"store": _anchored(settings.media.store, base)}),
        "mail": mail.model_copy(update={"url": _secret(mail.url, mail.url_file, base)}),
        "federation": settings.federation.model_copy(update={"ca_file": str(base / ca_file) if ca_file else ""}),
    }
    return settings.model_copy(update=resolved)


def _anchored(url: str, base: Path) -> str:
    """sqlite:///data/x is relative to the configuration file; a fourth slash makes it absolute."""
    for scheme in ("sqlite:///", "file:///"):
        if url.startswith(scheme):
            return scheme + str((base / url.removeprefix(scheme)).resolve())
    return url


def _overlay(document: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    merged = {section: dict(values) if isinstance(values, dict) else values for section, values in document.items()}
    for name, value in environ.items():
        if not name.startswith(ENVIRONMENT_PREFIX) or name in NOT_SETTINGS or "__" not in name:
            continue
        section, key = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__", 1)
        target = merged.setdefault(section, {})
        if isinstance(target, dict):
            target[key] = _typed(section, key, value)
    return merged


def _typed(section: str, key: str, value: str) -> object:
    """A list-valued key takes commas, or a list as in the file; everything else is left to pydantic."""
    model = Settings.model_fields.get(section)
    fields = getattr(model.annotation, "model_fields", {}) if model else {}
    if key in fields and "tuple" in str(fields[key].annotation):
        inner = value.strip().removeprefix("[").removesuffix("]")
        return [part for part in (item.strip(" \t\r\n'\"") for item in inner.split(",")) if part]
    return value


def _sentence(error: ValidationError) -> str:
    problem = error.errors()[0]
    name = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        nearest = difflib.get_close_matches(name, list(known_keys()), n=1, cutoff=0.5)
        hint = f"; did you mean {nearest[0]}?" if nearest else ""
        return f"unknown configuration key {name}{hint}"
    if problem["type"] == "missing":
        return f"the configuration key {name} is missing"
    return f"configuration key {name}: {problem['msg'].removeprefix('Value error, ')}"


def known_keys() -> Iterator[str]:
    """Every section.key that may stand in medfed.toml."""
    for section, info in Settings.model_fields.items():
        yield section
        for key in getattr(info.annotation, "model_fields", {}):
            yield f"{section}.{key}"


def _checked_networks(value: tuple[str, ...]) -> tuple[str, ...]:
    for network in value:
        try:
            ipaddress.ip_network(network, strict=False)
        except ValueError:
            raise ValueError(f"{network!r} is not an address or network") from None
    return value


def _secret(value: str, file: str, base: Path) -> str:
    """What a key says, or the file that is named in its stead."""
    if not file:
        return value
    path = base / file
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Misconfigured(f"the secret file {path} cannot be read: {error}") from None
