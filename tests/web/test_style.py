"""The style sheet keeps what the design promises: contrasts in both themes, one file, nothing from elsewhere."""

import re
from pathlib import Path
from typing import Final

import pytest

STATIC: Final = Path(__file__).parent.parent.parent / "medfed" / "web" / "static"
SHEET: Final = (STATIC / "medfed.css").read_text()
TOKENS: Final = {
    name: (light, dark)
    for name, light, dark in re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", SHEET)
}
SOFTS: Final = ("act-soft", "trust-soft", "pseudo-soft", "warn-soft", "harm-soft")

# Foreground, ground, least ratio in light and in dark: the table of the design, section 3.
PAIRS: Final = (
    ("ink", "sunken", 13.5, 12.1),
    ("ink-2", "sunken", 6.8, 7.9),
    ("ink-3", "sunken", 4.8, 5.7),
    ("ink-3", "paper", 5.2, 7.2),
    *(("ink-2", soft, 6.6, 7.3) for soft in SOFTS),
    ("act", "act-soft", 6.4, 7.1),
    ("act", "paper", 7.2, 9.8),
    ("edge", "sunken", 3.2, 3.7),
    ("focus", "sunken", 4.4, 8.2),
    ("on-fill", "fill", 7.9, 5.0),
    ("on-fill", "fill-strong", 7.9, 5.0),
    ("fill", "surface", 7.9, 3.3),
    ("trust", "trust-soft", 6.0, 7.9),
    ("trust-edge", "trust-soft", 3.1, 3.5),
    ("pseudo", "pseudo-soft", 6.5, 7.4),
    ("warn", "warn-soft", 6.2, 7.7),
    ("harm", "harm-soft", 6.5, 7.0),
    ("on-urgent", "urgent", 7.7, 9.5),
    # What the sheet adds to the table.
    ("ink", "act-soft", 7.0, 7.0),
    ("act-strong", "act-soft", 7.0, 7.0),
    ("act", "sunken", 4.5, 4.5),
    ("harm", "surface", 4.5, 4.5),
    ("warn", "surface", 4.5, 4.5),
)


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio, WCAG 2.2."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("foreground", "ground", "light", "dark"), PAIRS)
def test_every_pair_of_colours_keeps_its_contrast_in_both_themes(
    foreground: str, ground: str, light: float, dark: float
) -> None:
    measured = [contrast(TOKENS[foreground][theme], TOKENS[ground][theme]) for theme in (0, 1)]
    assert round(measured[0], 1) >= light
    assert round(measured[1], 1) >= dark


def test_the_table_is_not_vacuous() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert len(TOKENS) == 27


def test_every_token_that_is_used_is_defined() -> None:
    used = set(re.findall(r"var\(--([\w-]+)\)", SHEET))
    defined = set(re.findall(r"--([\w-]+):", SHEET))
    assert used <= defined
    # A token that nothing uses says nothing.
    assert defined <= used


def test_the_sheet_is_small_and_asks_nothing_of_other_places() -> None:
    assert len(SHEET.encode()) < 50_000
    assert "url(" not in SHEET
    assert "@import" not in SHEET


def test_the_sheet_is_in_layers_and_has_no_styles_by_id() -> None:
    assert "@layer reset, tokens, base, layout, parts, pages;" in SHEET
    without_colours = re.sub(r"#[0-9a-f]{3,6}\b", "", SHEET)
    assert not re.search(r"#[a-z]", without_colours)


def test_sides_are_logical_so_that_right_to_left_holds() -> None:
    assert not re.search(r"(?<!area-)\b(margin|padding|border|inset)-(left|right|top|bottom)\b", SHEET)
    assert not re.search(r"[{;]\s*(left|right|top|bottom|width|height):", SHEET)


def test_nothing_is_green_but_trust() -> None:
    for name, colours in TOKENS.items():
        if name.startswith("trust"):
            continue
        for colour in colours:
            red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
            assert not (green > red + 24 and green > blue + 24), name


def test_motion_is_short_and_stops_for_whom_it_disturbs() -> None:
    assert "animation" not in SHEET
    moved = SHEET.index("transition:")
    assert "prefers-reduced-motion: no-preference" in SHEET[moved - 120 : moved]


def test_the_script_is_a_comfort_of_a_few_lines() -> None:
    script = (STATIC / "medfed.js").read_text()
    assert len(script.encode()) < 4_000
    assert not re.search(r"innerHTML|eval|document\.write|fetch\(|localStorage|sessionStorage", script)
