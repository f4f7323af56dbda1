"""Collects the messages of the pages into the French catalogue and compiles it; names what lacks French."""

import sys
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

WEB = Path(__file__).resolve().parent.parent / "medfed" / "web"
CATALOGUE = WEB / "locale" / "fr" / "LC_MESSAGES" / "medfed.po"
# The same messages give the same file, whenever they are collected.
DATE = datetime(2026, 11, 25, tzinfo=UTC)


def main() -> int:
    """Update in place; 1 when a message lacks French."""
    with CATALOGUE.open("rb") as file:
        catalogue = read_po(file, locale="fr")
    catalogue.update(collect(), no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    catalogue.creation_date = catalogue.revision_date = DATE
    with CATALOGUE.open("wb") as file:
        write_po(file, catalogue, width=0, sort_output=True)
    with CATALOGUE.with_suffix(".mo").open("wb") as file:
        write_mo(file, catalogue)
    untranslated = [str(message.id) for message in catalogue if message.id and not message.string]
    for text in untranslated:
        print(f"no French yet: {text}")
    return 1 if untranslated else 0


def collect() -> Catalog:
    """The messages of Python and templates."""
    with (WEB / "locale" / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)  # type: ignore[no-untyped-call]  # babel has no types here
    found = Catalog(project="medfed", charset="utf-8")
    keywords = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2), "pgettext": ((1, "c"), 2)}
    for _, _, message, _, context in extract_from_dir(WEB, methods, options, keywords=keywords):
        found.add(message, None, context=context)
    return found


if __name__ == "__main__":
    sys.exit(main())
