"""Log lines are single, short and discreet; numbers read as Prometheus reads them."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from medfed.kernel.correlation import request_id
from medfed.kernel.observe import LONGEST_LINE, SERIES_KEPT, Metric, Metrics, log_to, masked


@pytest.fixture
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def logged(message: str, *args: object, as_json: bool, **extra: object) -> str:
    stream = io.StringIO()
    log_to(stream, as_json=as_json)
    logging.getLogger("medfed.test").info(message, *args, extra=extra)
    return stream.getvalue()


@pytest.mark.case("G15")
@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize(
    "field",
    [
        "a\r\nINFO forged",
        "\x1b[31mred\x1b[0m\x07",
        'x","level":"error',
        "\u2028\u202e\x00\x9b",
        "\ud800",
        "x" * 100_000,
        "é" * 100_000,
    ],
)
def test_whatever_a_stranger_sends_stays_on_one_short_line(restored: None, field: str, as_json: bool) -> None:
    line = logged("from %s", field, as_json=as_json, agent=field)
    assert line.endswith("\n")
    assert line.count("\n") == 1
    assert len(line.encode()) <= LONGEST_LINE + 1
    assert not any(character in line for character in "\r\x1b\x07\x00\x9b\u2028\u202e")
    if as_json:
        facts = json.loads(line)
        assert facts["level"] == "info"


@pytest.mark.case("G15", "C17")
@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer hunter2hunter2",
        "'authorization': 'Bearer hunter2hunter2'",
        "Bearer hunter2hunter2",
        "GET /oauth/token?code=hunter2&client_secret=hunter2",
        '{"password": "hunter2", "token":"hunter2"}',
        "Cookie: __Host-session=hunter2; other=hunter2",
        'Signature: keyId="x",signature="hunter2"',
        "postgresql://medfed:hunter2@db.example/medfed",
        "csrf=hunter2",
    ],
)
def test_credentials_do_not_reach_the_log(restored: None, text: str) -> None:
    assert "hunter2" not in masked(text)
    assert "hunter2" not in logged("%s", text, as_json=True)


def test_addresses_lose_all_but_their_first_letter() -> None:
    assert masked("mail to jean.dupont@chu-lyon.example failed") == "mail to j•••@chu-lyon.example failed"
    assert masked("https://a.example/@roy follows @roy@lille.test") == "https://a.example/@roy follows @roy@lille.test"


def test_a_line_says_when_where_what_and_in_which_request(restored: None) -> None:
    token = request_id.set("r-1")
    try:
        facts = json.loads(logged("sent %d", 3, as_json=True, host="a.example", tries=2))
        line = logged("sent %d", 3, as_json=False, host="a.example")
    finally:
        request_id.reset(token)
    assert (facts["message"], facts["request"], facts["host"], facts["tries"]) == ("sent 3", "r-1", "a.example", 2)
    assert "info    medfed.test: sent 3 request=r-1 host=a.example" in line


def test_an_exception_is_on_the_same_line(restored: None) -> None:
    stream = io.StringIO()
    log_to(stream, as_json=True)
    try:
        int("token=hunter2")
    except ValueError:
        logging.getLogger("medfed.test").exception("failed")
    facts = json.loads(stream.getvalue())
    assert "ValueError" in facts["error"]
    assert "hunter2" not in stream.getvalue()


def test_metrics_are_written_as_prometheus_reads_them() -> None:
    metrics = Metrics(
        [
            Metric(name="sent_total", kind="counter", help="Deliveries made.", labels=("outcome",)),
            Metric(name="waiting", kind="gauge", help="Deliveries owed."),
            Metric(name="took_seconds", kind="histogram", help="How long."),
        ]
    )
    metrics.count("sent_total", outcome='o"k\n')
    metrics.count("sent_total", by=2, outcome='o"k\n')
    metrics.set("waiting", 7)
    metrics.observe("took_seconds", 0.02)
    metrics.observe("took_seconds", 60)
    text = metrics.render()
    assert '# TYPE sent_total counter\nsent_total{outcome="o\\"k\\n"} 3\n' in text
    assert "# HELP waiting Deliveries owed.\n# TYPE waiting gauge\nwaiting 7\n" in text
    assert 'took_seconds_bucket{le="0.01"} 0\ntook_seconds_bucket{le="0.025"} 1\n' in text
    assert 'took_seconds_bucket{le="+Inf"} 2\ntook_seconds_sum 60.02\ntook_seconds_count 2\n' in text


@pytest.mark.case("H11")
def test_strangers_cannot_fill_the_memory_with_series() -> None:
    metrics = Metrics([Metric(name="seen_total", kind="counter", help="Seen.", labels=("host",))])
    for number in range(3 * SERIES_KEPT):
        metrics.count("seen_total", host=f"{number}.example")
    text = metrics.render()
    assert text.count("seen_total{") == SERIES_KEPT + 1
    assert f'seen_total{{host="other"}} {2 * SERIES_KEPT}' in text


def test_what_was_not_declared_cannot_be_counted() -> None:
    metrics = Metrics([Metric(name="a", kind="counter", help="A.", labels=("x",))])
    with pytest.raises(KeyError):
        metrics.count("a")
    with pytest.raises(KeyError):
        metrics.count("a", y="1")
    with pytest.raises(KeyError):
        metrics.count("a", x="1", y="1")
    with pytest.raises(KeyError):
        metrics.count("b")
