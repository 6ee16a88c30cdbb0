# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""PFX files of all origins installed in a legacy provider, on old and new hosts, as a user would do it."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any

import lab.powershell.x509
import pytest
import yaml
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from lab.formats.pfx import Entry, write_entries, write_pfx
from lab.formats.pfx_read import WrongPassword, read_pfx
from lab.pki import Authority, Issued, KeyPool, Wanted
from lab.runtime import Lab
from programs import program

SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
ENHANCED = "Microsoft Enhanced Cryptographic Provider v1.0"
KSP = "Microsoft Software Key Storage Provider"
PASSWORD = "Geheim: 1'2 größer$("
PROOF = {"signed": True, "provider": SCHANNEL, "provider_type": 12, "key_spec": 1}
NOW = datetime.now(timezone.utc)

HOSTS: dict[str, dict[str, Any]] = {
    "old": {"os": "6.1.7601", "powershell": "2.0", "language": "de", "transport": "ntlm"},
    "middle": {"os": "6.3.9600"},
    "new": {"os": "10.0.17763", "powershell": "5.1", "connection": "psrp"},
}
SCENARIO = {
    "lab": {"domain": "contoso.example", "user": "Administrator", "password": "Lab-Pass-2026!"},
    "cas": [{"id": "contoso", "subject": "CN=Contoso Issuing CA 1"}],
    "hosts": [
        {
            "name": name,
            "roles": ["servers"],
            "stores": {
                "My": [
                    {
                        "id": "cng",
                        "subject": f"CN=cng.{name}.contoso.example",
                        "friendly_name": "In CNG",
                        "key": {"holder": "cng", "exportable": True},
                    }
                ]
            },
            **more,
        }
        for name, more in HOSTS.items()
    ],
}


@cache
def root() -> Authority:
    begins, ends = NOW - timedelta(days=400), NOW + timedelta(days=4000)
    return Authority("CN=Fabrikam Root CA", KeyPool(1), not_before=begins, not_after=ends)


@cache
def issuing() -> Authority:
    begins, ends = NOW - timedelta(days=300), NOW + timedelta(days=3000)
    made = Authority("CN=Fabrikam Issuing CA", KeyPool(1), not_before=begins, not_after=ends)
    made._issued = root().issue(Wanted("CN=Fabrikam Issuing CA", begins, ends, extended_key_usage=None, is_ca=True))
    made._pool = KeyPool(8)
    return made


@cache
def issued(name: str, *, key: str = "rsa2048", begins: int = -1, ends: int = 300) -> Issued:
    validity = NOW + timedelta(days=begins), NOW + timedelta(days=ends)
    return issuing().issue(
        Wanted(f"CN={name}.fabrikam.example", *validity, key, subject_alt_names=(f"{name}.example",))
    )


def openssl(leaf: Issued, directory: Path, *options: str) -> bytes:
    """A file of OpenSSL, of whatever encryption it has by default."""
    key, certificate, chain = (directory / name for name in ("key.pem", "leaf.pem", "chain.pem"))
    key.write_bytes(leaf.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    certificate.write_bytes(leaf.certificate.public_bytes(Encoding.PEM))
    chain.write_bytes(b"".join(one.certificate.certificate.public_bytes(Encoding.PEM) for one in (root(), issuing())))
    files = ("-inkey", str(key), "-in", str(certificate), "-certfile", str(chain), "-passout", f"pass:{PASSWORD}")
    command = [program("openssl", package="openssl"), "pkcs12", "-export", *files, *options]
    return subprocess.run(command, check=True, capture_output=True).stdout


def with_cryptography(leaf: Issued, _directory: Path) -> bytes:
    chain = [issuing().certificate.certificate, root().certificate.certificate]
    encryption = BestAvailableEncryption(PASSWORD.encode())
    return pkcs12.serialize_key_and_certificates(b"Named here", leaf.key, leaf.certificate, chain, encryption)


def of_windows(provider: str) -> Callable[[Issued, Path], bytes]:
    return lambda leaf, _directory: write_pfx(
        leaf.key,
        leaf.certificate,
        password=PASSWORD,
        provider=provider,
        machine_keyset=False,
        container="te-01234567-89ab-cdef-0123-456789abcdef",
        chain=[root().certificate.certificate, issuing().certificate.certificate],
    )


ORIGINS: dict[str, Callable[[Issued, Path], bytes]] = {
    "openssl": lambda leaf, directory: openssl(leaf, directory, "-name", "Named here"),
    "openssl_csp": lambda leaf, directory: openssl(leaf, directory, "-CSP", ENHANCED, "-LMK"),
    "openssl_3des": lambda leaf, directory: openssl(
        leaf, directory, "-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1"
    ),
    "cryptography": with_cryptography,
    "ksp": of_windows(KSP),
    "other": of_windows("Contoso HSM Key Storage Provider"),
}
NAMED = {"openssl": "Named here", "cryptography": "Named here"}
ON = {"old": ("openssl", "ksp"), "middle": tuple(ORIGINS), "new": ("cryptography", "ksp")}


class Seen:
    """What reached the hosts: files and passwords, in order."""

    def __init__(self) -> None:
        self.files: list[tuple[bytes, str, bool]] = []

    def __call__(self, data: bytes, password: str, *, aes: bool) -> Any:
        self.files.append((data, password, aes))
        return read_pfx(data, password, aes=aes)


@pytest.fixture(scope="module")
def lab_and_seen(tmp_path_factory):
    path = tmp_path_factory.mktemp("pfx") / "scenario.yml"
    path.write_text(yaml.safe_dump(SCENARIO), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch, Lab.from_scenario(path) as running:
        seen = Seen()
        patch.setattr(lab.powershell.x509, "read_pfx", seen)
        yield running, seen


def given(pfx: bytes, **more: Any) -> dict[str, Any]:
    return {"pfx": base64.b64encode(pfx).decode(), "pfx_password": PASSWORD, **more}


def install(pfx: bytes, **more: Any) -> dict[str, Any]:
    return {"certificate_install": given(pfx, **more), "diff": True}


def listen(controller: Any) -> list[str]:
    """What a controller's commands print from now on."""
    said: list[str] = []
    run = controller.run

    def listening(*arguments: str, **environment: str) -> Any:
        done = run(*arguments, **environment)
        said.append(done.output)
        return done

    controller.run = listening
    return said


@pytest.fixture(scope="module")
def installed(lab_and_seen, new_controller, tmp_path_factory):
    """The results by host and origin: of check mode, in earnest, once more. And all output."""
    running, seen = lab_and_seen
    results: dict[str, dict[str, list[dict[str, Any]]]] = {}
    outputs: list[str] = []
    for name, origins in ON.items():
        tasks: list[dict[str, Any]] = []
        for origin in origins:
            made = ORIGINS[origin](issued(f"{origin.replace('_', '-')}.{name}"), tmp_path_factory.mktemp(origin))
            tasks += [{**install(made), "check_mode": True}, install(made), install(made)]
        controller = new_controller()
        said = listen(controller)
        found = controller.tasks(running, name, tasks, "-vvvv")
        outputs += [*said, (controller.directory / "results.json").read_text(encoding="utf-8")]
        results[name] = {origin: found[3 * at : 3 * at + 3] for at, origin in enumerate(origins)}
    return running, seen, results, outputs


CASES = [(name, origin) for name, origins in ON.items() for origin in origins]


@pytest.mark.parametrize(("name", "origin"), CASES)
def test_the_key_is_in_the_wished_provider_and_signs(installed, name, origin):
    running, _seen, results, _outputs = installed
    planned, done, again = results[name][origin]
    assert (planned["changed"], done["changed"], again["changed"]) == (True, True, False), again
    assert done["proof"] == again["proof"] == PROOF
    assert planned["proof"] is None
    assert planned["thumbprint"] == done["thumbprint"]
    [shown] = done["certificates"]
    stored = running.machine(name).find(done["thumbprint"])
    assert stored.key.provider == shown["key"]["provider"] == SCHANNEL
    container = running.machine(name).container_of(stored.key)
    assert (container.machine, container.exportable, container.key_spec) == (True, False, 1)
    expected = NAMED.get(origin, f"{origin.replace('_', '-')}.{name}.fabrikam.example")
    assert planned["certificates"][0]["friendly_name"] == shown["friendly_name"]
    assert shown["friendly_name"].removesuffix(" (2)") == expected


@pytest.mark.parametrize("name", ON)
def test_each_key_is_imported_once_and_nothing_is_written_elsewhere(installed, name):
    running, _seen, _results, _outputs = installed
    machine = running.machine(name)
    assert len(list(machine.containers)) == len(ON[name]) + 1
    assert not [path for path in machine.files if path.lower().endswith((".pfx", ".p12"))]


@pytest.mark.parametrize("name", ON)
def test_issuers_go_to_their_store_once_and_the_root_goes_nowhere(installed, name):
    running, _seen, results, _outputs = installed
    planned, done, again = results[name][ON[name][0]]
    ca, top = issuing().certificate.thumbprint, root().certificate.thumbprint
    link = {"thumbprint": ca, "subject": "CN=Fabrikam Issuing CA", "store": "CA", "added": True}
    left = {"thumbprint": top, "subject": "CN=Fabrikam Root CA", "store": None, "added": False}
    assert planned["chain"] == done["chain"] == [link, left]
    assert again["chain"] == [{**link, "added": False}, left]
    assert f"CA\\{ca}" in [one["after_header"] for one in done["diff"]]
    assert any("Fabrikam Root CA" in warning for warning in done["warnings"])
    for other in ON[name][1:]:
        assert not any(one["added"] for result in results[name][other] for one in result["chain"])
    machine = running.machine(name)
    assert [one.issued.thumbprint for one in machine.store("CA")[1]] == [ca]
    assert top not in [one.issued.thumbprint for one in machine.store("Root")[1]]


def test_the_host_gets_what_its_windows_can_read(installed):
    _running, seen, _results, _outputs = installed
    assert len(seen.files) == len(CASES)
    for data, password, aes in seen.files:
        if aes:
            with pytest.raises(WrongPassword):
                read_pfx(data, password, aes=False)
        [key] = read_pfx(data, password, aes=aes).keys
        assert (key.provider, key.machine_keyset) == (SCHANNEL, True)
    assert {aes for _data, _password, aes in seen.files} == {True, False}


def test_no_secret_is_in_any_output_event_or_file(installed):
    running, seen, results, outputs = installed
    assert all(results[name][origin][1]["thumbprint"] in "".join(outputs) for name, origin in CASES)
    passwords = [password for _data, password, _aes in seen.files]
    assert len(set(passwords)) == len(passwords)
    assert all(len(password) >= 40 and PASSWORD not in password for password in passwords)
    secrets = {PASSWORD, "Geheim", *passwords}
    secrets |= {base64.b64encode(data).decode()[:60] for data, _password, _aes in seen.files}
    secrets |= {
        base64.b64encode(text.encode(encoding)).decode()
        for text in list(secrets)
        for encoding in ("utf-8", "utf-16-le")
    }
    for secret in secrets:
        for text in outputs:
            assert secret not in text
        for name in ON:
            machine = running.machine(name)
            assert not [event for event in machine.events if secret in event.text]
            assert not [path for path, content in machine.files.items() if secret.encode() in content]


def test_what_reached_a_host_does_not_hold_the_users_password(installed):
    _running, seen, _results, _outputs = installed
    for data, _password, aes in seen.files:
        with pytest.raises(WrongPassword):
            read_pfx(data, PASSWORD, aes=aes)


def two_keys() -> bytes:
    pair = [issued(name) for name in ("one", "two")]
    return write_entries([Entry(one.key, one.certificate, None) for one in pair], password=PASSWORD)


def of_another() -> bytes:
    return write_entries([Entry(issued("one").key, issued("two").certificate, None)], password=PASSWORD)


def held_in_cng(running: Lab) -> bytes:
    [stored] = [one for one in running.machine("middle").store("My")[1] if one.friendly_name == "In CNG"]
    return write_pfx(
        stored.issued.key, stored.issued.certificate, password=PASSWORD, provider=None, machine_keyset=False
    )


def test_what_cannot_be_installed_is_told_and_changes_nothing(lab_and_seen, controller):
    running, _seen = lab_and_seen
    machine = running.machine("middle")
    before = len(machine.store("My")[1]), len(list(machine.containers))
    good = with_cryptography(issued("one"), controller.directory)
    tasks_and_words: list[tuple[dict[str, Any], str]] = [
        ({"certificate_install": {**given(good), "pfx_password": "not it"}}, "password"),
        (install(b"no PFX at all"), "not a PFX"),
        (install(two_keys()), "2 private keys"),
        (install(of_another()), "certificate"),
        (install(with_cryptography(issued("ec", key="p256"), controller.directory)), "RSA"),
        (install(with_cryptography(issued("past", begins=-30, ends=-1), controller.directory)), "was valid until"),
        (install(with_cryptography(issued("coming", begins=9), controller.directory)), "not come yet"),
        (install(good, provider=KSP), "key storage provider"),
        (install(held_in_cng(running)), "certificate_convert"),
        ({"certificate_install": {"pfx": "***", "pfx_password": "x"}}, "not base64"),
        ({"certificate_install": {"pfx": "AAAA"}}, "pfx_password"),
    ]
    results = controller.tasks(running, "middle", [task for task, _word in tasks_and_words])
    for (_task, word), result in zip(tasks_and_words, results, strict=True):
        assert result["failed"], word
        assert word in result["msg"]
        assert "Geheim" not in result["msg"]
    assert (len(machine.store("My")[1]), len(list(machine.containers))) == before


@pytest.mark.parametrize(
    ("fault", "told"),
    [({"deny": frozenset({"keys"})}, "Access is denied"), ({"disk_full": True}, "not enough space on the disk")],
    ids=["denied", "full"],
)
def test_a_key_that_cannot_be_written_leaves_nothing_behind(lab_and_seen, controller, monkeypatch, fault, told):
    running, _seen = lab_and_seen
    machine = running.machine("new")
    before = len(machine.store("My")[1]), len(list(machine.containers))
    for attribute, value in fault.items():
        monkeypatch.setattr(machine, attribute, value)
    [result] = controller.tasks(running, "new", [install(with_cryptography(issued("one"), controller.directory))])
    assert told in result["msg"]
    assert "Nothing was imported" in result["msg"]
    assert (len(machine.store("My")[1]), len(list(machine.containers))) == before


def test_files_are_given_as_the_documentation_shows_it_and_a_root_is_trusted_when_wished(lab_and_seen, controller):
    running, _seen = lab_and_seen
    made = with_cryptography(issued("documented"), controller.directory)
    (controller.directory / "edge01.pfx").write_bytes(made)
    (controller.directory / "edge01.pfx.b64").write_bytes(base64.encodebytes(made))
    slurp = {"src": str(controller.directory / "edge01.pfx")}
    python = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    arguments = {"pfx_password": PASSWORD, "exportable": True, "friendly_name": "Edge"}
    results = controller.tasks(
        running,
        "new",
        [
            {"ansible.builtin.slurp": slurp, "delegate_to": "localhost", "vars": python},
            {"certificate_install": {**arguments, "pfx": "{{ r0.content }}"}},
            {
                "certificate_install": {
                    **arguments,
                    "pfx": "{{ lookup('ansible.builtin.file', 'edge01.pfx.b64') }}",
                    "trust_root": True,
                }
            },
            {"certificate_install": {**arguments, "pfx": "{{ r0.content }}", "trust_root": True}},
        ],
    )
    _slurped, done, trusted, again = results
    assert [result["changed"] for result in (done, trusted, again)] == [True, True, False]
    assert done["certificates"][0]["friendly_name"] == "Edge"
    assert running.machine("new").container_of(running.machine("new").find(done["thumbprint"]).key).exportable
    top = root().certificate.thumbprint
    assert (trusted["chain"][1]["store"], trusted["chain"][1]["added"]) == ("Root", True)
    assert "warnings" not in trusted
    assert top in [one.issued.thumbprint for one in running.machine("new").store("Root")[1]]
