# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""With the longest values that are accepted every script still fits on cmd.exe's command line."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.installation import InstallWish, install
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.removal import RemovalWish, remove
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.submission_scripts import SubmissionHost
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.transfer import ImportWish, import_pfx
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.submission import (
    attributes,
    check_config,
    restriction,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.host.connection import SCRIPT_LIMIT, Completed
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.lync import cmdlets
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.lync.usages import GLOBAL_TYPES, TYPES
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.profiles.library import load
from installed_host import AT, SCHANNEL, FakeHost, Held, csr_of, issued, key_in, pem, subordinate
from lab.formats.pfx import Entry, write_entries
from lab.pki import Authority, KeyPool, Wanted

LYNC = load("lync_2013")
CONFIG = check_config("h" * 255 + "\\C" + "'" * 63)
IDENTITIES = [f"{number:032x}" for number in range(20)]


class Recorder:
    """A host that runs nothing."""

    def run_script(self, script, stdin=None):
        self.script = script
        return Completed(0, b"keyprovider exit 0\r\n", b"")


@pytest.mark.parametrize(
    "work",
    [
        lambda host: host.read(local_ca=True),
        lambda host: host.submit(b"r", CONFIG, attributes("T" * 64), answered=False),
        lambda host: host.retrieve(0xFFFFFFFF, CONFIG, known=False, by_hand=False),
        lambda host: host.look(CONFIG, restriction("c" * 64)),
    ],
    ids=["read", "submit", "retrieve", "look"],
)
def test_a_submission(work):
    recorder = Recorder()
    work(SubmissionHost(recorder, "ca01", "0" * 32, admin_force_machine=True))
    assert len(recorder.script) <= SCRIPT_LIMIT


def test_an_installation_with_many_saved_requests():
    host = FakeHost(request=[Held(issued(), key_in(), "Pool")], saved=dict.fromkeys(IDENTITIES, csr_of(issued())))
    install(host, "fe01", InstallWish(certificate=pem(issued()), profile=LYNC), check=False, at=AT)
    assert max(map(len, host.scripts)) <= SCRIPT_LIMIT


def test_a_removal_with_the_longest_name_of_a_container():
    """MAX_PATH characters (CryptAcquireContext), each of which has to be doubled."""
    held = Held(issued(), key_in(container="'" * 260), "Pool")
    host = FakeHost(request=[held], saved=dict.fromkeys(IDENTITIES, csr_of(issued())))
    host.faults["delkey"] = lambda *given: "keyprovider exitkey 0\r\n" + FakeHost._delstore(*given)
    remove(host, "fe01", RemovalWish(held.thumbprint, store="Request"), check_mode=False)
    assert "'-delkey'" in host.scripts[-1]
    assert len(host.scripts[-1]) <= SCRIPT_LIMIT


def test_a_pfx_with_many_certificates():
    leaf = subordinate().issue(Wanted("CN=fe02.contoso.example", AT - timedelta(days=1), AT + timedelta(days=300)))
    others = [
        Authority(f"CN=CA {number}", KeyPool(), not_before=AT - timedelta(days=9), not_after=AT + timedelta(days=900))
        for number in range(3)
    ]
    chain = [subordinate().certificate.certificate, *(one.certificate.certificate for one in others)]
    chain += [subordinate("CN=Contoso Other CA").issue(_ca(number)).certificate for number in range(50)]
    made = write_entries([Entry(leaf.key, leaf.certificate, SCHANNEL, True)], password="p", chain=chain)
    host = FakeHost()
    import_pfx(host, "fe02", ImportWish(pfx=made, password="p", profile=LYNC), check=False, at=AT)
    assert max(map(len, host.scripts)) <= SCRIPT_LIMIT


def _ca(number):
    return Wanted(f"CN=CA {number}", AT - timedelta(days=9), AT + timedelta(days=900), is_ca=True)


@pytest.mark.parametrize(
    "script",
    [
        cmdlets.assigning_script(
            [name for name in TYPES if name not in GLOBAL_TYPES],
            "A" * 40,
            f"assign-20260301T120000Z-{'A' * 8}.html",
            effective_date=AT,
            roll=True,
        ),
        cmdlets.assigning_script(
            GLOBAL_TYPES,
            "A" * 40,
            f"assign-20260301T120000Z-{'A' * 8}-global.html",
            everywhere=True,
            effective_date=AT,
            roll=True,
        ),
        cmdlets.requesting_script(
            TYPES, cmdlets.REQUEST_VALUES, "request-20260301T120000Z.html", key_length=4096, exportable=False
        ),
        cmdlets.reading_script(),
    ],
    ids=["assign", "assign globally", "request", "read"],
)
def test_a_lync_cmdlet(script):
    assert len(script) <= SCRIPT_LIMIT
