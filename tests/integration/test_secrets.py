# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret shows: passwords, private keys and PFX files are searched for, byte by byte, wherever a run leaves traces.

The traces are what Ansible prints at -vvvv, its log, what it keeps on the controller, and of each host the command
lines of processes, the scripts, the files that are there and all that were ever written.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import lab.powershell.x509
import lab.tools.certutil_pfx
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lab.formats.pfx import Entry, write_entries, write_pfx
from lab.formats.pfx_read import read_pfx
from lab.host.events import PROCESS_CREATED
from lab.host.machine import Machine, Written
from lab.pki import Issued, KeyPool, Wanted, self_signed
from lab.runtime import Lab
from sweep_flows import CONVERSION, SCENARIO, SCHANNEL, STORAGE

PASSWORD, OTHER, WRONG = "Xq7vPfxFirst1-ö'$( x", 'Yk3wPfxOther2-"ß&', "Zt9uPfxWrong3-é"
PLAIN_PARTS = ("Xq7vPfxFirst1", "Yk3wPfxOther2", "Zt9uPfxWrong3")
"""Parts of them that nothing escapes."""
PIECE = 24
"""Bytes: long secrets are searched for in pieces of this size, so that a part of one is found, too."""
BEGINNING = 12
"""Bytes of a form by which it is looked up."""
RANDOM = 20
"""How many different bytes a piece of a file has at least that is not the same in many files."""
AV = "AudioVideoAuthentication"
OF_MODULES = (
    *("certutil -importPFX: ", "certutil -repairstore: ", "may not be exported", "not match the certificate"),
    *("2 private keys", "The password does not open the file", "not base64", "Unsupported parameters"),
)
OF_THE_ROLE = ("Install it with its key", "Take the certificate with its key from the server that has it")
TALKATIVE = ("output", "log", "command_lines", "scripts")


def encodings(secret: bytes) -> set[bytes]:
    """Forms in which bytes may show: themselves, hexadecimal, base64 at each position, decimal, in Python's words."""
    digits = secret.hex()
    numbers = [str(byte) for byte in secret]
    texts = {digits, digits.upper(), "-".join(f"{byte:02X}" for byte in secret), repr(secret)[2:-1]}
    texts |= {mark.join(numbers) for mark in (" ", ",", ", ", "\n", "\r\n")}
    for skipped in range(3):
        whole = secret[skipped:]
        texts.add(base64.b64encode(whole[: len(whole) // 3 * 3]).decode())
    return {secret} | {form for text in texts for form in (text.encode(), text.encode("utf-16-le"))}


def pieces(secret: bytes) -> list[bytes]:
    """All pieces of a secret, the last one up to its end."""
    places = [*range(0, max(len(secret) - PIECE, 0), PIECE), max(len(secret) - PIECE, 0)]
    return [secret[place : place + PIECE] for place in places]


def of_text(text: str) -> set[bytes]:
    """Forms of a password."""
    words = {text, json.dumps(text)[1:-1], repr(text)[1:-1]}
    coded = {word.encode(coding) for word in words for coding in ("utf-8", "utf-16-le")}
    return {form for each in coded for form in encodings(each)}


def of_key(key: rsa.RSAPrivateKey) -> set[bytes]:
    """Forms of the numbers of a private key that are not public, in both orders of bytes.

    PKCS#8 and PKCS#1 hold them with the highest byte first, the structures of Windows with the lowest.
    """
    numbers = key.private_numbers()
    forms: set[bytes] = set()
    for number in (numbers.d, numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp):
        for order in ("big", "little"):
            written = number.to_bytes((number.bit_length() + 7) // 8, order)
            forms |= {form for piece in pieces(written) for form in encodings(piece)}
    return forms


def of_file(data: bytes, public: Iterable[bytes] = ()) -> set[bytes]:
    """Forms of what is random in a PFX and not public, as the hash of its certificate, by which it names the key."""
    for known in public:
        data = data.replace(known, bytes(len(known)))
    return {form for piece in pieces(data) if len(set(piece)) >= RANDOM for form in encodings(piece)}


class Search:
    """Looks for the forms of many secrets at once."""

    def __init__(self, secrets: Mapping[str, set[bytes]]) -> None:
        self._forms: dict[bytes, list[tuple[bytes, str]]] = {}
        for name, forms in secrets.items():
            for form in forms:
                assert len(form) >= BEGINNING
                self._forms.setdefault(form[:BEGINNING], []).append((form, name))

    def found(self, trace: bytes) -> set[str]:
        """The names of the secrets that a trace holds, as it stands or with the ends of lines taken out."""
        joined = trace
        for mark in (b"\\r", b"\\n", b"\r", b"\n"):
            joined = joined.replace(mark, b"")
        return {name for text in dict.fromkeys((trace, joined)) for name in self._in(text)}

    def _in(self, text: bytes) -> Iterator[str]:
        known = self._forms
        for place in range(len(text) - BEGINNING + 1):
            for form, name in known.get(text[place : place + BEGINNING], ()):
                if text.startswith(form, place):
                    yield name


@dataclass
class Traces:
    """What runs left."""

    output: bytes = b""
    log: bytes = b""
    controller: bytes = b""
    machines: list[Machine] = field(default_factory=list)
    seen: list[tuple[bytes, str]] = field(default_factory=list)
    """Files and passwords that Windows was given."""

    @property
    def command_lines(self) -> bytes:
        return b"\n".join(self._events(command_lines=True))

    @property
    def scripts(self) -> bytes:
        return b"\n".join(self._events(command_lines=False))

    def _events(self, *, command_lines: bool) -> Iterator[bytes]:
        for machine in self.machines:
            for event in machine.events:
                if (event.id == PROCESS_CREATED) == command_lines:
                    yield event.text.encode("utf-8", "surrogatepass")

    @property
    def files(self) -> bytes:
        kept = [f"{path}\n".encode() + data for machine in self.machines for path, data in machine.files.items()]
        written = [f"{one.path}\n".encode() + one.data for machine in self.machines for one in machine.written]
        return b"\n".join([*kept, *written])

    def everywhere(self) -> dict[str, bytes]:
        names = ("output", "log", "controller", "command_lines", "scripts", "files")
        return {name: getattr(self, name) for name in names}

    @property
    def once(self) -> set[str]:
        """The passwords that were made for one file."""
        return {password for _data, password in self.seen}


PLACES = ("output", "log", "controller", "command_lines", "scripts", "files")


def leaks(secrets: Mapping[str, set[bytes]], traces: Traces, *allowed: str) -> dict[str, set[str]]:
    """The secrets that show, by the place where they may not show."""
    search = Search(secrets)
    shown = {name: search.found(trace) for name, trace in traces.everywhere().items() if name not in allowed}
    return {name: found for name, found in shown.items() if found}


def passwords() -> dict[str, set[bytes]]:
    """The user's."""
    return {text: of_text(text) for text in (PASSWORD, OTHER, WRONG, *PLAIN_PARTS)}


@pytest.fixture(scope="module")
def watch_files():
    """Note each PFX that Windows is given, in the list that is set."""
    noted: list[list[tuple[bytes, str]]] = [[]]

    def note(data: bytes, password: str, *, aes: bool) -> Any:
        noted[0].append((data, password))
        return read_pfx(data, password, aes=aes)

    def note_export(*arguments: Any, password: str, **more: Any) -> bytes:
        data = write_pfx(*arguments, password=password, **more)
        noted[0].append((data, password))
        return data

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lab.powershell.x509, "read_pfx", note)
        patch.setattr(lab.powershell.x509, "write_pfx", note_export)
        patch.setattr(lab.tools.certutil_pfx, "read_pfx", note)
        yield noted


def issued(name: str) -> Issued:
    now = datetime.now(timezone.utc)
    return self_signed(Wanted(f"CN={name}", now - timedelta(days=1), now + timedelta(days=300)), KeyPool(1))


def run(controller: Any, traces: Traces, running: Lab, *arguments: str) -> str:
    """Run a playbook as talkative as -vvvv is, and keep its traces."""
    log = controller.directory / "ansible.log"
    done = controller.run(
        *("ansible-playbook", "-i", str(running.inventory_path), *arguments, "-vvvv", "--diff"),
        ANSIBLE_LOG_PATH=str(log),
    )
    traces.output += done.output.encode("utf-8", "surrogateescape")
    traces.log += log.read_bytes()
    kept = [path for path in controller.directory.rglob("*") if path.is_file() and path != log]
    # What the user keeps there is theirs.
    traces.controller += b"\n".join(path.read_bytes() for path in kept if "given" not in path.parts)
    traces.machines += [plan.machine for plan in running.scenario.hosts]
    assert "Traceback" not in done.output
    return done.output


def controller_files(controller: Any, given: Issued) -> None:
    """What the user has: files and passwords."""
    directory = controller.directory / "given"
    directory.mkdir()
    good = write_pfx(given.key, given.certificate, password=PASSWORD, provider=STORAGE, machine_keyset=True)
    other = issued("other.contoso.example")
    pair = [Entry(given.key, given.certificate, None), Entry(other.key, other.certificate, None)]
    content = {
        "good": good,
        "two": write_entries(pair, password=PASSWORD),
        "torn": good[: len(good) - 40],
        "crossed": write_pfx(given.key, other.certificate, password=PASSWORD, provider=None, machine_keyset=False),
    }
    for name, data in content.items():
        (directory / f"{name}.pfx").write_bytes(data)
    secrets = {
        **{"password": PASSWORD, "other": OTHER, "wrong": WRONG},
        **{f"{name}_pfx": base64.b64encode(data).decode() for name, data in content.items()},
    }
    (directory / "secrets.yml").write_text(yaml.safe_dump(secrets), encoding="utf-8")


def converting(running: Lab) -> list[dict[str, Any]]:
    """Conversions that succeed, that are refused, and that break at each step."""
    running.machine("edge01").importing_provider = "Microsoft Strong Cryptographic Provider"
    running.machine("edge02").repair_ignores_key = True
    running.machine("old01").disk_full = True
    thumbprints = {
        plan.machine.name: [one.issued.thumbprint for one in plan.machine.stores.get("MY", []) if one.issued]
        for plan in running.scenario.hosts
    }
    convert = {"thumbprint": "{{ item }}", "retire_source_key": True}
    return [
        {
            "hosts": "fe01,de01,old01,edge01,edge02,keys01",
            "gather_facts": False,
            "vars": {"held": thumbprints},
            "tasks": [
                {
                    "winpki.keyprovider.certificate_convert": convert,
                    "loop": "{{ held[inventory_hostname] }}",
                    "ignore_errors": True,
                }
            ],
        }
    ]


def installing(running: Lab) -> list[dict[str, Any]]:
    """Imports that succeed, and that fail for all reasons."""
    running.machine("de01").deny = frozenset({"keys"})
    module = "winpki.keyprovider.certificate_install"
    pairs = [
        *(("good", "password"), ("good", "password"), ("good", "wrong"), ("two", "password")),
        *(("torn", "password"), ("crossed", "password"), ("good", "other")),
    ]
    tasks: list[dict[str, Any]] = [
        {module: {"pfx": f"{{{{ {pfx}_pfx }}}}", "pfx_password": f"{{{{ {word} }}}}"}, "ignore_errors": True}
        for pfx, word in pairs
    ]
    tasks += [
        {module: {"pfx": "{{ password }}", "pfx_password": "{{ other }}"}, "ignore_errors": True},
        {module: {"pfx": "{{ good_pfx }}"}, "ignore_errors": True},
        {module: {"pfx": "{{ good_pfx }}", "pfx_password": "{{ password }}", "none": 1}, "ignore_errors": True},
    ]
    files = ["{{ playbook_dir }}/given/secrets.yml"]
    return [{"hosts": "fe01,de01,old01", "gather_facts": False, "vars_files": files, "tasks": tasks}]


def rewriting(_running: Lab) -> list[dict[str, Any]]:
    """Files that are rewritten on the controller, and such that cannot be."""
    module = "winpki.keyprovider.certificate_file_convert"
    given = "{{ playbook_dir }}/given"
    good = {"path": f"{given}/good.pfx", "dest": f"{given}/out.pfx", "password": "{{ password }}"}
    tasks: list[dict[str, Any]] = [
        {module: good},
        {module: {**good, "new_password": "{{ other }}"}},
        {module: {**good, "password": "{{ wrong }}"}, "ignore_errors": True},
        {module: {**good, "path": f"{given}/torn.pfx"}, "ignore_errors": True},
        {module: {**good, "dest": f"{given}/no/such/out.pfx"}, "ignore_errors": True},
        {module: {"content": "{{ good_pfx }}", "password": "{{ password }}"}, "no_log": True},
        {module: {"content": "{{ good_pfx }}", "password": "{{ wrong }}"}, "ignore_errors": True},
        {module: {"content": "{{ password }}", "password": "{{ other }}"}, "ignore_errors": True},
    ]
    files = [f"{given}/secrets.yml"]
    return [{"hosts": "localhost", "gather_facts": False, "vars_files": files, "tasks": tasks}]


@dataclass
class Ran:
    """Runs that have ended, with the secrets that were in their hands."""

    traces: Traces
    keys: list[rsa.RSAPrivateKey]
    files: list[bytes]
    said: str


def keys_of(running: Lab) -> list[rsa.RSAPrivateKey]:
    """The RSA keys of all hosts, each once."""
    found = {}
    for plan in running.scenario.hosts:
        for container in plan.machine.containers:
            if isinstance(container.key, rsa.RSAPrivateKey):
                found[container.key.public_key().public_numbers().n] = container.key
    return list(found.values())


def by_modules(connection: str, new_controller: Callable[[], Any], watch_files: list[Any], directory: Path) -> Ran:
    scenario = yaml.safe_load(CONVERSION.read_text("utf-8"))
    scenario["lab"].update(connection=connection, transport="ntlm" if connection == "psrp" else "basic")
    path = directory / "scenario.yml"
    path.write_text(yaml.safe_dump(scenario), encoding="utf-8")
    controller, given, traces = new_controller(), issued("new.contoso.example"), Traces()
    watch_files[0] = traces.seen
    controller_files(controller, given)
    with Lab.from_scenario(path) as running:
        keys = [*keys_of(running), given.key]
        plays = [play for part in (converting, installing, rewriting) for play in part(running)]
        playbook = controller.directory / "site.yml"
        playbook.write_text(json.dumps(plays), encoding="utf-8")
        said = run(controller, traces, running, str(playbook))
        assert running.machine("fe01").find(given.thumbprint).key.provider == SCHANNEL
    files = [path.read_bytes() for path in (controller.directory / "given").glob("*.pfx")]
    return Ran(traces, keys, files, said)


def by_the_role(new_controller: Callable[[], Any], watch_files: list[Any]) -> Ran:
    """A certificate that two servers share: handing it on fails once, then succeeds."""
    controller, traces = new_controller(), Traces()
    watch_files[0] = traces.seen
    settings = json.dumps({"lync_certificates_hosts": "edge", "lync_certificates_ca_host": "ca01"})
    with Lab.from_scenario(SCENARIO) as running:
        taker = running.machine("edge02")
        taker.deny = frozenset({"keys"})
        said = run(controller, traces, running, "winpki.keyprovider.enforce", "-e", settings)
        assert "failed=0" not in said.rpartition("PLAY RECAP")[2].partition("edge02")[2].partition("\n")[0]
        taker.deny = frozenset()
        said += run(controller, traces, running, "winpki.keyprovider.enforce", "-e", settings)
        assert taker.find(dict(taker.lync.assignments)[AV]).key.provider == SCHANNEL
        return Ran(traces, keys_of(running), [], said)


@pytest.fixture(scope="module", params=["winrm", "psrp", "role"])
def ran(request, new_controller, watch_files, tmp_path_factory) -> Ran:
    if request.param == "role":
        return by_the_role(new_controller, watch_files)
    return by_modules(request.param, new_controller, watch_files, tmp_path_factory.mktemp("scenario"))


def test_the_runs_did_what_they_should_and_failed_where_they_should(ran):
    expected = OF_MODULES if ran.files else OF_THE_ROLE
    for text in expected:
        assert text in ran.said
    assert all(len(trace) > 10_000 for name, trace in ran.traces.everywhere().items() if name in TALKATIVE)
    # Exported, and imported: of each conversion and of each time that a key was handed on.
    assert len(ran.traces.seen) > (20 if ran.files else 3)


def test_the_users_passwords_are_nowhere(ran):
    assert leaks(passwords(), ran.traces) == {}


def test_no_part_of_a_private_key_is_anywhere(ran):
    assert len(ran.keys) > 3
    assert leaks({f"key {number}": of_key(key) for number, key in enumerate(ran.keys)}, ran.traces) == {}


def test_no_pfx_is_anywhere_but_where_certutil_had_to_find_it(ran):
    held = [one for machine in ran.traces.machines for store in machine.stores.values() for one in store]
    public = [known for one in held if one.issued for known in (one.issued.der, bytes.fromhex(one.issued.thumbprint))]
    given = {f"given {number}": of_file(data, public) for number, data in enumerate(ran.files)}
    to_certutil, other = {}, {}
    for number, (data, password) in enumerate(ran.traces.seen):
        on_line = password.encode() in ran.traces.command_lines
        (to_certutil if on_line else other)[f"made {number}"] = of_file(data, public)
    assert leaks({**given, **other}, ran.traces) == {}
    assert leaks(to_certutil, ran.traces, "files") == {}
    for machine in ran.traces.machines:
        assert not [path for path in machine.files if path.lower().endswith((".pfx", ".p12"))]


def test_a_password_for_one_file_is_on_the_command_line_of_its_import_and_nowhere_else(ran):
    once = {password: of_text(password) for password in ran.traces.once}
    assert all(len(password) >= 40 for password in once)
    assert leaks(once, ran.traces, "command_lines") == {}
    lines = ran.traces.command_lines.decode("utf-8", "surrogatepass").split("\n")
    imports = [line for line in lines if line.startswith("certutil.exe ") and " -importPFX " in line]
    given = [re.sub(r".* -p (\S+) .*", r"\1", line) for line in imports]
    assert len(set(given)) == len(given)
    assert set(given) <= set(once)
    assert bool(given) == bool(ran.files)
    rest = "\n".join(line for line in lines if line not in imports)
    assert Search(once).found(rest.encode("utf-8", "surrogatepass")) == set()


def test_what_hides_a_secret_does_not_hide_it_from_the_search():
    key = issued("control.contoso.example").key
    numbers = key.private_numbers()
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    pfx = write_pfx(key, None, password=PASSWORD, provider=None, machine_keyset=False)
    size = key.key_size // 16
    parts = [numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp]
    of_it = Search({"it": of_key(key)})
    shown: list[tuple[Search, bytes]] = [
        *((Search({"it": of_text(PASSWORD)}), PASSWORD.encode(coding)) for coding in ("utf-8", "utf-16-le")),
        (of_it, der),
        (of_it, key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())),
        (of_it, der[len(der) // 2 : len(der) // 2 + 60]),
        *((of_it, number.to_bytes(size, order)) for number in parts for order in ("big", "little")),
        *((of_it, numbers.d.to_bytes(2 * size, order)) for order in ("big", "little")),
        (Search({"it": of_file(pfx)}), pfx),
        (Search({"it": of_file(pfx)}), pfx[300:400]),
    ]
    for text in (json.dumps({"p": PASSWORD}), repr([PASSWORD])):
        assert Search(passwords()).found(text.encode()) == {PASSWORD, PLAIN_PARTS[0]}
    for search, secret in shown:
        hidden = [secret, secret.hex().encode(), secret.hex().upper().encode(), repr(secret).encode()]
        for before in range(6):
            wrapped = bytes(before) + secret + b"end"
            hidden += [base64.b64encode(wrapped), base64.encodebytes(wrapped)]
            hidden.append(json.dumps(base64.encodebytes(wrapped).decode()).encode())
            hidden.append(base64.b64encode(wrapped).decode().encode("utf-16-le"))
        hidden += ["\n".join(map(str, secret)).encode(), " ".join(map(str, secret)).encode()]
        for trace in hidden:
            assert search.found(b"some words " + trace + b" and more"), (secret[:8], trace[:80])
        assert not search.found(b"some words and more" * 1000 + base64.b64encode(bytes(1000)))


def test_each_trace_is_searched(new_controller):
    """What a careless playbook shows is found in each place where it shows."""
    controller, traces = new_controller(), Traces()
    part = PLAIN_PARTS[0]
    tasks = [
        {"ansible.builtin.debug": {"msg": part}},
        {"ansible.builtin.raw": f"'{part}'"},
        {"ansible.builtin.raw": f"certutil.exe -p {part} -importPFX C:\\none.pfx", "ignore_errors": True},
    ]
    playbook = controller.directory / "site.yml"
    playbook.write_text(json.dumps([{"hosts": "fe01", "gather_facts": False, "tasks": tasks}]), encoding="utf-8")
    with Lab.from_scenario(CONVERSION) as running:
        machine, [key, *_others] = running.machine("fe01"), keys_of(running)
        run(controller, traces, running, str(playbook))
        assert leaks(passwords(), traces) == {place: {part} for place in PLACES if place != "files"}
        machine.written.append(Written("C:\\x.pfx", part.encode(), "D:"))
        assert leaks(passwords(), traces)["files"] == {part}
        machine.files["C:\\x"] = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        assert leaks({"key": of_key(key)}, traces) == {"files": {"key"}}
