"""A server starts quickly, says where, does what commands ask for, and stops without losing anything."""

import signal
import socket
import stat
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import CLEAN, Place, Serving


def get(url: str) -> tuple[int, dict[str, str], bytes]:
    with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - loopback
        return response.status, {name.lower(): value for name, value in response.headers.items()}, response.read()


def test_it_answers_and_stops_cleanly(place: Place, serving: Callable[..., Serving]) -> None:
    running = serving()
    status, headers, _ = get(f"{running.url}/livez")
    assert status == 200
    assert "server" not in headers
    assert (place.data / "medfed.sock").exists()
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(20) == 0
    assert not (place.data / "medfed.sock").exists()
    assert not (place.data / "medfed.db-wal").exists()
    assert place.run("audit", "verify").status == 0


def test_systemd_is_told_when_it_answers_and_not_before(serving: Callable[..., Serving], tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        running = serving(NOTIFY_SOCKET=str(tmp_path / "notify"))
        assert manager.recv(64) == b"READY=1"
        assert get(f"{running.url}/livez")[0] == 200


def test_a_manager_that_does_not_listen_stops_nothing(serving: Callable[..., Serving], tmp_path: Path) -> None:
    running = serving(NOTIFY_SOCKET=str(tmp_path / "nobody"))
    assert get(f"{running.url}/livez")[0] == 200


def test_commands_are_done_by_a_worker_that_holds_the_file(place: Place) -> None:
    process = subprocess.Popen(place.command("worker"), stderr=subprocess.PIPE, text=True, env=CLEAN)
    assert process.stderr is not None
    try:
        assert process.stderr.readline() == "working\n"
        assert place.run("member", "list", "--json").json == []
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        process.stderr.close()


def test_commands_are_done_by_the_running_server(place: Place, serving: Callable[..., Serving]) -> None:
    running = serving()
    assert stat.S_IMODE((place.data / "medfed.sock").stat().st_mode) == 0o600
    made = place.run("member", "create", "roy", "--email", "roy@lyon.example", "--json")
    assert made.status == 0, made.err
    assert len(place.run("token", "create", "roy").out.strip()) == 43
    assert place.run("member", "create", "roy", "--email", "x@lyon.example").err == (
        "medfed: the user name 'roy' is taken\n"
    )
    assert place.run("peer", "set", "lille.example", "trusted").status == 0
    assert place.run("doctor").status == 0
    assert get(f"{running.url}/.well-known/webfinger?resource=acct:roy@lyon.example")[0] == 200


def test_a_second_server_on_the_same_data_is_refused(place: Place, serving: Callable[..., Serving]) -> None:
    serving()
    second = place.spawn("serve", "--port", "0")
    assert second.status == 1
    assert "another medfed server" in second.err


def test_a_taken_port_is_one_clear_sentence(place: Place, serving: Callable[..., Serving]) -> None:
    running = serving()
    other = Place(place.folder.with_name("other"), place.capture)
    assert other.run("init", "--domain", "lille.example").status == 0
    done = other.spawn("serve", "--port", running.url.rpartition(":")[2])
    assert done.status == 1
    assert done.err == f"medfed: cannot listen on 127.0.0.1:{running.url.rpartition(':')[2]}: Address already in use\n"


def test_test_modes_are_said_loudly(serving: Callable[..., Serving]) -> None:
    running = serving(
        MEDFED_REGISTRATION__CONFIRM="none",
        MEDFED_REGISTRATION__MODE="open",
        MEDFED_LIMITS__ENABLED="false",
        MEDFED_FEDERATION__ALLOW_HTTP="true",
    )
    said = "".join(running.said)
    for word in ("registration.confirm", "registration.mode", "limits.enabled", "federation.allow_http"):
        assert f"WARNING: {word}" in said


def test_several_processes_need_postgresql(place: Place) -> None:
    done = place.run("serve", "--workers", "2")
    assert done.status == 1
    assert "PostgreSQL" in done.err


def test_a_server_that_was_killed_starts_again(place: Place, serving: Callable[..., Serving]) -> None:
    running = serving()
    place.run("member", "create", "roy", "--email", "roy@lyon.example")
    running.process.send_signal(signal.SIGKILL)
    running.process.wait(10)
    assert (place.data / "medfed.sock").exists()
    assert place.run("member", "list", "--json").json[0]["username"] == "roy"
    assert get(f"{serving().url}/livez")[0] == 200


def test_a_worker_alone_stops_when_it_is_told(place: Place) -> None:
    process = subprocess.Popen(place.command("worker"), stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert process.stderr.readline() == "working\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    process.stderr.close()


def test_idle_memory_is_modest(serving: Callable[..., Serving]) -> None:
    running = serving()
    get(f"{running.url}/livez")
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    (resident,) = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")]
    assert resident < 130 * 1024
