"""Reading a response off the wire, whatever is on it."""

import gzip
import zlib

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medfed.kernel import limits
from medfed.kernel.errors import RemoteFailure, RemoteRefused, Unreachable
from medfed.net.reader import ResponseReader

LIMIT = 100 * limits.KIB


def read(data: bytes, *, limit: int = LIMIT, whole: bool = True, step: int = 0) -> ResponseReader:
    reader = ResponseReader("a.example", limit, whole=whole)
    for start in range(0, len(data), step or len(data)):
        reader.feed(data[start : start + (step or len(data))])
        if reader.done:
            break
    return reader


def feed_up_to(reader: ResponseReader, data: bytes, total: int) -> None:
    for _ in range(total // len(data)):
        reader.feed(data)


def response(*headers: str, status: int = 200, body: bytes = b"", length: int | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", *headers]
    if not any("chunked" in header for header in headers):
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*lines, "", ""]).encode() + body


@pytest.mark.parametrize("step", [0, 1, 7])
def test_a_response_reads_the_same_in_any_pieces(step: int) -> None:
    data = response("X-Empty:", "Content-Type: text/plain", "x-two: 1", "X-Two: 2", body=b"hello")
    reader = read(data, step=step)
    assert (reader.done, reader.keep_alive, reader.status, reader.body) == (True, True, 200, b"hello")
    assert reader.headers.get("content-TYPE") == "text/plain"
    assert reader.headers.all("X-two") == ["1", "2"]
    assert reader.headers.get("x-two") == "1, 2"
    assert "x-empty" in reader.headers
    assert "absent" not in reader.headers


@pytest.mark.parametrize("step", [0, 1])
def test_a_chunked_response_ends_with_its_last_chunk_and_its_trailers_are_ignored(step: int) -> None:
    data = response("Transfer-Encoding: chunked") + b"2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nContent-Type: x\r\n\r\n"
    reader = read(data, step=step)
    assert (reader.done, reader.body) == (True, b"hello")
    assert "content-type" not in reader.headers


def test_a_body_without_length_ends_with_the_connection() -> None:
    reader = read(b"HTTP/1.0 200 OK\r\n\r\nhello")
    assert not reader.done
    reader.end()
    assert (reader.done, reader.keep_alive, reader.body) == (True, False, b"hello")


@pytest.mark.case("B10")
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        response(body=b"short", length=6),
        response("Transfer-Encoding: chunked") + b"5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"hello", mtime=0)[:-9],
    ],
)
def test_a_response_that_breaks_off_is_unreachable(data: bytes) -> None:
    reader = ResponseReader("a.example", LIMIT, whole=True)
    if data:
        reader.feed(data)
    with pytest.raises(Unreachable) as failure:
        reader.end()
    assert failure.value.host == "a.example"


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01garbage",
        b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        response("Transfer-Encoding: chunked") + b"zz\r\n",
        response("Content-Encoding: gzip", body=b"not gzip at all"),
        response("Content-Encoding: gzip", body=gzip.compress(b"hello" * 99, mtime=0)[:-4]),
    ],
)
def test_what_is_not_http_is_unreachable(data: bytes) -> None:
    with pytest.raises(Unreachable):
        read(data)


@pytest.mark.case("B10")
@pytest.mark.parametrize("size", [-1, 0, 1])
def test_a_body_may_be_as_large_as_its_limit_and_not_one_byte_more(size: int) -> None:
    data = response(body=b"x" * (LIMIT + size))
    if size > 0:
        with pytest.raises(RemoteRefused):
            read(data)
    else:
        assert len(read(data).body) == LIMIT + size


@pytest.mark.case("B10")
def test_an_endless_chunked_body_stops_at_the_limit() -> None:
    reader = ResponseReader("a.example", LIMIT, whole=True)
    reader.feed(response("Transfer-Encoding: chunked"))
    with pytest.raises(RemoteRefused):
        feed_up_to(reader, b"400\r\n" + b"x" * 1024 + b"\r\n", LIMIT + 2_048)


@pytest.mark.case("B10")
@pytest.mark.parametrize(
    ("start", "more"),
    [
        (b"HTTP/1.1 200 OK\r\nX: ", b"x" * 1024),
        (b"HTTP/1.1 200 OK\r\nX", b"x" * 1024),
        (b"HTTP/1.1 200 ", b"x" * 1024),
        (b"HTTP/1.1 200 OK\r\n", b"A: b\r\n" * 100),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n"),
        (response("Transfer-Encoding: chunked"), b"1\r\nx\r\n"),
        (response("Transfer-Encoding: chunked") + b"1;", b"x" * 1024),
        (response("Transfer-Encoding: chunked") + b"0\r\nTrailer: ", b"x" * 1024),
        (response("Transfer-Encoding: chunked") + b"0\r\n", b"Trailer: " + b"x" * 99 + b"\r\n"),
    ],
)
def test_endless_heads_chunks_and_trailers_are_cut_off(start: bytes, more: bytes) -> None:
    reader = ResponseReader("a.example", LIMIT, whole=True)
    if start:
        reader.feed(start)
    with pytest.raises(RemoteRefused):
        feed_up_to(reader, more, 10 * LIMIT)


@pytest.mark.case("B10")
@pytest.mark.parametrize("excess", [0, 1])
def test_a_head_has_a_largest_number_of_fields(excess: int) -> None:
    fields = [f"X-{number}: y" for number in range(limits.RESPONSE_HEADERS - 1 + excess)]
    if excess:
        with pytest.raises(RemoteRefused):
            read(response(*fields))
    else:
        assert read(response(*fields)).done


@pytest.mark.parametrize("interim", [1, limits.INTERIM_RESPONSES])
def test_a_few_interim_responses_are_passed_over(interim: int) -> None:
    reader = read(b"HTTP/1.1 103 Early\r\nContent-Type: a/b\r\n\r\n" * interim + response(status=202))
    assert reader.status == 202
    assert "content-type" not in reader.headers


def test_gzip_and_deflate_are_decoded() -> None:
    body = bytes(range(256)) * 50
    assert read(response("Content-Encoding: gzip", body=gzip.compress(body)), step=100).body == body
    assert read(response("Content-Encoding: Deflate", body=zlib.compress(body))).body == body
    assert read(response("Content-Encoding: identity", body=body)).body == body
    assert read(response("Content-Encoding: gzip", status=204)[:-2] + b"\r\n").body == b""


@pytest.mark.case("B10")
def test_a_gzip_bomb_is_refused_while_it_is_still_small() -> None:
    bomb = gzip.compress(b"\0" * 20 * limits.MIB)
    with pytest.raises(RemoteRefused, match="ratio"):
        read(response("Content-Encoding: gzip", body=bomb), limit=40 * limits.MIB)
    with pytest.raises(RemoteRefused):
        read(response("Content-Encoding: gzip", body=bomb))


@pytest.mark.case("B10")
@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "compress"])
def test_a_coding_that_was_not_asked_for_is_refused(coding: str) -> None:
    with pytest.raises(RemoteRefused):
        read(response(f"Content-Encoding: {coding}", body=b"x"))
    with pytest.raises(RemoteRefused):
        read(response("Content-Encoding: gzip", "Content-Encoding: gzip", body=b"x"))


@pytest.mark.parametrize("coding", ["identity", "br"])
def test_of_an_error_page_the_status_is_kept_and_the_excess_is_not(coding: str) -> None:
    reader = read(response(f"Content-Encoding: {coding}", status=404, body=b"x" * LIMIT * 3))
    assert (reader.done, reader.status, reader.keep_alive) == (True, 404, False)
    assert len(reader.body) <= LIMIT


@pytest.mark.case("X12")
@pytest.mark.parametrize(
    "body",
    [b"garbage", gzip.compress(b"x" * 50, mtime=0)[:-9], gzip.compress(b"x" * 10**6, mtime=0)],
    ids=["garbage", "cut off", "far too large"],
)
@pytest.mark.parametrize(("status", "whole"), [(202, False), (410, True)])
def test_a_compressed_body_that_nobody_reads_may_be_broken(body: bytes, status: int, whole: bool) -> None:
    reader = read(response("Content-Encoding: gzip", status=status, body=body), whole=whole)
    assert (reader.done, reader.status, reader.keep_alive) == (True, status, False)


def test_of_the_answer_to_a_delivery_the_excess_is_cut_off() -> None:
    reader = read(response(status=202, body=b"x" * 100), limit=10, whole=False)
    assert (reader.done, reader.status, reader.body, reader.keep_alive) == (True, 202, b"x" * 10, False)


def test_a_second_response_that_nobody_asked_for_ends_the_connection() -> None:
    reader = read(response(body=b"one") + response(body=b"two"))
    assert (reader.body, reader.keep_alive) == (b"one", False)
    padded = read(response(body=b"x" * 50_000) + b"HTTP/1.1 200")
    assert not padded.keep_alive


@given(st.lists(st.binary(max_size=40), max_size=8), st.integers(1, 50))
def test_garbage_after_any_head_ends_in_a_response_or_a_named_failure(pieces: list[bytes], step: int) -> None:
    for head in (b"", b"HTTP/1.1 200 OK\r\n", response("Transfer-Encoding: chunked")):
        data = head + b"".join(pieces)
        reader = ResponseReader("a.example", 64, whole=True)
        try:
            for start in range(0, len(data), step):
                reader.feed(data[start : start + step])
            reader.end()
        except RemoteFailure:
            continue
        assert reader.status >= 200
        assert len(reader.body) <= 64


def test_the_parser_has_no_leniency_that_was_not_there_before() -> None:
    # llhttp is strict unless told otherwise; a release that changes this must be noticed.
    with pytest.raises(httptools.HttpParserError):
        httptools.HttpResponseParser(object()).feed_data(b"HTTP/1.1 200 OK\nA: b\n\n")
