"""medfed's own API: cases, attestations, peers, the trust policy, and its description of itself."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import TypeAdapter

from medfed.api import models
from medfed.domain.codes import PROFESSIONS, SPECIALTIES
from medfed.domain.peers import Level
from medfed.kernel.clock import MINUTE
from medfed.storage import accounts, credentials
from medfed.verification import consent
from medfed.verification.attest import Statement, attest
from tests.api.client import Answer, Client, signed_in
from tests.support.stranger import Stranger
from tests.support.world import Site, a_world

CASES = "/api/medfed/v1/cases"
CASE: dict[str, Any] = {
    "title": "Recurrent chest pain at rest",
    "presentation": "Twenty minutes, **pressing**, gone on arrival.",
    "history": "Smoker.",
    "question": "Angiography tonight?",
    "patient": {"age_band": "50-54", "sex": "female"},
    "specialties": ["cardiology", "emergency-medicine"],
    "stage": "urgent",
    "audience": "public",
    "language": "en",
    "consent": {"basis": "patient_written"},
}
CARDIOLOGIST = Statement(profession="physician", specialties=("cardiology",), country="FR", assurance="substantial")


async def attested(site: Site, username: str, statement: Statement = CARDIOLOGIST, *, accepted: bool = True) -> Client:
    """A member with an attestation by their own instance."""
    client = await signed_in(site, username)
    assert client.account is not None
    async with site.instance.store.transaction("attest") as tx:
        await attest(tx, site.instance.here, client.account, statement, by="test", accepted=accepted)
    return client


def as_case(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer.body
    models.Case.model_validate(answer.json)
    case: dict[str, Any] = answer.json
    return case


async def test_a_case_is_opened_and_is_also_a_status(dupont: Client, roy: Client, anybody: Client) -> None:
    case = as_case(await dupont.post(CASES, CASE))
    assert case["stage"] == "urgent"
    assert case["patient"] == {"age_band": "50-54", "sex": "female"}
    assert case["account"]["id"] == dupont.id
    assert case["url"].endswith(f"/cases/{case['id']}")
    assert as_case(await anybody.get(f"{CASES}/{case['id']}"))["uri"] == case["uri"]
    status = (await roy.get(f"/api/v1/statuses/{case['status_id']}")).json
    assert status["uri"] == case["uri"]
    assert status["medfed"]["case"]["id"] == case["id"]
    assert "<strong>pressing</strong>" in status["content"]
    reply = await roy.post("/api/v1/statuses", {"status": "Yes, tonight.", "in_reply_to_id": case["status_id"]})
    thread = (await dupont.get(f"/api/v1/statuses/{case['status_id']}/context")).json
    assert [one["id"] for one in thread["descendants"]] == [reply.json["id"]]


@pytest.mark.parametrize(
    ("changed", "fields"),
    [
        ({"title": "", "presentation": None}, {"title", "presentation"}),
        ({"question": ""}, {"question"}),
        ({"specialties": []}, {"specialties"}),
        ({"specialties": ["astrology"]}, {"specialties"}),
        ({"patient": {"age_band": "52", "sex": "x"}}, {"patient.age_band", "patient.sex"}),
        ({"stage": "over", "audience": "everyone"}, {"stage", "audience"}),
        ({"consent": {"basis": "sure"}}, {"consent.basis"}),
        ({"requires": {"professions": ["physician"]}}, {"requires"}),
        (
            {
                "audience": "verified",
                "requires": {"professions": ["x"], "countries": ["XX"], "min_assurance": "total", "specialties": ["y"]},
            },
            {"requires.professions", "requires.countries", "requires.min_assurance", "requires.specialties"},
        ),
        ({"title": ["x"], "colour": "red"}, {"title", "colour"}),
        ({"patient": "52"}, {"patient"}),
        ({"patient": {"name": "Jean Valjean"}}, {"patient.name"}),
        ({"media_ids": ["x"]}, {"media_ids"}),
        ({"media_ids": ["12345"]}, {"media_ids"}),
        ({"title": "x" * 201, "history": "y" * 10_001}, {"title", "history"}),
    ],
)
async def test_everything_missing_or_unsafe_in_a_case_is_named_at_once(
    dupont: Client, changed: dict[str, Any], fields: set[str]
) -> None:
    refused = await dupont.post(CASES, CASE | changed)
    assert refused.status == 422
    assert fields <= set(refused.json["details"])
    assert (await dupont.get(CASES)).json == []


@pytest.mark.case("N19")
async def test_a_passage_that_may_identify_the_patient_is_named_and_published_only_once_confirmed(
    dupont: Client,
) -> None:
    named = CASE | {"history": "Mme Duvernay, seen on 14/03/2026."}
    refused = await dupont.post(CASES, named)
    assert refused.status == 422
    assert set(refused.json["details"]) == {"history"}
    models.Refusal.model_validate(refused.json)
    told = [(one["field"], one["kind"], one["certain"], one["text"]) for one in refused.json["passages"]]
    assert told == [("history", "name", False, "Mme Duvernay"), ("history", "date", False, "14/03/2026")]
    half = await dupont.post(CASES, named | {"confirmed_passages": ["Mme Duvernay"]})
    assert [one["text"] for one in half.json["passages"]] == ["14/03/2026"]
    case = as_case(await dupont.post(CASES, named | {"confirmed_passages": ["Mme Duvernay", "14/03/2026"]}))
    path = f"{CASES}/{case['id']}"
    assert as_case(await dupont.patch(path, {"title": "Wellens"}))["history"] == named["history"]
    assert (await dupont.patch(path, {"examination": "Mme Duvernay is pale."})).status == 422
    as_case(await dupont.patch(path, {"examination": "Mme Duvernay is pale.", "confirmed_passages": ["Mme Duvernay"]}))


@pytest.mark.case("N19")
@pytest.mark.parametrize(
    "passage", ["NIR 2 75 03 69 123 456 78", "NHS 943 476 5919", "06 12 34 56 78", "born 1962-03-14"]
)
async def test_what_certainly_identifies_the_patient_is_refused_in_every_field_whatever_is_confirmed(
    dupont: Client, png: bytes, passage: str
) -> None:
    confirmed = {"confirmed_passages": [passage]}
    for field in ("title", "presentation", "history", "examination", "investigations", "question", "outcome"):
        refused = await dupont.post(CASES, CASE | {field: f"Said {passage}"} | confirmed)
        assert refused.status == 422
        assert set(refused.json["details"]) == {field}
        assert [one["certain"] for one in refused.json["passages"]] == [True]
    image = (await dupont.upload("/api/v2/media", {"file": png}, {"description": f"ECG, {passage}"})).json["id"]
    refused = await dupont.post(CASES, CASE | {"media_ids": [image]} | confirmed)
    assert set(refused.json["details"]) == {"media_ids"}
    case = as_case(await dupont.post(CASES, CASE))
    path = f"{CASES}/{case['id']}"
    assert (await dupont.patch(path, {"history": passage} | confirmed)).status == 422
    assert (await dupont.post(f"{path}/stage", {"stage": "solved", "outcome": passage} | confirmed)).status == 422
    kept = as_case(await dupont.get(path))
    assert (kept["history"], kept["outcome"], kept["stage"]) == (case["history"], case["outcome"], case["stage"])


async def test_images_of_a_case_need_consent_and_a_description(dupont: Client, png: bytes) -> None:
    bare = (await dupont.upload("/api/v2/media", {"file": png})).json["id"]
    refused = await dupont.post(CASES, CASE | {"media_ids": [bare], "consent": {"basis": "none"}})
    assert set(refused.json["details"]) == {"consent.basis", "media_ids"}
    await dupont.put(f"/api/v1/media/{bare}", {"description": "ECG, V1 to V4"})
    case = as_case(await dupont.post(CASES, CASE | {"media_ids": [int(bare)]}))
    assert [file["description"] for file in case["media_attachments"]] == ["ECG, V1 to V4"]


async def test_a_case_moves_through_its_stages_and_keeps_an_answer(dupont: Client, roy: Client) -> None:
    case = as_case(await dupont.post(CASES, CASE))
    path = f"{CASES}/{case['id']}"
    answer = (await roy.post("/api/v1/statuses", {"status": "Wellens.", "in_reply_to_id": case["status_id"]})).json
    kept = as_case(await dupont.post(f"{path}/accept", {"status_id": answer["id"]}))
    assert kept["accepted_status_id"] == answer["id"]
    solved = as_case(await dupont.post(f"{path}/stage", {"stage": "solved", "outcome": "Stented."}))
    assert (solved["stage"], solved["outcome"], solved["accepted_status_id"]) == ("solved", "Stented.", answer["id"])
    told = (await replace(roy, judged=False).get("/api/v1/notifications", types=["case_answer_kept"])).json
    assert [one["type"] for one in told] == ["case_answer_kept"]
    assert "case_answer_kept" not in [one["type"] for one in (await roy.get("/api/v1/notifications")).json]


async def test_a_case_gets_new_words_and_keeps_its_audience(dupont: Client) -> None:
    case = as_case(await dupont.post(CASES, CASE))
    path = f"{CASES}/{case['id']}"
    edited = as_case(
        await dupont.patch(path, {"title": "Wellens", "patient": {"sex": None}, "specialties": ["cardiology"]})
    )
    assert (edited["title"], edited["presentation"]) == ("Wellens", case["presentation"])
    assert edited["patient"] == {"age_band": "50-54", "sex": None}
    assert edited["specialties"] == ["cardiology"]
    for changed in ({"audience": "verified"}, {"consent": {"basis": "none"}}, {"title": ""}):
        refused = await dupont.patch(path, changed)
        assert refused.status == 422
        assert set(changed) <= set(refused.json["details"])
    status = await dupont.put(f"/api/v1/statuses/{case['status_id']}", {"status": "x"})
    assert status.status == 422


@pytest.mark.case("F08")
async def test_only_its_author_changes_a_case(dupont: Client, roy: Client) -> None:
    case = as_case(await dupont.post(CASES, CASE))
    path = f"{CASES}/{case['id']}"
    answer = (await roy.post("/api/v1/statuses", {"status": "Mine!", "in_reply_to_id": case["status_id"]})).json
    assert (await roy.patch(path, {"title": "Mine"})).status == 403
    assert (await roy.post(f"{path}/stage", {"stage": "solved"})).status == 403
    assert (await roy.post(f"{path}/accept", {"status_id": answer["id"]})).status == 403
    assert as_case(await dupont.get(path)) == case | {"replies_count": 1}


async def test_only_an_answer_of_its_thread_is_kept(dupont: Client) -> None:
    case = as_case(await dupont.post(CASES, CASE))
    path = f"{CASES}/{case['id']}/accept"
    other = (await dupont.post("/api/v1/statuses", {"status": "elsewhere"})).json["id"]
    for wrong in (other, case["status_id"], "7"):
        assert (await dupont.post(path, {"status_id": wrong})).status == 404
    assert (await dupont.post(path, {"status_id": "x"})).status == 422
    assert (await dupont.post(path, {})).status == 422
    assert (await dupont.post(f"{CASES}/{case['id']}/stage", {"stage": "over"})).status == 422


@pytest.mark.case("M01", "F08")
async def test_a_case_for_verified_practitioners_is_there_for_nobody_else(
    lyon: Site, dupont: Client, roy: Client, anybody: Client
) -> None:
    reader = await attested(lyon, "cardiologist")
    nurse = await attested(lyon, "nurse", replace(CARDIOLOGIST, profession="nurse", specialties=()))
    waiting = await attested(lyon, "waiting", accepted=False)
    requires = {"professions": ["physician"], "specialties": ["cardiology"]}
    case = as_case(await dupont.post(CASES, CASE | {"audience": "verified", "requires": requires}))
    assert case["requires"]["specialties"] == ["cardiology"]
    path = f"{CASES}/{case['id']}"
    assert as_case(await reader.get(path))["id"] == case["id"]
    assert [one["id"] for one in (await reader.get(CASES)).json] == [case["id"]]
    status = (await reader.get(f"/api/v1/statuses/{case['status_id']}")).json
    assert (status["visibility"], status["medfed"]["visibility"]) == ("private", "verified")
    for client in (roy, nurse, waiting, anybody):
        assert (await client.get(path)).status == 404
        assert (await client.get(CASES)).json == []
        assert (await client.get(f"/api/v1/statuses/{case['status_id']}")).status == 404
        if client is not anybody:
            assert (await client.patch(path, {"title": "x"})).status == 404
            assert (await client.post(f"{path}/stage", {"stage": "solved"})).status == 404
            assert (await client.post(f"{path}/accept", {"status_id": case["status_id"]})).status == 404
    reply = await reader.post("/api/v1/statuses", {"status": "Yes.", "in_reply_to_id": case["status_id"]})
    assert reply.json["medfed"]["visibility"] == "verified"
    assert (await roy.get(f"/api/v1/statuses/{reply.json['id']}")).status == 404


async def test_cases_are_chosen_by_specialty_and_stage_and_paged(dupont: Client, anybody: Client) -> None:
    ids = []
    for number in range(3):
        case = as_case(await dupont.post(CASES, CASE | {"title": f"number {number}"}))
        ids.append(case["id"])
    skin = {"specialties": ["dermatology"], "stage": "teaching"}
    other = as_case(await dupont.post(CASES, CASE | skin))["id"]
    assert [one["id"] for one in (await anybody.get(CASES, specialty="cardiology")).json] == ids[::-1]
    assert [one["id"] for one in (await anybody.get(CASES, stage="teaching")).json] == [other]
    first = await anybody.get(CASES, specialty="cardiology", limit=2)
    assert [one["id"] for one in first.json] == ids[:0:-1]
    second = await anybody.get(first.link("next"))
    assert [one["id"] for one in second.json] == ids[:1]
    assert [one["id"] for one in (await anybody.get(CASES, before=ids[1])).json] == ids[:1]
    assert (await anybody.get(CASES, stage="over")).status == 422
    assert (await anybody.get(CASES, specialty="astrology")).status == 422
    assert (await anybody.get(f"{CASES}/7")).status == 404


async def test_recognised_attestations_are_verified_fields_before_all_others(lyon: Site, anybody: Client) -> None:
    client = await attested(lyon, "cardiologist")
    await client.patch("/api/v1/accounts/update_credentials", {"fields_attributes": [{"name": "Site", "value": "x"}]})
    shown = (await anybody.get(f"/api/v1/accounts/{client.id}")).json
    assert [field["name"] for field in shown["fields"]] == ["Cardiologist", "Site"]
    assert shown["fields"][0]["verified_at"] is not None
    assert shown["fields"][1]["verified_at"] is None
    (attestation,) = shown["medfed"]["attestations"]
    listed = (await anybody.get(f"/api/medfed/v1/accounts/{client.id}/attestations")).json
    assert listed == [attestation]
    models.Attestation.model_validate(attestation)
    assert (attestation["profession"], attestation["specialty"], attestation["state"]) == (
        "physician",
        "cardiology",
        "trusted",
    )
    assert attestation["issuer"] == "did:web:lyon.test"
    assert (await anybody.get("/api/medfed/v1/accounts/7/attestations")).status == 404


async def test_an_attestation_that_does_not_count_is_no_verified_field() -> None:
    async with a_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        await attested(lyon, "alice")
        reader = await signed_in(lille, "bob")
        await world.follow("bob@lille.test", "alice@lyon.test")
        await world.pass_time(MINUTE)
        found = (await reader.get("/api/v1/accounts/lookup", acct="alice@lyon.test")).json
        assert [one["state"] for one in found["medfed"]["attestations"]] == ["untrusted"]
        assert found["fields"] == []
        admin = await admin_of(lille)
        await admin.put("/api/medfed/v1/peers/lyon.test", {"level": "trusted"})
        found = (await reader.get("/api/v1/accounts/lookup", acct="alice@lyon.test")).json
        assert [one["state"] for one in found["medfed"]["attestations"]] == ["trusted"]
        assert found["fields"][0]["verified_at"] is not None


async def test_nothing_appears_that_a_member_has_not_accepted(lyon: Site, roy: Client, anybody: Client) -> None:
    client = await attested(lyon, "cardiologist", accepted=False)
    shown = f"/api/medfed/v1/accounts/{client.id}/attestations"
    assert (await anybody.get(shown)).json == []
    (offer,) = (await client.get("/api/medfed/v1/offers")).json
    assert (await roy.get("/api/medfed/v1/offers")).json == []
    path = f"/api/medfed/v1/offers/{offer['id']}"
    assert (await roy.post(f"{path}/accept")).status == 404
    assert (await roy.post(f"{path}/decline")).status == 404
    assert (await client.post(f"{path}/accept")).status == 200
    assert (await client.post(f"{path}/accept")).status == 409
    assert len((await anybody.get(shown)).json) == 1
    own = f"/api/medfed/v1/attestations/{offer['id']}"
    assert (await roy.post(f"{own}/hide")).status == 404
    assert (await client.post(f"{own}/hide")).status == 200
    assert (await anybody.get(shown)).json == []
    assert (await client.post(f"{own}/show")).status == 200
    second = await attested(lyon, "shy", accepted=False)
    (offer,) = (await second.get("/api/medfed/v1/offers")).json
    assert (await second.post(f"/api/medfed/v1/offers/{offer['id']}/decline")).status == 200
    assert (await second.get("/api/medfed/v1/offers")).json == []


async def admin_of(site: Site) -> Client:
    return await signed_in(site, "chief", "read write admin:read admin:write", role="admin")


async def test_an_admin_judges_peers(lyon: Site) -> None:
    admin = await admin_of(lyon)
    judged = await admin.put("/api/medfed/v1/peers/lille.test", {"level": "trusted", "note": "We know them."})
    assert judged.status == 200
    models.Peer.model_validate(judged.json)
    assert (judged.json["level"], judged.json["decided_by"]) == ("trusted", "admin")
    assert lyon.instance.levels.of("lille.test") is Level.TRUSTED
    listed = (await admin.get("/api/medfed/v1/peers")).json
    assert [one["domain"] for one in listed] == ["lille.test"]
    left = await admin.put("/api/medfed/v1/peers/lille.test", {"level": None})
    assert left.json["decided_by"] == "mode"
    for domain, body in (
        ("lille.test", {"level": "adored"}),
        ("lille.test", {}),
        ("lyon.test", {"level": "blocked"}),
        ("no domain", {"level": "blocked"}),
        ("lille.test", {"level": "trusted", "x": 1}),
    ):
        assert (await admin.put(f"/api/medfed/v1/peers/{domain}", body)).status == 422, (domain, body)


async def test_an_admin_tries_a_policy_before_it_is_in_force(lyon: Site) -> None:
    admin = await admin_of(lyon)
    policy = (await admin.get("/api/medfed/v1/policy")).json
    new = policy | {
        "peers": {"lille.test": "trusted"},
        "rules": [{"id": "society", "anchor": "did:web:society.test", "accept": {"professions": ["physician"]}}],
    }
    effects = await admin.post("/api/medfed/v1/policy/dry-run", new)
    assert effects.status == 200
    models.Effects.model_validate(effects.json)
    assert [one["domain"] for one in effects.json["peers"]] == ["lille.test"]
    assert (await admin.get("/api/medfed/v1/policy")).json == policy
    applied = await admin.put("/api/medfed/v1/policy", new)
    assert applied.status == 200
    assert applied.json["version"] == policy["version"] + 1
    assert applied.json["rules"][0]["id"] == "society"
    assert lyon.instance.levels.of("lille.test") is Level.TRUSTED
    assert (await admin.put("/api/medfed/v1/policy", new)).status == 409
    assert (await admin.put("/api/medfed/v1/policy", applied.json | {"colour": "red"})).status == 422
    assert (await admin.post("/api/medfed/v1/policy/dry-run", {"rules": [{"id": "x"}]})).status == 422
    assert (await admin.put("/api/medfed/v1/policy", {"version": 1, "deny": ["did:web:lyon.test"]})).status == 422


async def test_the_description_lists_every_call_and_every_code(anybody: Client) -> None:
    said = (await anybody.get("/api/medfed/v1/openapi.json")).json
    schemas = said["components"]["schemas"]
    assert schemas["Stage"]["enum"][0] == "help_wanted"
    assert schemas["Specialty"]["enum"] == list(SPECIALTIES)
    assert schemas["Profession"]["enum"] == list(PROFESSIONS)
    assert "90+" in schemas["AgeBand"]["enum"]
    assert set(said["paths"]["/cases"]) == {"get", "post"}
    assert set(said["paths"]["/policy"]) == {"get", "put"}
    body = said["paths"]["/cases"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/CaseForm"}
    assert "urgent" in schemas["CaseForm"]["properties"]["stage"]["enum"]
    for name in references(said):
        assert name in schemas, name


def references(document: Any) -> set[str]:
    if isinstance(document, dict):
        own = {document["$ref"].rsplit("/", 1)[1]} if isinstance(document.get("$ref"), str) else set()
        return own.union(*(references(value) for value in document.values()))
    if isinstance(document, list):
        return set().union(*(references(value) for value in document))
    return set()


def test_shapes_say_the_same_as_their_schemas() -> None:
    components: dict[str, Any] = {}
    schema = models.schema_of(list[models.Attestation], components)
    assert schema["items"] == {"$ref": "#/components/schemas/Attestation"}
    assert set(components) == {"Attestation", "PathStep"}
    assert TypeAdapter(models.Requires).validate_python({}).min_assurance == "low"


@pytest.mark.case("M16", "M09")
async def test_a_link_to_an_image_of_a_closed_case_is_for_one_reader_and_ends_with_their_right_to_read(
    lyon: Site, anybody: Client, png: bytes
) -> None:
    author = await attested(lyon, "author")
    reader = await attested(lyon, "reader")
    stranger = await signed_in(lyon, "stranger")
    image = (await author.upload("/api/v2/media", {"file": png}, {"description": "ECG"})).json["id"]
    closed = {"audience": "verified", "media_ids": [image]}
    case = as_case(await author.post(CASES, CASE | closed))
    (seen,) = as_case(await reader.get(f"{CASES}/{case['id']}"))["media_attachments"]
    for url in (seen["url"], seen["preview_url"]):
        path, _, query = url.removeprefix(lyon.instance.here.uris.base).partition("?token=")
        assert (await anybody.get(path, token=query)).status == 200
        until, viewer, mac = query.split(".")
        assert viewer == reader.id
        assert stranger.account is not None
        for forged in ("", "x", f"{until}.{stranger.id}.{mac}", f"{until}9.{viewer}.{mac}", f"{until}.{viewer}"):
            assert (await anybody.get(path, token=forged)).status == 404, forged
        assert (await stranger.get(path)).status == 404
    async with lyon.instance.store.transaction("hide") as tx:
        for held in await credentials.of_account(tx, int(reader.id)):
            await consent.withdraw(tx, lyon.instance.here, reader.account, held.id)  # type: ignore[arg-type]
    path, _, query = seen["url"].removeprefix(lyon.instance.here.uris.base).partition("?token=")
    assert (await anybody.get(path, token=query)).status == 404, "the link outlives the right to read"


@pytest.mark.case("G05")
async def test_images_of_a_suspended_author_are_served_no_more(
    lyon: Site, dupont: Client, anybody: Client, png: bytes
) -> None:
    image = (await dupont.upload("/api/v2/media", {"file": png}, {"description": "ECG"})).json["id"]
    status = (await dupont.post("/api/v1/statuses", {"status": "ECG", "media_ids": [image]})).json
    path = status["media_attachments"][0]["url"].removeprefix(lyon.instance.here.uris.base)
    assert (await anybody.get(path)).status == 200
    async with lyon.instance.store.transaction("suspend") as tx:
        await accounts.suspend(tx, int(dupont.id), lyon.instance.here.now())
    assert (await anybody.get(path)).status == 404


@pytest.mark.case("H10")
async def test_nobody_chooses_what_the_images_of_peers_are_fetched_from(lyon: Site, anybody: Client) -> None:
    """A picture is named by a number that we gave; addresses, sizes and other parameters change nothing."""
    alice = Stranger(lyon.world, "good.test").person("alice", icon={"type": "Image", "url": "https://files.test/a.png"})
    fetched: list[str] = []

    async def files(scope: Any, _receive: Any, send: Any) -> None:
        fetched.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"image/png")]})
        await send({"type": "http.response.body", "body": b"pixels"})

    for host in ("files.test", "victim.test"):
        lyon.world.internet.register(host, files)
    account = await lyon.instance.lookup.actor(alice.uri)
    path = f"/media/account/{account.id}"
    own = f"https://lyon.test{path}"
    for query in ({}, {"url": "https://victim.test/"}, {"url": own}, {"width": "100000"}, {"static": "1"}):
        answer = await anybody.get(path, **query)
        assert (answer.status, answer.body) == (200, b"pixels")
    assert fetched == ["/a.png"]
    for wrong in (
        "https://victim.test/a.png",
        "https%3A%2F%2Fvictim.test%2Fa.png",
        "0",
        "-1",
        "9" * 30,
        "..",
        "%2e%2e",
    ):
        assert (await anybody.get(f"/media/account/{wrong}")).status == 404, wrong
        assert (await anybody.get(f"/media/peer/{wrong}")).status == 404, wrong
    assert fetched == ["/a.png"]
