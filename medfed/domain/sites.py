"""Which hosts are counted together, because whoever owns one of them can make as many more as they like."""

from typing import Final

_REGISTRIES: Final = frozenset(
    {
        "ac", "asso", "co", "com", "edu", "gob", "gouv", "gov", "govt", "gv", "id", "info", "k12", "lg", "ltd", "me",
        "mil", "ne", "net", "nhs", "nom", "or", "org", "plc", "police", "sch", "school", "tm",
    }
)  # fmt: skip
"""Second labels under which countries register names: hospital.nhs.uk, clinique.asso.fr, uni.ac.at."""


def site_of(authority: str) -> str:
    """The name that was registered, of host[:port]: its last two labels, or three under co.uk and the like.

    There is no list of public suffixes here, which would have to be renewed. Where this rule is wrong it counts too
    much together (every name under github.io is one site), and so lets in fewer at a time, never more.
    """
    host = authority.rpartition(":")[0] if authority[-1:].isdigit() and ":" in authority else authority
    labels = host.split(".")
    if host.startswith("[") or all(label.isdigit() for label in labels):
        return host
    is_country = len(labels[-1]) == 2
    return ".".join(labels[-3:] if is_country and len(labels) > 2 and labels[-2] in _REGISTRIES else labels[-2:])
