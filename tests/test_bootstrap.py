"""Set-up on machines unlike ours: mirrors, wrong packages, old interpreters; one sentence where it cannot be."""

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "bin" / "bootstrap.py"


@pytest.fixture
def bootstrap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The script as a module, on a machine that is set up for nothing."""
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL", "PIP_CONFIG_FILE", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    spec = importlib.util.spec_from_file_location("bootstrap_under_test", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "TOOLS", tmp_path / "tools")
    monkeypatch.setattr(module, "PIP_CONFIGURATION", ())
    return module


class Index:
    """A package index on loopback, and what was asked of it."""

    def __init__(self, wheel: str, content: bytes) -> None:
        self.asked: list[tuple[str, str | None]] = []
        page = {"files": [{"filename": wheel, "url": f"../../files/{wheel}"}]}
        answers = {"/simple/pip/": json.dumps(page).encode(), f"/files/{wheel}": content}
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append((self.path, self.headers.get("Authorization")))
                self.send_response(200 if self.path in answers else 404)
                self.end_headers()
                self.wfile.write(answers.get(self.path, b""))

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://mirror:s%40cret@127.0.0.1:{self.server.server_address[1]}/simple"


@contextmanager
def serving(index: Index) -> Iterator[Index]:
    thread = threading.Thread(target=index.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield index
    finally:
        index.server.shutdown()
        thread.join()
        index.server.server_close()


def test_pip_comes_from_the_mirror_this_machine_is_set_up_for(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "PIP_SHA256", hashlib.sha256(b"a wheel").hexdigest())
    with serving(Index(bootstrap.PIP_WHEEL, b"a wheel")) as index:
        monkeypatch.setenv("PIP_INDEX_URL", index.url)
        wheel = bootstrap.pip_from_index()
    assert wheel.read_bytes() == b"a wheel"
    assert [path for path, _ in index.asked] == ["/simple/pip/", f"/files/{bootstrap.PIP_WHEEL}"]
    assert index.asked[0][1] == "Basic bWlycm9yOnNAY3JldA=="


def test_another_file_under_the_right_name_is_refused(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Index(bootstrap.PIP_WHEEL, b"something else")) as index:
        monkeypatch.setenv("PIP_INDEX_URL", index.url)
        with pytest.raises(bootstrap.SetupError, match="serves another"):
            bootstrap.pip_from_index()
    assert not list(bootstrap.TOOLS.glob("*.whl"))


def test_an_index_without_the_locked_pip_is_named_as_the_reason(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(Index("pip-1.0-py3-none-any.whl", b"old")) as index:
        monkeypatch.setenv("UV_DEFAULT_INDEX", index.url)
        with pytest.raises(bootstrap.SetupError, match="has no pip-"):
            bootstrap.pip_from_index()


def test_an_index_that_does_not_answer_is_named_without_its_password(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://mirror:secret@127.0.0.1:9/simple")
    with pytest.raises(bootstrap.SetupError, match=r"index at 127\.0\.0\.1 cannot be read") as refusal:
        bootstrap.pip_from_index()
    assert "secret" not in str(refusal.value)


def test_the_index_and_authority_of_pip_conf_hold_for_uv_too(bootstrap: ModuleType, tmp_path: Path) -> None:
    configuration = tmp_path / "home" / ".config" / "pip" / "pip.conf"
    configuration.parent.mkdir(parents=True)
    configuration.write_text("[global]\nindex-url = https://mirror.example/simple\ncert = /etc/hospital.pem\n")
    environment = bootstrap.installer_environment()
    assert environment["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert environment["SSL_CERT_FILE"] == "/etc/hospital.pem"


def test_what_the_environment_names_goes_before_pip_conf(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    configuration = tmp_path / "pip.conf"
    configuration.write_text("[global]\nindex-url = https://old.example/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(configuration))
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://new.example/simple")
    assert bootstrap.configured_index() == "https://new.example/simple"


def test_with_nothing_configured_the_authorities_of_the_system_are_believed(bootstrap: ModuleType) -> None:
    environment = bootstrap.installer_environment()
    assert environment["UV_SYSTEM_CERTS"] == "1"
    assert environment["UV_PYTHON_DOWNLOADS"] == "never"
    assert "UV_DEFAULT_INDEX" not in environment


def test_a_machine_without_a_suitable_python_is_told_so(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "PYTHON_FLOOR", (99, 0))
    with pytest.raises(bootstrap.SetupError, match=r"needs Python 99\.0 or newer"):
        bootstrap.suitable_python()


def test_a_machine_without_any_installer_is_told_what_would_help(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "ask", lambda _: "")
    monkeypatch.setattr(bootstrap, "bundled_pip", lambda _: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(bootstrap.SetupError, match="neither uv nor pip"):
        bootstrap.pip_command(sys.executable, into=Path(sys.executable))


@pytest.mark.parametrize("arguments", [[], ["everything"], ["dev", "runtime"]])
def test_an_unknown_argument_is_a_usage_error(arguments: list[str]) -> None:
    result = subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "bin/bootstrap.py runtime" in result.stderr


def test_a_second_run_does_nothing(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    installed: list[str] = []
    monkeypatch.setattr(bootstrap, "refuse_foreign_venv", lambda: None)
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / "venv")
    monkeypatch.setattr(bootstrap, "VENV_PYTHON", tmp_path / "venv" / "bin" / "python")
    monkeypatch.setattr(bootstrap, "STAMP", tmp_path / "venv" / "stamp")
    monkeypatch.setattr(bootstrap, "install", lambda _, locks: installed.extend(lock.name for lock in locks))
    bootstrap.set_up("dev", sys.executable)
    bootstrap.set_up("dev", sys.executable)
    bootstrap.set_up("runtime", sys.executable)
    assert installed == ["dev.lock"]
    bootstrap.set_up("extras", sys.executable)
    assert installed == ["dev.lock", "dev.lock", "extras.lock"]


def test_the_command_of_the_environment_is_this_checkout(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    venv = tmp_path / "a folder with spaces"
    monkeypatch.setattr(bootstrap, "VENV", venv)
    monkeypatch.setattr(bootstrap, "VENV_PYTHON", venv / "bin" / "python")
    bootstrap.make_venv(sys.executable)
    bootstrap.put_on_path()
    program = "import importlib.util as u; print(u.find_spec('medfed').origin)"
    found = subprocess.run([venv / "bin/python", "-c", program], capture_output=True, text=True, check=True, cwd="/")
    assert found.stdout.strip() == str(ROOT / "medfed" / "__init__.py")
    assert os.access(venv / "bin" / "medfed", os.X_OK)


def test_an_environment_outside_the_checkout_is_left_alone(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other, checkout = tmp_path / "other", tmp_path / "checkout"
    other.mkdir()
    checkout.mkdir()
    (checkout / ".venv").symlink_to(other)
    monkeypatch.setattr(bootstrap, "ROOT", checkout)
    monkeypatch.setattr(bootstrap, "VENV", checkout / ".venv")
    monkeypatch.setattr(bootstrap, "install", lambda *_: pytest.fail("packages were installed"))
    with pytest.raises(bootstrap.SetupError, match="outside this checkout"):
        bootstrap.set_up("runtime", sys.executable)
    assert list(other.iterdir()) == []
