"""The trust policy as a document: what is written is read back, and what is wrong is named."""

import contextlib
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medfed.domain import policies
from medfed.domain.codes import COUNTRIES, PROFESSIONS, SPECIALTIES
from medfed.domain.credentials import ASSURANCES, CREDENTIAL_TYPES
from medfed.domain.peers import Level
from medfed.domain.trust import Rule, Scope, TrustPolicy
from medfed.kernel.clock import DAY, HOUR, SECOND
from medfed.kernel.errors import Invalid

EXAMPLE = """
{
  "version": 3,
  "rules": [
    {"id": "fr-specialty", "anchor": "did:web:federation-sante.example", "via": "list", "maxChain": 2,
     "accept": {"credentialTypes": ["SpecialtyCredential", "LicenceCredential"], "jurisdictions": ["FR"]},
     "minAssurance": "substantial", "maxCredentialAge": "P400D", "maxStatusAge": "PT24H", "onStale": "downgrade"},
    {"id": "own-hospital", "anchor": "did:web:chu.example", "via": "direct",
     "accept": {"credentialTypes": ["EmploymentCredential"], "jurisdictions": ["*"]},
     "minAssurance": "low", "subjectHosts": ["chu.example"]}
  ],
  "deny": ["did:web:rogue.example"], "revokedKeys": []
}
"""


def test_the_published_example_is_read() -> None:
    policy = policies.from_json(EXAMPLE)
    first, second = policy.rules
    assert (policy.version, policy.deny, policy.peers) == (3, ("did:web:rogue.example",), None)
    assert (first.via, first.max_chain, first.max_credential_age, first.max_status_age) == ("list", 2, 400 * DAY, DAY)
    assert first.scope.types == frozenset({"SpecialtyCredential", "LicenceCredential"})
    assert second.scope.jurisdictions is None
    assert second.subject_hosts == frozenset({"chu.example"})


def test_a_policy_in_toml_is_one_that_people_can_edit() -> None:
    policy = policies.from_json(EXAMPLE)
    assert policies.from_toml(policies.to_toml(policy)) == policy
    assert '[[rules]]\nid = "own-hospital"\nanchor = "did:web:chu.example"\n' in policies.to_toml(policy)


_HOSTS = st.sampled_from(["chu.example", "localhost:8001", "a-b.example"])


def _names(known: Any) -> st.SearchStrategy[frozenset[str] | None]:
    return st.none() | st.frozensets(st.sampled_from(sorted(known)), max_size=3)


_RULES = st.builds(
    Rule,
    id=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True),
    anchor=st.sampled_from(["did:web:chu.example", "did:web:localhost%3A8001"]),
    via=st.sampled_from(["direct", "list"]),
    list_url=st.sampled_from(["", "https://chu.example/list"]),
    scope=st.builds(
        Scope,
        types=_names(CREDENTIAL_TYPES),
        jurisdictions=_names(COUNTRIES),
        professions=_names(PROFESSIONS),
        specialties=_names(SPECIALTIES),
        max_assurance=st.sampled_from(ASSURANCES),
    ),
    min_assurance=st.sampled_from(ASSURANCES),
    max_credential_age=st.none() | st.integers(1, 400 * 24 * 3600).map(lambda seconds: seconds * SECOND),
    max_status_age=st.integers(1, 72 * 3600).map(lambda seconds: seconds * SECOND),
    on_stale=st.sampled_from(["downgrade", "reject"]),
    subject_hosts=st.none() | st.frozensets(_HOSTS, min_size=1),
)
_POLICIES = st.builds(
    TrustPolicy,
    version=st.integers(0, 1_000),
    rules=st.lists(_RULES, max_size=3, unique_by=lambda rule: rule.id).map(tuple),
    deny=st.lists(st.sampled_from(["did:web:rogue.example"]), max_size=1).map(tuple),
    revoked_keys=st.lists(st.just("z6MkmEq87wkHCYnWnNZkigeDMGTN7oUw1upkhzd77KuXERS1"), max_size=1).map(tuple),
    peers=st.none() | st.dictionaries(_HOSTS, st.sampled_from(Level)),
)


@given(_POLICIES)
def test_what_is_written_is_read_back(policy: TrustPolicy) -> None:
    assert policies.from_toml(policies.to_toml(policy)) == policy
    assert policies.from_json(policies.to_json(policy)) == policy


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.text() | st.sampled_from(["rules", "deny", "peers", "id", "anchor", "accept"]), inner)
        ),
    )
)
def test_any_document_is_read_or_refused(document: Any) -> None:
    with contextlib.suppress(Invalid):
        policies.from_json(json.dumps(document))


def a_rule(**members: Any) -> dict[str, Any]:
    """A policy with one rule."""
    return {"rules": [{"id": "r", "anchor": "did:web:chu.example"} | members]}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"ruels": []}, "did you mean 'rules'"),
        ({"rules": {}}, "rules: a list"),
        ({"rules": [3]}, "rule 1 is not a table"),
        ({"version": -1}, "version is a whole number"),
        ({"version": True}, "version is a whole number"),
        ({"deny": "did:web:a.example"}, "deny: a list"),
        ({"deny": [3]}, "deny: a list"),
        ({"revokedKeys": ["abc"]}, "is not a key"),
        ({"revokedKeys": [], "revoked_keys": []}, "one key in two spellings"),
        ({"peers": []}, "peers: a table"),
        ({"peers": {"Chu.example": "trusted"}}, "is not a domain in lower case"),
        ({"peers": {"chu.example": "adored"}}, "peers: chu.example: blocked or limited"),
        ({"rules": [{"anchor": "did:web:chu.example"}]}, "needs an id"),
        (a_rule(id="a b"), "needs an id"),
        (a_rule(anchro="x"), "did you mean 'anchor'"),
        (a_rule(via="rumour"), "via: direct or list"),
        (a_rule(listUrl="gopher://x"), "list_url: a URL"),
        (a_rule(listUrl=3), "list_url: a URL"),
        (a_rule(maxChain=6), "max_chain is a whole number from 1 to 5"),
        (a_rule(minAssurance="total"), "min_assurance: low or"),
        (a_rule(maxStatusAge="a while"), "a duration such as"),
        (a_rule(maxStatusAge="P"), "a duration such as"),
        (a_rule(maxStatusAge=3600), "a duration such as"),
        (a_rule(onStale="shrug"), "on_stale: downgrade or reject"),
        (a_rule(subjectHosts=["CHU.example"]), "is not a host in lower case"),
        (a_rule(accept=[]), "accept is not a table"),
        (a_rule(accept={"jurisdictions": ["XX"]}), "'XX' is not known"),
        (a_rule(accept={"credentialTypes": ["DriverCredential"]}), "is not known"),
        ({"rules": a_rule()["rules"] * 2}, "two rules are called 'r'"),
    ],
)
def test_what_is_wrong_is_named(document: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid, match=re.escape(words)):
        policies.read_policy(document)


@pytest.mark.case("N16")
@pytest.mark.parametrize(
    "anchor",
    [
        "did:web:HOPITAL.example",
        "did:web:hopital.example.",
        "did:web:hopital.example:8443%2F..",
        "did:web:",
        "did:key:z6Mk",
        "hopital.example",
        "did:web:hôpital.example",
        "https://hopital.example",
        3,
        None,
    ],
)
def test_an_anchor_has_one_spelling(anchor: object) -> None:
    with pytest.raises(Invalid):
        policies.read_policy(a_rule(anchor=anchor))


@pytest.mark.parametrize("text", ["[", "{}", '{"rules": 1', "[[[[["])
def test_what_is_not_toml_or_json_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        policies.from_toml(text)


@pytest.mark.parametrize("text", ["", "[]", "{", "3", "[" * 100_000])
def test_what_is_not_a_json_object_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        policies.from_json(text)


def test_strings_with_odd_characters_survive_toml() -> None:
    policy = policies.read_policy(a_rule(listUrl='https://chu.example/\x7f"\\é\n'))
    assert policies.from_toml(policies.to_toml(policy)) == policy


def test_an_age_may_be_written_in_parts() -> None:
    rule = policies.read_policy(a_rule(maxStatusAge="P1DT2H3M4S")).rules[0]
    assert rule.max_status_age == DAY + 2 * HOUR + 184 * SECOND
