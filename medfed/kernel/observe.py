"""What an operator sees of a running server: one log line per event, with nothing secret in it, and numbers to plot."""

import json
import logging
import math
import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO, TypeAlias

from medfed.kernel.correlation import request_id

LONGEST_LINE: Final = 8_000
"""Bytes of one log line, its end excluded."""

_MASK: Final = "•••"
_SECRETS: Final = re.compile(
    r"""(?ix)
    \b(authorization|proxy-authorization|cookie|set-cookie|signature|signature-input)(["']?\s*[:=]\s*)[^\r\n]{1,8000}+
    | \b(bearer|basic)(\s+)[A-Za-z0-9._~+/=-]{8,}+
    | \b(access_token|refresh_token|client_secret|token|password|passwd|secret|code|csrf|invitation|
         code_verifier|private_?key)(["']?\s*[:=]\s*["']?)[^\s&"',;})\]]{1,4000}+
    """
)
_USER_INFO: Final = re.compile(r"(?<=://)[^\s/@]{1,200}+@")
_ADDRESS: Final = re.compile(r"(?<![\w@.+-])([A-Za-z0-9])[A-Za-z0-9.!#$%&'*+=?^_`{|}~-]{0,63}+(?=@[\w-]{1,63}\.[\w])")
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def masked(text: str) -> str:
    """The text without credentials, and with e-mail addresses cut to their first letter (G15)."""
    text = _SECRETS.sub(_without_secret, text)
    return _ADDRESS.sub(rf"\1{_MASK}", _USER_INFO.sub(f"{_MASK}@", text))


def escaped(text: str) -> str:
    """One line that no terminal and no log reader takes for anything else."""
    return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def _without_secret(match: re.Match[str]) -> str:
    name = match[1] or match[3] or match[5]
    between = match[2] or match[4] or match[6]
    return f"{name}{between}{_MASK}"


class LineFormatter(logging.Formatter):
    """One line for people: time, level, logger, request id, message, and what came with it."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter.format."""
        facts = _facts(record)
        parts = [facts.pop("at"), facts.pop("level").ljust(7), f"{facts.pop('logger')}:", facts.pop("message")]
        parts += [f"{name}={value}" for name, value in facts.items()]
        return _cut(" ".join(str(part) for part in parts))


class JsonFormatter(logging.Formatter):
    """One JSON object on one line, for machines."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter.format."""
        facts = _facts(record)
        line = json.dumps(facts, ensure_ascii=False)
        while len(line.encode()) > LONGEST_LINE:
            longest = max(facts, key=lambda name: len(str(facts[name])))
            text = str(facts[longest])
            facts[longest] = text[: len(text) // 2 - 1] + "…"
            line = json.dumps(facts, ensure_ascii=False)
        return line


def log_to(stream: TextIO, *, as_json: bool, level: int = logging.INFO) -> None:
    """Send every log record of this process to `stream`, formatted and masked; replaces what was set up before."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if as_json else LineFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": _safe(record.getMessage()),
    }
    if request_id.get():
        facts["request"] = request_id.get()
    for name, value in vars(record).items():
        if name not in _STANDARD:
            facts[_safe(name)] = value if isinstance(value, int | float | bool | None) else _safe(f"{value}")
    if record.exc_info:
        facts["error"] = _safe(logging.Formatter().formatException(record.exc_info))
    return facts


def _safe(text: str) -> str:
    """Masked and escaped; cut first, so that a flood costs no more than a line."""
    if len(text) > LONGEST_LINE:
        text = f"{text[: LONGEST_LINE // 2]}…{text[-LONGEST_LINE // 4 :]}"
    return escaped(masked(text))


def _cut(line: str) -> str:
    data = line.encode()
    return line if len(data) <= LONGEST_LINE else data[: LONGEST_LINE - 3].decode(errors="ignore") + "…"


# ── numbers ──────────────────────────────────────────────────────────────────────────────────────────────────

MetricKind: TypeAlias = Literal["counter", "gauge", "histogram"]

SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SERIES_KEPT: Final = 500
"""Label sets of one metric; what comes after them is counted together, so that no stranger can fill the memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """What is measured. `labels` are the names that each series carries."""

    name: str
    kind: MetricKind
    help: str
    labels: tuple[str, ...] = ()


@dataclass(slots=True)
class _Histogram:
    counts: list[int]
    total: float = 0.0


class Metrics:
    """Counts and measures the declared metrics, and writes them as Prometheus reads them. One for each Instance."""

    def __init__(self, declared: Sequence[Metric]) -> None:
        self._declared = {metric.name: metric for metric in declared}
        self._values: dict[str, dict[tuple[str, ...], float]] = {metric.name: {} for metric in declared}
        self._histograms: dict[str, dict[tuple[str, ...], _Histogram]] = {metric.name: {} for metric in declared}

    def count(self, name: str, by: float = 1, **labels: str) -> None:
        """Add to a counter. Raises KeyError for an undeclared metric or label."""
        series, key = self._values[name], self._key(name, labels, self._values[name])
        series[key] = series.get(key, 0) + by

    def set(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge. Raises KeyError for an undeclared metric or label."""
        self._values[name][self._key(name, labels, self._values[name])] = value

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        """Add a duration to a histogram. Raises KeyError for an undeclared metric or label."""
        series = self._histograms[name]
        histogram = series.setdefault(self._key(name, labels, series), _Histogram([0] * (len(SECONDS) + 1)))
        histogram.counts[bisect_left(SECONDS, seconds)] += 1
        histogram.total += seconds

    def render(self) -> str:
        """Everything, in the text format of Prometheus 0.0.4."""
        lines: list[str] = []
        for name, metric in self._declared.items():
            lines += [f"# HELP {name} {metric.help}", f"# TYPE {name} {metric.kind}"]
            if metric.kind == "histogram":
                for key, histogram in self._histograms[name].items():
                    lines += _histogram_lines(metric, key, histogram)
            else:
                lines += [f"{name}{_labels(metric, key)} {_number(value)}" for key, value in self._values[name].items()]
        return "\n".join(lines) + "\n"

    def _key(self, name: str, labels: Mapping[str, str], series: Mapping[tuple[str, ...], object]) -> tuple[str, ...]:
        metric = self._declared[name]
        key = tuple(labels[label] for label in metric.labels)
        if len(labels) != len(metric.labels):
            raise KeyError(f"{name} has the labels {metric.labels}")
        if key not in series and len(series) >= SERIES_KEPT:
            return ("other",) * len(metric.labels)
        return key


def _histogram_lines(metric: Metric, key: tuple[str, ...], histogram: _Histogram) -> list[str]:
    lines, running = [], 0
    for bound, count in zip((*SECONDS, math.inf), histogram.counts, strict=True):
        running += count
        limit = "+Inf" if bound == math.inf else _number(bound)
        lines.append(f"{metric.name}_bucket{_labels(metric, key, le=limit)} {running}")
    lines.append(f"{metric.name}_sum{_labels(metric, key)} {_number(histogram.total)}")
    lines.append(f"{metric.name}_count{_labels(metric, key)} {running}")
    return lines


def _labels(metric: Metric, key: tuple[str, ...], **more: str) -> str:
    pairs = dict(zip(metric.labels, key, strict=True)) | more
    inside = ",".join(f'{name}="{_label(value)}"' for name, value in pairs.items())
    return f"{{{inside}}}" if inside else ""


def _label(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
