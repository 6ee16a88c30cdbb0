# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requesting a certificate through Lync: what is called, and what is found in the stores afterwards."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime, timezone

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.lync_request import (
    LyncRequestWish,
    request_through_lync,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.host.connection import (
    HostError,
    HostUnreachable,
    WindowsHost,
)
from lab import pki
from lab.formats import serialized

NOW = datetime(2026, 6, 1, 12, tzinfo=timezone.utc)
START = datetime(2026, 5, 1, tzinfo=timezone.utc)
END = datetime(2028, 5, 1, tzinfo=timezone.utc)
CA = "ca01.contoso.example\\Contoso Issuing CA 1"
REPORT = r"C:\Users\svc\AppData\Local\winpki.keyprovider\reports\request.html"
PARAMETERS = "New List Retrieve Type CA Template FriendlyName DomainName KeySize PrivateKeyExportable Report"
SCHANNEL = ("Microsoft RSA SChannel Cryptographic Provider", 12, 1)
KSP = ("Microsoft Software Key Storage Provider", 0, 0)
WISH = LyncRequestWish(("Default",), CA, template="LyncWebServer", friendly_name="Größe 1")


class Shell:
    SHELL_FAMILY = "powershell"
    _IS_WINDOWS = True


class Answering:
    """A connection that encodes scripts itself and gives prepared answers, one after the other."""

    transport = "other"
    _shell = Shell()

    def __init__(self, *answers):
        self.answers = list(answers)
        self.scripts = []
        self.inputs = []

    def exec_command(self, cmd, in_data=None, sudoable=True):
        self.scripts.append(cmd)
        self.inputs.append(in_data)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return 0, answer.encode(), b""


@pytest.fixture(scope="module")
def ders():
    authority = pki.Authority("CN=Contoso CA", pki.KeyPool(size=1), not_before=START, not_after=END)
    return [
        authority.issue(pki.Wanted(subject=f"CN=host{number}", not_before=START, not_after=END)).der
        for number in range(3)
    ]


@pytest.fixture
def entry(ders):
    """A thumbprint and its blob, by number."""

    def entry(number, key=SCHANNEL, name="Größe 1"):
        der = ders[number]
        properties = [
            (serialized.KEY_PROV_INFO, serialized.key_prov_info("container", key[0], key[1], 0x20, key[2])),
            (serialized.FRIENDLY_NAME, serialized.text(name)),
        ]
        return hashlib.sha1(der, usedforsecurity=False).hexdigest().upper(), serialized.element(properties, der)

    return entry


def own(key, value=""):
    return f"keyprovider {key} {base64.b64encode(value.encode()).decode()}\r\n"


def stores(my, requests=None):
    text = serialized.reg_query(dict(my)) + "keyprovider exitmy 0\r\n"
    if requests is None:
        return text + "keyprovider exitrequest 1\r\n"
    return text + serialized.reg_query(dict(requests), "REQUEST") + "keyprovider exitrequest 0\r\n"


def looked(my, requests=None, parameters=PARAMETERS):
    return stores(my, requests) + own("version", "Lync 2013") + own("parameters", parameters) + "keyprovider end\r\n"


def called(my, requests=None, *, failure=None, warnings=""):
    text = own("report", REPORT) + (own("failure", failure) if failure else "")
    return text + own("warnings", warnings) + "keyprovider end\r\n" + stores(my, requests)


def run(wish, *answers, check=False):
    connection = Answering(*answers)
    result = request_through_lync(WindowsHost(connection), "fe01", wish, check_only=check, at=NOW)
    return result, connection


def refusal(wish, *answers, expected=HostError):
    connection = Answering(*answers)
    with pytest.raises(expected) as caught:
        request_through_lync(WindowsHost(connection), "fe01", wish, check_only=False, at=NOW)
    assert not connection.answers, "an answer was not asked for"
    return caught.value, connection


def test_the_new_certificate_is_found_with_its_key(entry):
    old, new = entry(0, name="old"), entry(1)
    result, connection = run(WISH, looked([old]), called([old, new], warnings="Mind the gap."))
    assert (result["changed"], result["status"], result["thumbprint"]) == (True, "issued", new[0])
    assert result["key"]["provider"] == SCHANNEL[0]
    assert result["report"] == REPORT
    assert result["warnings"] == ["Request-CsCertificate on fe01 warned: Mind the gap."]
    assert len(connection.scripts) == 2
    call = "Request-CsCertificate -New -Type 'Default' -CA $v[0] -Template $v[1] -FriendlyName $v[2] -Report"
    assert call in connection.scripts[1]


def test_texts_go_over_standard_input_only(entry):
    wish = LyncRequestWish(
        ("Default",), CA, friendly_name="O'Brien; calc", domain_names=("a.contoso.example", "*.b.example")
    )
    _result, connection = run(wish, looked([entry(0)]), called([entry(0), entry(1)]))
    sent = base64.b64decode(connection.inputs[1]).decode().split("\n")
    assert sent == [CA, "", "O'Brien; calc", "a.contoso.example,*.b.example"]
    assert "calc" not in connection.scripts[1]
    assert "-Template" not in connection.scripts[1]


def test_check_mode_requests_nothing(entry):
    result, connection = run(WISH, looked([entry(0)]), check=True)
    assert result["changed"]
    assert result["status"] is None
    assert len(connection.scripts) == 1


def test_a_request_that_waits_is_pending(entry):
    result, _connection = run(WISH, looked([entry(0)]), called([entry(0)], [entry(2)]))
    assert (result["changed"], result["status"], result["thumbprint"]) == (True, "pending", entry(2)[0])


def test_a_pending_request_is_fetched_and_not_made_again(entry):
    still, connection = run(WISH, looked([entry(0)], [entry(2)]), called([entry(0)], [entry(2)]))
    assert (still["changed"], still["status"]) == (False, "pending")
    assert "Request-CsCertificate -Retrieve -Report" in connection.scripts[1]
    assert "-New" not in connection.scripts[1]
    done, _connection = run(WISH, looked([entry(0)], [entry(2)]), called([entry(0), entry(1)], []))
    assert (done["changed"], done["status"], done["thumbprint"]) == (True, "issued", entry(1)[0])


def test_without_a_name_a_second_run_finds_the_request_of_the_first(entry):
    wish = LyncRequestWish(("Default",), CA, domain_names=("a.example", "b.example"))
    _result, connection = run(wish, looked([entry(0)]), called([entry(0)], [entry(2)]))
    name = base64.b64decode(connection.inputs[1]).decode().split("\n")[2]
    assert name.startswith("Lync Default ")
    same = LyncRequestWish(("default",), CA, domain_names=("b.example", "a.example"))
    waits = [entry(2, name=name)]
    again, connection = run(same, looked([entry(0)], waits), called([entry(0)], waits))
    assert (again["changed"], again["status"]) == (False, "pending")
    assert "-Retrieve" in connection.scripts[1]
    other = LyncRequestWish(("Internal",), CA, domain_names=("a.example", "b.example"))
    _result, connection = run(other, looked([entry(0)], waits), called([entry(0), entry(1)], waits))
    assert "-New" in connection.scripts[1]
    taken = [entry(0, name=name)]
    _result, connection = run(wish, looked(taken), called([*taken, entry(1)]))
    assert base64.b64decode(connection.inputs[1]).decode().split("\n")[2] == f"{name} (2)"


def test_a_pending_request_of_another_name_does_not_count(entry):
    other = entry(2, name="something else")
    _result, connection = run(WISH, looked([entry(0)], [other]), called([entry(0), entry(1)], [other]))
    assert "-New" in connection.scripts[1]


def test_a_key_in_a_ksp_is_a_failure_that_names_what_is_left_behind(entry):
    told, _connection = refusal(WISH, looked([entry(0)]), called([entry(0), entry(1, KSP)]))
    assert "key storage provider" in told.message
    assert f"certificate {entry(1)[0]} (CN=host1) in the store My" in told.message
    assert "winpki.keyprovider.template" in told.remedy


def test_so_it_is_when_the_request_still_waits(entry):
    told, _connection = refusal(WISH, looked([entry(0)]), called([entry(0)], [entry(2, KSP)]))
    assert f"request {entry(2)[0]}" in told.message


def test_a_refusal_explains_the_double_hop(entry):
    told, _connection = refusal(
        WISH, looked([entry(0)]), called([entry(0)], failure="Command execution failed: Access is denied.")
    )
    assert "Access is denied." in told.message
    assert "Nothing new is in the stores" in told.message
    assert REPORT in told.message
    assert "double hop" in told.remedy


def test_silence_without_a_certificate_is_a_failure(entry):
    told, _connection = refusal(WISH, looked([entry(0)]), called([entry(0)]))
    assert "Lync reported no error" in told.message


def test_an_error_with_a_certificate_tells_of_both(entry):
    told, _connection = refusal(WISH, looked([entry(0)]), called([entry(0), entry(1)], failure="Stopped."))
    assert "Stopped." in told.message
    assert entry(1)[0] in told.message


def test_of_two_new_ones_the_name_decides(entry):
    mine, other = entry(1), entry(2, name="autoenrolled")
    result, _connection = run(WISH, looked([entry(0)]), called([entry(0), other, mine]))
    assert result["thumbprint"] == mine[0]
    told, _connection = refusal(LyncRequestWish(("Default",), CA), looked([entry(0)]), called([entry(0), other, mine]))
    assert mine[0] in told.message
    assert other[0] in told.message


def test_what_this_version_lacks_is_refused_before_the_call(entry):
    told, _connection = refusal(
        LyncRequestWish(("Default",), CA, exportable=True),
        looked([entry(0)], parameters="New Type CA FriendlyName Report"),
    )
    assert "(Lync 2013) does not know -PrivateKeyExportable" in told.message


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"types": ("Nonsense",)}, "no certificate type"),
        ({"ca": "Contoso Issuing CA 1"}, "does not name a CA"),
        ({"ca": "ca01\\CA\n"}, "does not name a CA"),
        ({"template": "Lync\\nCertificateTemplate:User"}, "certificate template"),
        ({"friendly_name": "a\nb"}, "friendly name"),
        ({"friendly_name": " "}, "friendly name"),
        ({"domain_names": ("a.example,evil.example",)}, "is not a DNS name"),
        ({"domain_names": ("a.example\n",)}, "is not a DNS name"),
        ({"key_length": 512}, "no key of 512 bits"),
    ],
)
def test_a_value_that_would_be_more_than_one_never_reaches_the_host(wish, message):
    told, connection = refusal(LyncRequestWish(**{"types": ("Default",), "ca": CA, **wish}))
    assert message in told.message
    assert told.remedy
    assert connection.scripts == []


def test_a_connection_that_breaks_in_the_call_leaves_it_unknown(entry):
    told, _connection = refusal(
        WISH, looked([entry(0)]), AnsibleConnectionFailure("reset by peer"), expected=HostUnreachable
    )
    assert "whether it did is not known" in told.message
    assert "look for a new certificate" in told.remedy


@pytest.mark.parametrize("said", ["(Ausnahme von HRESULT: 0x80094800)", "abgelehnt (0x80094800)."])
def test_a_number_that_lync_passes_on_is_explained_in_every_language(entry, said):
    told, _connection = refusal(WISH, looked([entry(0)]), called([entry(0)], failure=f"Fehler {said}"))
    assert "The CA does not issue this template" in told.message
    assert told.remedy.startswith("Publish the template")
    assert "double hop" not in told.remedy


@pytest.mark.parametrize("code", ["0x80070005", "0x800706BA"])
def test_a_ca_that_was_not_reached_leads_to_the_double_hop(entry, code):
    told, _connection = refusal(WISH, looked([entry(0)]), called([entry(0)], failure=f"Fehler {code}"))
    assert "double hop" in told.remedy
    assert "admin_force_machine" not in told.remedy


def test_an_oid_is_no_name_of_a_template():
    told, connection = refusal(LyncRequestWish(("Default",), CA, template="1.3.6.1.4.1.311.21.8.1.2.3"))
    assert "takes a template by its name" in told.message
    assert "lync_certificates_request_template" in told.remedy
    assert connection.scripts == []


def test_the_template_that_led_to_a_storage_key_is_named(entry):
    told, _connection = refusal(WISH, looked([entry(0)]), called([entry(0), entry(1, KSP)]))
    assert "leaves the provider to the template 'LyncWebServer'" in told.message
    bare = LyncRequestWish(("Default",), CA, friendly_name=WISH.friendly_name)
    told, _connection = refusal(bare, looked([entry(0)]), called([entry(0), entry(1, KSP)]))
    assert "here Lync's default" in told.message
