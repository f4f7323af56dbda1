"""Tell SQL from the strings and comments inside it, so that it can be cut and rewritten unparsed."""

import re
from collections.abc import Iterator
from typing import NamedTuple

_OPAQUE = re.compile(
    r"""
      (?P<comment> --[^\n]* | /\* )
    | (?P<quoted>  (?<![A-Za-z0-9_])[eE]'(?:[^'\\]|''|\\.)*' | '(?:[^']|'')*' | "(?:[^"]|"")*" )
    | (?P<dollar>  (?<![A-Za-z0-9_$])\$(?P<tag>[A-Za-z_]\w*)?\$ )
    """,
    re.VERBOSE | re.DOTALL,
)
_BLOCK_EDGE = re.compile(r"/\*|\*/")
_WORD_OR_SEMICOLON = re.compile(r"[A-Za-z_]\w*|;")


class Piece(NamedTuple):
    """A run of SQL: `kind` is "code", "comment" or "quoted" (a literal, a quoted name, a $$body$$)."""

    kind: str
    text: str


def pieces(text: str) -> Iterator[Piece]:
    """Cut `text` into pieces; joined again they are `text`. An unclosed quote or comment runs to the end."""
    start = 0
    while (match := _OPAQUE.search(text, start)) is not None:
        if match.start() > start:
            yield Piece("code", text[start : match.start()])
        end = _end(text, match)
        yield Piece("comment" if match["comment"] else "quoted", text[match.start() : end])
        start = end
    if start < len(text):
        yield Piece("code", text[start:])


def _end(text: str, match: re.Match[str]) -> int:
    if match["dollar"]:
        closing = text.find(match["dollar"], match.end())
        return len(text) if closing < 0 else closing + len(match["dollar"])
    if match["comment"] == "/*":
        return _block_comment_end(text, match.end())
    return match.end()


def _block_comment_end(text: str, start: int) -> int:
    # PostgreSQL nests block comments and SQLite does not: read as PostgreSQL does.
    depth = 1
    for edge in _BLOCK_EDGE.finditer(text, start):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return edge.end()
    return len(text)


def split(script: str) -> list[str]:
    """The statements of a script, without comments and closing semicolons; trigger bodies stay whole."""
    statements: list[str] = []
    current: list[str] = []
    body = _Body()
    for piece in pieces(script):
        if piece.kind == "comment":
            current.append(" ")
            continue
        if piece.kind == "quoted":
            current.append(piece.text)
            continue
        start = 0
        for token in _WORD_OR_SEMICOLON.finditer(piece.text):
            if token.group() != ";":
                body.word(token.group().upper())
                continue
            if body.depth:
                continue
            current.append(piece.text[start : token.start()])
            statements.append("".join(current).strip())
            current, start, body = [], token.end(), _Body()
        current.append(piece.text[start:])
    statements.append("".join(current).strip())
    return [statement for statement in statements if statement]


class _Body:
    """How deep in the BEGIN … END of a CREATE TRIGGER (or of a standard SQL function) we are."""

    def __init__(self) -> None:
        self.depth = 0
        self._first = ""

    def word(self, word: str) -> None:
        self._first = self._first or word
        if self._first != "CREATE":
            return
        if word == "BEGIN" or (word == "CASE" and self.depth):
            self.depth += 1
        elif word == "END" and self.depth:
            self.depth -= 1
