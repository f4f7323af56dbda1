"""Finds links, mentions and hashtags in what members type, folds hashtags, and counts characters as clients do.

Every function is linear in the length of its input, whatever the input is (H12).
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

FoundKind: TypeAlias = Literal["url", "mention", "hashtag"]

URL_CHARACTERS: Final = 23
"""What a link counts for, however long it is; clients assume Mastodon's number."""
_LONGEST_URL: Final = 2_048

# Python's \w leaves out vowel signs and other marks, without which many scripts cannot write a word.
_WORD: Final = r"\w\u0300-\u036f\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0900-\u0963\u0966-\u109f\u17b4-\u17d3"
_TOKEN: Final = re.compile(
    rf"""
    (?P<url> (?<![\w]) https?://[\w\[][^\s<>"\x00-\x1f]{{1,{_LONGEST_URL}}}+ )
    | (?<![\w/=@.])@(?P<username>[A-Za-z0-9_](?:[A-Za-z0-9_.-]{{0,253}}[A-Za-z0-9_])?)
      (?:@(?P<domain>[\w](?:[\w.-]{{0,251}}\w)?(?::[0-9]{{1,5}}(?!\w))?))?(?![@/\w])
    | (?<![\w/=&)])[\#＃](?P<hashtag>[{_WORD}·・\u200c]{{1,255}}+)(?![{_WORD}])
    """,
    re.VERBOSE | re.IGNORECASE,
)
_CLOSERS: Final = {")": "(", "]": "[", "}": "{"}
_NEVER_LAST: Final = frozenset(".,;:!?'\"*_~»”’…")
_SEPARATORS: Final = "·・\u200c"
_PLAIN_LETTERS: Final = str.maketrans("øđðłħıŧĸŋ", "oddlhitkn")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One link, mention or hashtag, at text[start:end]."""

    kind: FoundKind
    start: int
    end: int
    text: str
    """The URL; `name@domain` or `name` of a mention; a hashtag without its sign."""
    username: str = ""
    domain: str = ""


def find(text: str) -> list[Found]:
    """Everything that becomes a link, in order, without overlaps."""
    return [found for match in _TOKEN.finditer(text) if (found := _found(match)) is not None]


def mentions(text: str) -> list[tuple[str, str]]:
    """(username, domain) of everybody mentioned, each once; the domain is '' for an account of this instance."""
    named = ((found.username, found.domain) for found in find(text) if found.kind == "mention")
    return list({(name.casefold(), domain): (name, domain) for name, domain in named}.values())


def hashtags(text: str) -> list[str]:
    """Hashtags, folded, each once."""
    return list(dict.fromkeys(fold_hashtag(found.text) for found in find(text) if found.kind == "hashtag"))


def fold_hashtag(name: str) -> str:
    """The form that hashtags are stored and compared in: #Santé and #SANTE are one, as on Mastodon."""
    if name.isascii():
        return name.removeprefix("#").lower()
    folded = unicodedata.normalize("NFKC", name.removeprefix("#").removeprefix("＃")).casefold()
    kept: list[str] = []
    latin = False
    for character in unicodedata.normalize("NFD", folded):
        if unicodedata.combining(character):
            if not latin:
                kept.append(character)
            continue
        latin = character < "\u0250"
        kept.append(character)
    return unicodedata.normalize("NFC", "".join(kept).translate(_PLAIN_LETTERS))


def length(text: str) -> int:
    """The length of a post as clients count it: graphemes, a URL as 23, a mention without its domain."""
    total, at = 0, 0
    for found in find(text):
        if found.kind == "hashtag":
            continue
        total += _graphemes(text[at : found.start])
        total += URL_CHARACTERS if found.kind == "url" else 1 + len(found.username)
        at = found.end
    return total + _graphemes(text[at:])


def _found(match: re.Match[str]) -> Found | None:
    start = match.start()
    if match["url"] is not None:
        return _url(match["url"], start)
    if match["username"] is not None:
        username, domain = match["username"], (match["domain"] or "").lower()
        named = f"{username}@{domain}" if domain else username
        return Found(kind="mention", start=start, end=match.end(), text=named, username=username, domain=domain)
    name = match["hashtag"].rstrip(_SEPARATORS)
    if name.startswith(tuple(_SEPARATORS)) or not any(letter.isalpha() or letter in _SEPARATORS for letter in name):
        return None
    return Found(kind="hashtag", start=start, end=start + 1 + len(name), text=name)


def _url(url: str, start: int) -> Found | None:
    trimmed = _without_trailing_punctuation(url)
    authority = re.split(r"[/?#]", trimmed.partition("://")[2], maxsplit=1)[0]
    if not authority or "@" in authority:
        # A user name before the host serves only to pass one site off as another (E08).
        return None
    return Found(kind="url", start=start, end=start + len(trimmed), text=trimmed)


def _without_trailing_punctuation(url: str) -> str:
    """`(see https://a.example/b_(c)).` ends at the inner bracket."""
    end = len(url)
    surplus = {closer: url.count(closer) - url.count(opener) for closer, opener in _CLOSERS.items()}
    while end:
        last = url[end - 1]
        if last in _CLOSERS and surplus[last] > 0:
            surplus[last] -= 1
        elif last not in _NEVER_LAST:
            break
        end -= 1
    return url[:end]


def _graphemes(text: str) -> int:
    """About as many as a reader would count: marks, joiners and modifiers belong to what they follow."""
    if text.isascii():
        return len(text)
    total, joined, flags = 0, False, 0
    for character in text:
        if character == "\u200d":
            joined = True
            continue
        is_flag = "\U0001f1e6" <= character <= "\U0001f1ff"
        flags = flags + 1 if is_flag else 0
        belongs = joined or (is_flag and flags % 2 == 0) or _is_mark(character)
        joined = False
        total += not belongs
    return total


def _is_mark(character: str) -> bool:
    return "\U0001f3fb" <= character <= "\U0001f3ff" or unicodedata.category(character) in ("Mn", "Me")
