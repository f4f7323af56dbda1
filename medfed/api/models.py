"""The shapes of medfed's own API: what is read is checked by them, what is answered is described by them."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from medfed.domain.cases import AGE_BANDS, AUDIENCES, CONSENTS, SEXES, STAGES
from medfed.domain.codes import COUNTRIES, PROFESSIONS, SPECIALTIES
from medfed.domain.credentials import ASSURANCES, REASONS, CredentialState
from medfed.domain.identity import KINDS
from medfed.domain.peers import Level
from medfed.kernel.errors import Invalid

ENUMS: Final[Mapping[str, tuple[str, ...]]] = {
    "Stage": STAGES,
    "AgeBand": AGE_BANDS,
    "Sex": SEXES,
    "ConsentBasis": CONSENTS,
    "Audience": AUDIENCES,
    "PassageKind": KINDS,
    "Profession": tuple(PROFESSIONS),
    "Specialty": tuple(SPECIALTIES),
    "Country": tuple(sorted(COUNTRIES)),
    "Assurance": ASSURANCES,
    "AttestationState": tuple(state.value for state in CredentialState),
    "AttestationReason": tuple(REASONS),
    "PeerLevel": tuple(level.value for level in Level),
}
"""Every list of codes, by the name that it has in the description."""


def _code(name: str) -> Any:
    # The rules check codes themselves, so that one answer names everything that is wrong.
    return Field(json_schema_extra={"enum": list(ENUMS[name])})


_Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
_Id = Annotated[str, BeforeValidator(lambda value: str(value) if isinstance(value, int) else value)]
_Stage = Annotated[str, _code("Stage")]
_Audience = Annotated[str, _code("Audience")]
_Profession = Annotated[str, _code("Profession")]
_Specialty = Annotated[str, _code("Specialty")]
_Country = Annotated[str, _code("Country")]
_Assurance = Annotated[str, _code("Assurance")]
_State = Annotated[str, _code("AttestationState")]
_Level = Annotated[str, _code("PeerLevel")]

Shape = TypeVar("Shape", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


# ── read ─────────────────────────────────────────────────────────────────────────────────────────────────────


class Patient(_Strict):
    """As much of a patient as a case may say."""

    age_band: Annotated[str | None, _code("AgeBand")] = None
    sex: Annotated[str | None, _code("Sex")] = None


class Consent(_Strict):
    """On what a case may be published."""

    basis: Annotated[str, _code("ConsentBasis")] = "none"


class Requires(_Strict):
    """What a reader must be attested as; an empty list admits all."""

    professions: list[_Profession] = []
    specialties: list[_Specialty] = []
    countries: list[_Country] = []
    min_assurance: _Assurance = "low"


_CONFIRMED: Final = (
    "The `text` of each passage of an earlier refusal of which the author says that it does not identify the patient. "
    "Passages that are `certain` cannot be confirmed."
)


class CaseEdit(_Strict):
    """New words for a case; what is left out stays."""

    title: _Text = ""
    presentation: _Text = ""
    history: _Text = ""
    examination: _Text = ""
    investigations: _Text = ""
    question: _Text = ""
    outcome: _Text = ""
    patient: Patient | None = None
    specialties: list[_Specialty] = []
    stage: _Stage = "help_wanted"
    media_ids: list[_Id] = []
    language: _Text = ""
    confirmed_passages: list[str] = Field(default=[], description=_CONFIRMED)


class CaseForm(CaseEdit):
    """A case to open."""

    audience: _Audience = "verified"
    requires: Requires | None = None
    consent: Consent | None = None


class StageChange(_Strict):
    """Where a case moves to."""

    stage: _Stage
    outcome: str | None = None
    confirmed_passages: list[str] = Field(default=[], description=_CONFIRMED)


class Acceptance(_Strict):
    """The answer that the author keeps."""

    status_id: _Id


class PeerJudgement(_Strict):
    """How far a peer is let in; null leaves it to the federation mode."""

    level: Annotated[str | None, _code("PeerLevel")]
    note: _Text = ""


class PolicyDocument(BaseModel):
    """The trust policy. `version` is the one that it was made from."""

    version: int = 0
    rules: list[dict[str, Any]] = []
    deny: list[str] = []
    revoked_keys: list[str] = Field(default=[], alias="revokedKeys")
    peers: dict[str, _Level] | None = None


# ── answered ─────────────────────────────────────────────────────────────────────────────────────────────────


class Case(_Strict):
    """A clinical discussion with a stage. Its discussion is the thread of the status `status_id`."""

    id: str
    uri: str
    url: str
    status_id: str
    account: dict[str, Any]
    title: str
    presentation: str
    history: str
    examination: str
    investigations: str
    question: str
    patient: Patient
    specialties: list[_Specialty]
    stage: _Stage
    outcome: str
    accepted_status_id: str | None
    audience: _Audience
    requires: Requires | None
    consent: Consent
    media_attachments: list[dict[str, Any]]
    language: str | None
    replies_count: int
    created_at: str
    updated_at: str


class PathStep(_Strict):
    """One station between this instance and the issuer."""

    did: str
    name: str
    role: str


class Attestation(_Strict):
    """What an issuer says about a practitioner, and what that is worth here."""

    id: str
    uri: str
    issuer: str
    issuer_name: str
    types: list[str]
    profession: Annotated[str | None, _code("Profession")]
    specialty: Annotated[str | None, _code("Specialty")]
    specialties: list[_Specialty]
    country: str | None
    assurance: _Assurance
    valid_from: str
    valid_until: str
    state: _State
    reason: str
    reason_code: Annotated[str, _code("AttestationReason")]
    path: list[PathStep]


class Peer(_Strict):
    """Another instance."""

    domain: str
    level: _Level
    decided_by: Annotated[str, Field(json_schema_extra={"enum": ["admin", "mode"]})]
    note: str
    first_seen: str | None
    last_heard: str | None
    last_sent: str | None
    failing_since: str | None
    last_error: str


class LevelChange(_Strict):
    """A peer that would be let in further, or less far."""

    domain: str
    before: _Level
    after: _Level
    follows_ended: int


class StandingChange(_Strict):
    """An attestation that would stand differently."""

    account: str
    uri: str
    issuer: str
    before: _State
    after: _State
    reason: str


class Effects(_Strict):
    """What a policy would change, for whom. `opens`: somebody would be let in further than today."""

    opens: bool
    follows_ended: int
    peers: list[LevelChange]
    attestations: list[StandingChange]


class UnsafePassage(_Strict):
    """A passage that identifies the patient (`certain`), or may: then the author changes or confirms it."""

    field: str
    kind: Annotated[str, _code("PassageKind")]
    certain: bool
    text: str
    before: str
    after: str


class Refusal(BaseModel):
    """Why not. `details`, by field; `passages` of a case that may identify the patient."""

    error: str
    error_description: str
    details: dict[str, list[dict[str, str]]] | None = None
    passages: list[UnsafePassage] | None = None


def parse(shape: type[Shape], values: Mapping[str, Any]) -> Shape:
    """What a client sent, as a shape. Raises Invalid that names every field that cannot be read."""
    try:
        return shape.model_validate(dict(values))
    except ValidationError as error:
        problems = {_place(problem["loc"]): _words(problem["type"], problem["msg"]) for problem in error.errors()}
    raise Invalid("; ".join(f"{name}: {problem}" for name, problem in problems.items()), problems)


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "body"


def _words(kind: str, message: str) -> str:
    return {"missing": "is missing", "extra_forbidden": "is not known"}.get(kind, message[:1].lower() + message[1:])


def schema_of(shape: Any, components: dict[str, Any]) -> dict[str, Any]:
    """The JSON schema of a shape; what it refers to is added to `components`."""
    schema = TypeAdapter(shape).json_schema(ref_template="#/components/schemas/{model}")
    components.update(schema.pop("$defs", {}))
    if isinstance(shape, type) and issubclass(shape, BaseModel):
        components[shape.__name__] = schema
        return {"$ref": f"#/components/schemas/{shape.__name__}"}
    return dict(schema)
