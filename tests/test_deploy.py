"""deploy/ is what a hospital runs: each file passes the tool that will read it, and names only settings that exist."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import trustme

from medfed.settings import NOT_SETTINGS, Settings

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
UNPACKED = ROOT / ".tools" / "debian"
UNITS = ("medfed.service", "medfed-worker.service", "medfed-backup.service", "medfed-backup.timer")
# Names that the deployment's own files read; medfed ignores them, for they have no section.
DEPLOYMENT_NAMES = NOT_SETTINGS | {"MEDFED_DOMAIN", "MEDFED_UPSTREAM", "MEDFED_EXTRAS"}
DOCUMENTS = [*sorted(path for path in DEPLOY.iterdir() if path.is_file()), *sorted((ROOT / "docs/guide").glob("*.md"))]


def tool(name: str) -> str:
    """A program on PATH, in the environment, or unpacked by bin/extras.py; skips where there is none."""
    places = [os.environ.get("PATH", os.defpath), "/usr/sbin", Path(sys.executable).parent]
    found = shutil.which(name, path=os.pathsep.join(map(str, [*places, UNPACKED / "usr/sbin", UNPACKED / "usr/bin"])))
    if found is None:
        pytest.skip(f"{name} is not on this machine; bin/extras.py fetches it where it can")
    return found


def accepts(*command: str | Path, **environment: str) -> str:
    """Run a checker and return what it said; fails with its words if it refuses."""
    result = subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, **environment},
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def setting_variables() -> Iterator[str]:
    """Every MEDFED_SECTION__KEY that Settings knows."""
    for section, info in Settings.model_fields.items():
        for key in getattr(info.annotation, "model_fields", {}):
            yield f"MEDFED_{section}__{key}".upper()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_variable_named_for_operators_is_a_setting(document: Path) -> None:
    named = set(re.findall(r"\bMEDFED_[A-Z][A-Z0-9_]*\b", document.read_text("utf-8")))
    assert named - {"MEDFED_SECTION__KEY"} - DEPLOYMENT_NAMES <= set(setting_variables())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_toml_example_for_operators_is_a_valid_configuration(document: Path) -> None:
    for example in re.findall(r"```toml\n(.*?)```", document.read_text("utf-8"), flags=re.DOTALL):
        content = tomllib.loads(example)
        content.setdefault("instance", {}).setdefault("domain", "chu-lyon.example")
        Settings.model_validate(content)


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_accepts_each_unit(unit: str, tmp_path: Path) -> None:
    checker = tool("systemd-analyze")
    command = tmp_path / "command"
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    # The units run what is in /opt/medfed, which need not exist here; all else is verified as it is.
    for name in UNITS:
        text = (DEPLOY / name).read_text("utf-8")
        (tmp_path / name).write_text(re.sub(r"/opt/medfed/(\.venv/bin/medfed|deploy/backup)", str(command), text))
    assert accepts(checker, "verify", tmp_path / unit).strip() == ""


@pytest.mark.case("I18")
@pytest.mark.parametrize("unit", [unit for unit in UNITS if unit.endswith(".service")])
def test_each_service_is_confined_as_far_as_a_web_server_can_be(unit: str) -> None:
    report = accepts(tool("systemd-analyze"), "security", "--offline=true", "--threshold=20", DEPLOY / unit)
    assert re.search(r"Overall exposure level for \S+: [01]\.\d", report)


def test_the_three_services_are_confined_alike() -> None:
    def confinement(unit: str) -> str:
        text = (DEPLOY / unit).read_text("utf-8")
        block = text[text.index("DynamicUser=yes") : text.index("SystemCallErrorNumber=EPERM")]
        return block.replace("StateDirectory=medfed medfed-backups\n", "StateDirectory=medfed\n")

    server = confinement("medfed.service")
    assert confinement("medfed-worker.service") == server
    assert confinement("medfed-backup.service") == server


def test_nginx_accepts_its_site(tmp_path: Path) -> None:
    nginx = tool("nginx")
    site = (DEPLOY / "nginx.conf").read_text("utf-8")
    certificate = trustme.CA().issue_cert("chu-lyon.example")
    (tmp_path / "fullchain.pem").write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    (tmp_path / "privkey.pem").write_bytes(certificate.private_key_pem.bytes())
    site = site.replace("/etc/letsencrypt/live/chu-lyon.example", str(tmp_path))
    site = site.replace("/var/log/nginx", str(tmp_path))
    # The test may not bind ports 80 and 443; `nginx -t` opens its listening sockets.
    site = re.sub(r"(listen (?:\[::\]:)?)(80|443)\b", lambda found: found[1] + str(28000 + int(found[2])), site)
    folders = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{name}_temp_path {tmp_path}/{name};\n" for name in folders)
    main = tmp_path / "nginx.conf"
    main.write_text(
        f"pid {tmp_path}/nginx.pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}{site}}}\n"
    )
    said = accepts(nginx, "-t", "-p", tmp_path, "-c", main)
    assert "[warn]" not in said
    assert "test is successful" in said


def test_caddy_accepts_its_site() -> None:
    caddyfile = DEPLOY / "Caddyfile"
    said = accepts(
        tool("caddy"), "validate", "--adapter", "caddyfile", "--config", caddyfile, MEDFED_DOMAIN="chu-lyon.example"
    )
    assert "Valid configuration" in said
    assert '"level":"warn"' not in said


def test_hadolint_finds_nothing_in_the_image() -> None:
    assert accepts(tool("hadolint"), "--no-color", DEPLOY / "Containerfile").strip() == ""


def compose(name: str) -> dict[str, dict[str, dict[str, object]]]:
    """A compose file as data, read by the YAML module that bin/extras.py unpacked."""
    modules = UNPACKED / "usr/lib/python3/dist-packages"
    if not (modules / "yaml").exists():
        pytest.skip("there is no YAML reader on this machine; bin/extras.py fetches it where it can")
    program = "import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))"
    read = accepts(sys.executable, "-c", program, DEPLOY / name, PYTHONPATH=str(modules))
    content: dict[str, dict[str, dict[str, object]]] = json.loads(read)
    return content


@pytest.mark.parametrize("name", ["compose.sqlite.yaml", "compose.postgres.yaml"])
def test_only_the_proxy_of_a_compose_file_is_open_to_the_world(name: str) -> None:
    services = compose(name)["services"]
    assert [service for service, content in services.items() if "ports" in content] == ["caddy"]


@pytest.mark.parametrize("name", ["compose.sqlite.yaml", "compose.postgres.yaml"])
def test_a_compose_file_defines_what_its_services_name(name: str) -> None:
    content = compose(name)
    for service in content["services"].values():
        mounts = [str(mount).partition(":")[0] for mount in _list(service, "volumes")]
        assert {mount for mount in mounts if not mount.startswith(".")} <= content["volumes"].keys()
        assert set(_list(service, "networks")) <= content["networks"].keys()
        assert set(_list(service, "secrets")) <= content.get("secrets", {}).keys()
        assert set(_mapping(service, "depends_on")) <= content["services"].keys()


@pytest.mark.parametrize("name", ["compose.sqlite.yaml", "compose.postgres.yaml"])
def test_the_network_of_a_compose_file_is_the_one_whose_proxy_is_believed(name: str) -> None:
    content = compose(name)
    environment = _mapping(content["services"]["medfed"], "environment")
    subnets = [pool["subnet"] for pool in _list(_mapping(content["networks"]["inside"], "ipam"), "config")]
    assert [environment["MEDFED_HTTP__TRUSTED_PROXIES"]] == subnets


def _list(content: Mapping[str, object], key: str) -> list[Any]:
    value = content.get(key, [])
    assert isinstance(value, list)
    return value


def _mapping(content: Mapping[str, object], key: str) -> dict[str, Any]:
    value = content.get(key, {})
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize("script", ["install", "medfedctl", "backup"])
def test_each_script_parses_and_may_be_run(script: str) -> None:
    accepts("sh", "-n", DEPLOY / script)
    assert os.access(DEPLOY / script, os.X_OK)


def test_a_backup_is_kept_whole_and_only_the_newest_are(tmp_path: Path) -> None:
    script = _backup_script(tmp_path, 'mkdir "$2" && echo data > "$2/copy"')
    folder = tmp_path / "backups"
    for old in ("20200101T000000Z", "20210101T000000Z", "20220101T000000Z", "somebody-elses"):
        (folder / old).mkdir(parents=True)
    accepts(script, folder, KEEP="2")
    kept = sorted(path.name for path in folder.iterdir())
    assert kept[:1] + kept[2:] == ["20220101T000000Z", "somebody-elses"]
    assert (folder / kept[1] / "copy").read_text() == "data\n"


def test_a_failed_backup_removes_nothing(tmp_path: Path) -> None:
    script = _backup_script(tmp_path, "exit 1")
    folder = tmp_path / "backups"
    (folder / "20200101T000000Z").mkdir(parents=True)
    result = subprocess.run([script, folder], env={**os.environ, "KEEP": "0"}, capture_output=True, check=False)
    assert result.returncode == 1
    assert [path.name for path in folder.iterdir()] == ["20200101T000000Z"]


def test_what_a_backup_that_was_cut_off_left_behind_is_removed(tmp_path: Path) -> None:
    script = _backup_script(tmp_path, 'mkdir "$2"')
    folder = tmp_path / "backups"
    (folder / "20200101T000000Z.partial").mkdir(parents=True)
    accepts(script, folder)
    assert not list(folder.glob("*.partial"))


def _backup_script(tmp_path: Path, medfed: str) -> Path:
    """The script beside a stand-in for the command, whose second argument is the folder to write."""
    command = tmp_path / ".venv" / "bin" / "medfed"
    command.parent.mkdir(parents=True)
    command.write_text(f"#!/bin/sh\n{medfed}\n")
    command.chmod(0o755)
    (tmp_path / "deploy").mkdir()
    return Path(shutil.copy(DEPLOY / "backup", tmp_path / "deploy" / "backup"))
