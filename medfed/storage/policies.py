"""Interaction policies as a column of a post holds them."""

from functools import lru_cache

import orjson

from medfed.domain.interactions import DEEDS, SILENT, Policy, Rule


def as_text(policy: Policy) -> str:
    """A policy as the column holds it: '' for one that says nothing."""
    said = {deed: rule for deed in DEEDS if (rule := policy.rule(deed)) is not None}
    if not said:
        return ""
    return orjson.dumps({deed: [rule.automatic, rule.manual] for deed, rule in said.items()}).decode()


def from_text(text: str) -> Policy:
    """A policy as the column holds it, read."""
    return _read(text) if text else SILENT


@lru_cache(maxsize=1_000)
def _read(text: str) -> Policy:
    """Most servers say the same of most of their posts."""
    said = {
        deed: Rule(automatic=tuple(automatic), manual=tuple(manual))
        for deed, (automatic, manual) in orjson.loads(text).items()
    }
    return Policy(**said)
