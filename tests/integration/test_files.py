# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""certificate_file_info on the command line, and the filters and tests in a playbook."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives import serialization
from lab.formats import pfx, serialized

PASSWORD = "Th1s-must-not-appear"

DUMP = """\
My "Eigene Zertifikate"
================ Zertifikat 0 ================
Seriennummer: 6100000002
Aussteller: CN=Contoso Issuing CA
Antragsteller: CN=fe09.contoso.example
Zertifikathash(sha1): 00112233445566778899aabbccddeeff00112233
  Anbieter = Microsoft Software Key Storage Provider
CertUtil: -store-Befehl wurde erfolgreich ausgeführt.
"""


@pytest.fixture(scope="module")
def stored(demo):
    """Certificates of the demo as the registry holds them."""
    return {one.identifier: one for one in demo.machine("fe01").stores["MY"]}


def info(controller, *options, **arguments):
    return controller.module("certificate_file_info", "localhost", arguments, *options)


def test_a_german_dump_tells_the_provider(controller):
    (controller.directory / "mail.txt").write_text(DUMP, "cp850")
    done, result = info(controller, path="mail.txt")
    assert done.exit_code == 0
    assert result["certificates"][0]["key"]["kind"] == "ksp"
    assert result["certificates"][0]["verdict"]["status"] == "unsuitable"
    assert result["verdicts"][0].startswith("unsuitable: CN=fe09.contoso.example (00112233)")


def test_a_directory_is_read_with_all_below_and_one_bad_file_hides_nothing(controller, stored):
    folder = controller.directory / "mail/deep"
    folder.mkdir(parents=True)
    (folder / "dump.txt").write_text(DUMP)
    (folder / "my.sst").write_bytes(serialized.sst([one.blob for one in stored.values()]))
    (folder / "broken.bin").write_bytes(stored["web"].blob[:-9])
    (folder / "empty.txt").write_bytes(b"")
    done, result = info(controller, path="mail")
    assert done.exit_code == 0
    assert len(result["certificates"]) == 1 + len(stored)
    assert {problem["origin"].rpartition("/")[2] for problem in result["problems"]} == {"broken.bin", "empty.txt"}
    assert all(problem["remedy"] for problem in result["problems"])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("nothing", None, "no file or directory"),
        ("empty.txt", b"", "empty"),
        ("letter.txt", b"Dear colleague, see attachment.\n", "known kinds of evidence"),
    ],
)
def test_what_cannot_be_read_at_all_fails_with_the_way_out(controller, name, content, said):
    if content is not None:
        (controller.directory / name).write_bytes(content)
    done, result = info(controller, path=name)
    assert done.exit_code == 2
    assert said in result["msg"]
    assert name in result["msg"]
    assert "Traceback" not in done.output


def test_a_directory_without_a_file_fails(controller):
    (controller.directory / "empty").mkdir()
    done, result = info(controller, path="empty")
    assert done.exit_code == 2
    assert "holds no file" in result["msg"]


def test_neither_path_nor_content_is_refused(controller):
    done, result = info(controller)
    assert done.exit_code == 2
    assert "path, content" in result["msg"]


def test_content_may_be_base64_of_bytes(controller, stored):
    _done, result = info(controller, content=base64.b64encode(stored["web"].blob).decode())
    assert [one["thumbprint"] for one in result["certificates"]] == [stored["web"].issued.thumbprint]


@pytest.fixture
def pfx_file(controller, stored):
    issued = stored["oauth"].issued
    data = pfx.write_pfx(
        issued.key,
        issued.certificate,
        password=PASSWORD,
        provider="Microsoft Software Key Storage Provider",
        machine_keyset=True,
    )
    (controller.directory / "edge.pfx").write_bytes(data)
    return issued


def test_a_pfx_names_its_provider_without_the_password(controller, pfx_file):
    done, result = info(controller, path="edge.pfx")
    assert done.exit_code == 0
    one = result["certificates"][0]
    assert (one["key"]["provider"], one["key"]["machine_keyset"]) == ("Microsoft Software Key Storage Provider", True)
    assert one["thumbprint"] is None
    assert "password" in json.dumps(result["problems"] + [one["notes"]])


def test_a_wrong_password_is_told_and_hides_nothing(controller, pfx_file):
    _done, result = info(controller, path="edge.pfx", password="wrong-one")
    assert result["certificates"][0]["key"]["kind"] == "ksp"
    assert "edge.pfx" in result["problems"][0]["origin"]
    assert "wrong-one" not in json.dumps(result)


def test_the_password_and_the_key_appear_nowhere(controller, pfx_file):
    done, result = info(controller, "-vvvv", path="edge.pfx", password=PASSWORD)
    assert result["certificates"][0]["thumbprint"] == pfx_file.thumbprint
    numbers = pfx_file.key.private_numbers()
    raw = pfx_file.key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for secret in (str(numbers.d), f"{numbers.d:x}", base64.b64encode(raw)[100:140].decode()):
        assert secret not in done.output
    assert PASSWORD not in done.output


PLAYBOOK = """
- hosts: localhost
  gather_facts: false
  vars:
    dump: "{{ lookup('ansible.builtin.file', 'mail.txt') }}"
  tasks:
    - ansible.builtin.assert:
        that:
          - (dump | winpki.keyprovider.certificates('certutil')) | length == 1
          - (dump | winpki.keyprovider.certificates('certutil')).0.key.kind == 'ksp'
          - (dump | winpki.keyprovider.certificates).0 is winpki.keyprovider.ksp
          - (dump | winpki.keyprovider.certificates).0 is not winpki.keyprovider.csp
          - (dump | winpki.keyprovider.certificates).0 is not winpki.keyprovider.suitable_for('lync_2013')
          - ((dump | winpki.keyprovider.certificates).0 | winpki.keyprovider.verdict('sfb_2019')).status == 'warning'
          - "'Microsoft Strong Cryptographic Provider' is winpki.keyprovider.csp"
          - "'microsoft rsa schannel cryptographic provider' is winpki.keyprovider.csp"
          - "'Microsoft Platform Crypto Provider' is winpki.keyprovider.ksp"
          - "'Nobody Knows Provider' is not winpki.keyprovider.csp"
          - (store | winpki.keyprovider.certificates('sst')).0 is winpki.keyprovider.suitable_for('lync_2013')
          - ('nonsense' | winpki.keyprovider.evidence).problems | length == 1
    - ansible.builtin.debug:
        msg: "{{ 'nonsense' | winpki.keyprovider.certificates }}"
      ignore_errors: true
    - ansible.builtin.debug:
        msg: "{{ {} is winpki.keyprovider.suitable_for('lync_2013') }}"
      ignore_errors: true
    - ansible.builtin.debug:
        msg: "{{ dump | winpki.keyprovider.certificates(profile='lync_2031') }}"
      ignore_errors: true
"""


def test_filters_and_tests_in_a_playbook(controller, stored):
    (controller.directory / "mail.txt").write_text(DUMP, "utf-8")
    (controller.directory / "play.yml").write_text(PLAYBOOK)
    store = base64.b64encode(serialized.sst([stored["pool"].blob])).decode()
    done = controller.run("ansible-playbook", "play.yml", "-e", json.dumps({"store": store}))
    assert done.exit_code == 0, done.output
    assert "none of the known kinds of evidence" in done.output
    assert "not a certificate as the modules" in done.output
    assert "Did you mean" in done.output
    assert "Traceback" not in done.output


def test_a_profile_file_of_the_user_judges(controller):
    (controller.directory / "mail.txt").write_text(DUMP, "utf-8")
    (controller.directory / "ours.yml").write_text(
        "title: Ours\nrequirements:\n  - {name: key_provider, providers: [Microsoft Software Key Storage Provider],"
        " source: our policy, findings: {ksp: {status: met}, presumed_ksp: {status: met}}}\n"
    )
    _done, result = info(controller, path="mail.txt", profile="ours.yml")
    assert result["certificates"][0]["verdict"]["profile"] == "ours"
    assert result["certificates"][0]["verdict"]["status"] == "suitable"
