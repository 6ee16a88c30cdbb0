# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conversions on simulated hosts: what moves, what is refused, what a failure or a cut leaves."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.conversion import ConversionWish, convert
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.wish import EnrolmentError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.host.connection import HostError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.profiles.library import load
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lab.host.machine import Machine
from lab_host import LabHost, machine_with

SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
STRONG = "Microsoft Strong Cryptographic Provider"
KSP = "Microsoft Software Key Storage Provider"
MODERN = {"os": "10.0.17763", "powershell": "5.1"}
NAME = "fe01"


def entry(holder: str = "cng", **values: Any) -> dict[str, Any]:
    key = {"holder": holder, "exportable": True, **values.pop("key", {})}
    return {"id": "it", "friendly_name": "Lync pool", "key": key, **values}


def the(machine: Machine):
    return next(one for one in machine.stores["MY"] if one.identifier == "it")


def thumbprint_of(machine: Machine) -> str:
    return the(machine).issued.thumbprint


def wish_for(machine: Machine, **values: Any) -> ConversionWish:
    return ConversionWish(thumbprint=thumbprint_of(machine), profile=load("lync_2013"), **values)


def run(host: LabHost, *, check: bool = False, **values: Any) -> dict[str, Any]:
    return convert(host, NAME, wish_for(host.machine, **values), check=check, at=datetime.now(timezone.utc))


def leftovers(machine: Machine) -> list[str]:
    """What must not be after a run: stores of ours, PFX files, keys that nothing points to."""
    stores = [f"store {name}" for name in machine.stores if name.upper().startswith("KEYPROVIDER")]
    files = [path for path in machine.files if path.lower().endswith(".pfx")]
    named = {
        ((one.key.provider or "").casefold(), (one.key.container or "").casefold())
        for held in machine.stores.values()
        for one in held
        if one.key
    }
    orphans = [
        f"container {held.name} of {held.provider}"
        for held in machine.containers
        if (held.provider.casefold(), held.name.casefold()) not in named
    ]
    return [*stores, *files, *orphans]


def works(machine: Machine, provider: str) -> bool:
    """Whether the certificate has its own key in a container of the provider."""
    stored = the(machine)
    container = machine.container_of(stored.key)
    return (
        stored.key is not None
        and stored.key.provider == provider
        and container is not None
        and container.key.public_key() == stored.issued.certificate.public_key()
    )


@pytest.mark.parametrize("holder", ["cng", "strong", "enhanced", "aes", "base"])
def test_a_software_key_moves_into_the_provider_that_lync_can_use(holder):
    machine = machine_with(entry(holder))
    before = the(machine)
    result = run(LabHost(machine))
    assert result["changed"]
    assert works(machine, SCHANNEL)
    assert (the(machine).key.provider_type, the(machine).key.key_spec) == (12, 1)
    assert result["after"]["key"]["provider"] == SCHANNEL
    assert result["proof"] == {"signed": True, "provider": SCHANNEL, "provider_type": 12, "key_spec": 1}
    assert the(machine).friendly_name == "Lync pool"
    assert result["before"]["thumbprint"] == result["after"]["thumbprint"] == before.issued.thumbprint
    assert result["former_key"] == {"provider": before.key.provider, "container": before.key.container, "state": "kept"}
    assert ["restarted" in warning for warning in result["warnings"]] == [True]
    assert leftovers(machine) == ["store KeyProviderFormer"]


def test_the_second_run_changes_nothing():
    machine = machine_with(entry())
    run(LabHost(machine))
    host = LabHost(machine)
    again = run(host)
    assert not again["changed"]
    assert (again["diff"], again["warnings"]) == ([], [])
    assert again["former_key"]["state"] == "kept"
    assert len(host.scripts) == 2


def test_the_former_key_goes_when_that_is_asked_for():
    machine = machine_with(entry())
    container = the(machine).key.container
    result = run(LabHost(machine), retire_source_key=True)
    assert result["former_key"] == {"provider": KSP, "container": container, "state": "retired"}
    assert works(machine, SCHANNEL)
    assert leftovers(machine) == []
    assert [held.provider for held in machine.containers] == [SCHANNEL]


def test_the_former_key_can_go_later():
    machine = machine_with(entry())
    run(LabHost(machine))
    assert run(LabHost(machine), retire_source_key=True)["changed"]
    assert leftovers(machine) == []
    assert not run(LabHost(machine), retire_source_key=True)["changed"]


def test_the_way_back_uses_the_key_that_was_kept():
    machine = machine_with(entry(), **MODERN)
    container = the(machine).key.container
    run(LabHost(machine))
    result = run(LabHost(machine), provider=KSP)
    assert works(machine, KSP)
    assert the(machine).key.container == container
    assert result["former_key"]["provider"] == SCHANNEL
    assert run(LabHost(machine))["changed"]
    assert works(machine, SCHANNEL)
    assert len(list(machine.containers)) == 2


def test_a_failure_on_the_way_takes_no_key_that_an_earlier_conversion_kept():
    machine = machine_with(entry(), **MODERN)
    run(LabHost(machine))
    run(LabHost(machine), provider=KSP)
    machine.repair_ignores_key = True
    with pytest.raises(EnrolmentError, match="could not be pointed to its new key"):
        run(LabHost(machine))
    assert works(machine, KSP)
    assert {held.provider for held in machine.containers} == {KSP, SCHANNEL}
    machine.repair_ignores_key = False
    run(LabHost(machine), retire_source_key=True)
    assert works(machine, SCHANNEL)
    assert leftovers(machine) == []


def test_the_way_back_makes_a_key_of_cng_when_none_was_kept():
    machine = machine_with(entry("schannel"), **MODERN)
    result = run(LabHost(machine), provider=KSP, retire_source_key=True)
    assert works(machine, KSP)
    assert result["proof"]["provider"] == KSP
    assert leftovers(machine) == []


def test_there_is_no_way_back_while_lync_uses_the_certificate():
    machine = machine_with(entry("schannel", assigned=["Default"]), lync={"version": 2013}, **MODERN)
    for check in (True, False):
        with pytest.raises(
            EnrolmentError, match=f"into CNG while Lync .* {thumbprint_of(machine)} for Default"
        ) as caught:
            run(LabHost(machine), provider=KSP, check=check)
        assert (caught.value.place, "Assign another" in caught.value.remedy) == ("conversion of the key", True)
    assert works(machine, SCHANNEL)
    assert leftovers(machine) == []


def test_a_key_of_cng_that_cannot_be_proven_is_given_up():
    machine = machine_with(entry("schannel"))
    with pytest.raises(EnrolmentError, match="removed") as caught:
        run(LabHost(machine), provider=KSP)
    assert "proof" in caught.value.place
    assert works(machine, SCHANNEL)
    assert leftovers(machine) == []


def test_check_mode_looks_only():
    machine = machine_with(entry())
    host = LabHost(machine)
    result = run(host, check=True)
    assert result["changed"]
    assert result["proof"] is None
    assert result["after"]["key"]["provider"] == SCHANNEL
    assert result["after"]["verdict"]["status"] != "unsuitable"
    assert result["former_key"]["state"] == "kept"
    assert result["key_access"]["before"]
    assert "container: (Windows chooses its name)\n" in result["diff"][0]["after"]
    assert result["warnings"] == []
    assert works(machine, KSP)
    assert leftovers(machine) == []
    assert not [script for script in host.scripts if "-importPFX" in script]


@pytest.mark.parametrize(
    ("certificate", "reason"),
    [
        (entry("tpm", key={"exportable": False}), "in the TPM"),
        (entry("smart_card_ksp", key={"exportable": False}), "smart card"),
        (entry("smart_card", key={"exportable": False}), "smart card"),
        (entry("hsm", key={"exportable": False}), "hardware"),
        (entry(algorithm="p256"), "take RSA"),
        (entry(key={"machine": False}), "belongs to a user"),
        (entry(key={"recorded": False}), "records no private key"),
        (entry(archived=True), "archived"),
        (entry(key={"exportable": False}), "may not be exported"),
        (entry("strong", key={"exportable": False}), "may not be exported"),
        (entry(key={"missing": True}), "could not be opened"),
    ],
)
def test_what_cannot_move_is_refused_before_anything_is_done(certificate, reason):
    machine = machine_with(certificate, **MODERN)
    reference = the(machine).key
    host = LabHost(machine)
    with pytest.raises(EnrolmentError, match=reason) as caught:
        run(host)
    assert "Nothing was changed" in caught.value.message
    assert caught.value.remedy
    assert the(machine).key == reference
    assert "KeyProvider" not in "".join(machine.stores)
    assert not [script for script in host.scripts if "-importPFX" in script]


def test_a_certificate_that_is_not_there():
    machine = machine_with(entry())
    wish = ConversionWish(thumbprint="0" * 40, profile=load("lync_2013"))
    with pytest.raises(EnrolmentError, match="holds no certificate"):
        convert(LabHost(machine), NAME, wish, check=False, at=datetime.now(timezone.utc))


def test_the_key_is_not_exportable_afterwards_when_that_is_asked_for():
    machine = machine_with(entry())
    run(LabHost(machine), exportable=False, retire_source_key=True)
    assert not machine.container_of(the(machine).key).exportable


def test_the_pfx_lies_where_administrators_alone_can_read_it_and_is_gone_afterwards():
    machine = machine_with(entry())
    run(LabHost(machine))
    [written] = [one for one in machine.written if one.path.lower().endswith(".pfx")]
    assert sorted(re.findall(r";;;([^)]*)\)", written.access)) == ["BA", "SY"]
    key = machine.container_of(the(machine).key).key
    plain = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    assert plain not in written.data
    assert not [path for path in machine.files if "conversion" in path.lower() and path.lower().endswith(".pfx")]


def test_the_password_of_the_file_is_new_each_time_and_stands_in_no_script():
    passwords = []
    for _number in range(2):
        machine = machine_with(entry())
        host = LabHost(machine)
        run(host)
        [call] = [event.text for event in machine.events if event.id == 4688 and "-importPFX" in event.text]
        password = call.split(" -p ")[1].split()[0]
        passwords.append(password)
        assert not [script for script in host.scripts if password in script]
        assert len(password) >= 40
        assert [event for event in machine.events if password in event.text] == [
            event for event in machine.events if event.text == call
        ]
    assert passwords[0] != passwords[1]


# Who may use the key

NETWORK_SERVICE = "S-1-5-20"
ACCESS = "D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;FR;;;NS)(A;;FR;;;S-1-5-21-1-2-3-1105)"


def access_of(machine: Machine) -> str:
    container = machine.container_of(the(machine).key)
    assert container is not None
    return container.access


def test_those_who_could_use_the_key_can_use_it_again():
    machine = machine_with(entry(key={"access": ACCESS}))
    others = {(held.provider, held.name): held.access for held in machine.containers}
    result = run(LabHost(machine))
    container = machine.container_of(the(machine).key)
    for sid in ("S-1-5-18", "S-1-5-32-544", NETWORK_SERVICE, "S-1-5-21-1-2-3-1105"):
        assert machine.may_use(container, sid), sid
    assert not machine.may_use(container, "S-1-5-21-1-2-3-1106")
    assert {one["sid"] for one in result["key_access"]["after"]} >= {NETWORK_SERVICE, "S-1-5-21-1-2-3-1105"}
    assert {(held.provider, held.name): held.access for held in machine.containers}.items() >= others.items()


def test_named_readers_take_the_place_of_those_who_could():
    machine = machine_with(entry(key={"access": ACCESS}))
    run(LabHost(machine), readers=(NETWORK_SERVICE,))
    container = machine.container_of(the(machine).key)
    assert machine.may_use(container, NETWORK_SERVICE)
    assert not machine.may_use(container, "S-1-5-21-1-2-3-1105")


def test_a_reader_that_the_host_does_not_know():
    machine = machine_with(entry())
    with pytest.raises(EnrolmentError, match='does not know the account "NO SUCH GROUP"'):
        run(LabHost(machine), readers=("NO SUCH GROUP",))
    assert works(machine, KSP)
    assert leftovers(machine) == []


# Faults


def test_a_key_that_went_into_another_provider_is_taken_back():
    machine = machine_with(entry())
    machine.importing_provider = STRONG
    with pytest.raises(EnrolmentError, match=STRONG) as caught:
        run(LabHost(machine))
    assert "removed" in caught.value.message
    assert works(machine, KSP)
    assert leftovers(machine) == []


def test_without_the_right_to_make_keys_nothing_is_left():
    machine = machine_with(entry(), deny=["keys"])
    with pytest.raises(EnrolmentError, match=r"not copied"):
        run(LabHost(machine))
    assert works(machine, KSP)
    assert leftovers(machine) == []


def test_a_full_disk_leaves_nothing():
    machine = machine_with(entry())
    machine.disk_full = True
    with pytest.raises((EnrolmentError, HostError)):
        run(LabHost(machine))
    assert works(machine, KSP)
    machine.disk_full = False
    run(LabHost(machine), retire_source_key=True)
    assert works(machine, SCHANNEL)
    assert leftovers(machine) == []


def test_a_key_that_another_certificate_uses_goes_with_the_last_one_that_had_it():
    first = entry(key={"container": "shared"}, shared_key="pair")
    second = {
        "id": "other",
        "friendly_name": "other",
        "shared_key": "pair",
        "key": {"holder": "cng", "container": "shared", "exportable": True},
    }
    machine = machine_with(first, second)
    planned = run(LabHost(machine), check=True, retire_source_key=True)
    result = run(LabHost(machine), retire_source_key=True)
    assert planned["former_key"] == result["former_key"]
    assert result["former_key"]["state"] == "shared"
    [warning] = planned["warnings"]
    assert f"of {thumbprint_of(machine)} on {NAME}" in warning
    assert "also the key of" in warning
    assert warning in result["warnings"]
    again = run(LabHost(machine), retire_source_key=True)
    assert (again["changed"], again["former_key"]["state"]) == (False, "none")
    assert machine.containers.find(KSP, "shared") is not None
    other = next(one.issued.thumbprint for one in machine.stores["MY"] if one.identifier == "other")
    wish = ConversionWish(thumbprint=other, profile=load("lync_2013"), retire_source_key=True)
    last = convert(LabHost(machine), NAME, wish, check=False, at=datetime.now(timezone.utc))
    assert last["former_key"]["state"] == "retired"
    assert machine.containers.find(KSP, "shared") is None
    assert leftovers(machine) == []


# Names of containers: an import takes the name of the exported key's container when the provider has none of that name


@pytest.mark.parametrize("holder", ["strong", "enhanced", "aes", "base"])
@pytest.mark.parametrize("later", [False, True])
def test_retiring_a_key_of_a_provider_that_shares_its_containers_leaves_the_new_one(holder, later):
    machine = machine_with(entry(holder))
    if later:
        run(LabHost(machine))
    result = run(LabHost(machine), retire_source_key=True)
    assert works(machine, SCHANNEL)
    assert result["former_key"]["state"] == "retired"
    assert len(list(machine.containers)) == 1
    assert leftovers(machine) == []


@pytest.mark.parametrize("holder", ["cng", "strong"])
def test_giving_up_leaves_a_key_that_works(holder):
    machine = machine_with(entry(holder))
    before = the(machine)
    machine.repair_ignores_key = True
    with pytest.raises(EnrolmentError, match="The certificate uses its former key as before"):
        run(LabHost(machine))
    assert the(machine) == before
    assert works(machine, before.key.provider)
    assert leftovers(machine) == []


def test_a_container_of_another_certificate_with_the_same_name_is_not_overwritten():
    other = {"id": "other", "friendly_name": "other", "key": {"holder": "enhanced", "container": "lync"}}
    machine = machine_with(entry(key={"container": "lync"}), other)
    held = machine.containers.find(STRONG, "lync")
    run(LabHost(machine), retire_source_key=True)
    assert works(machine, SCHANNEL)
    assert machine.containers.find(STRONG, "lync") == held
    assert machine.containers.find(KSP, "lync") is None


def test_a_container_that_a_certificate_of_another_provider_uses_is_kept():
    """One container may be named through any of Microsoft's RSA providers."""
    first = entry("strong", key={"container": "lync"})
    second = {
        "id": "other",
        "friendly_name": "other",
        "key": {"holder": "enhanced", "container": "lync", "missing": True},
    }
    machine = machine_with(first, second)
    result = run(LabHost(machine), retire_source_key=True)
    assert result["former_key"]["state"] == "shared"
    assert machine.containers.find(STRONG, "lync") is not None


def test_a_former_key_that_is_gone_takes_nothing_with_it():
    """A run that was cut between the container and its record, where a KSP reaches containers of legacy providers."""
    machine = machine_with(entry(key={"container": "lync"}))
    machine.ksp_reaches_legacy = True
    run(LabHost(machine))
    assert the(machine).key.container == "lync"
    machine.containers.remove(KSP, "lync")
    result = run(LabHost(machine), retire_source_key=True)
    assert works(machine, SCHANNEL)
    assert result["former_key"]["state"] == "retired"
    assert leftovers(machine) == []


def commands(**values: Any) -> int:
    host = LabHost(machine_with(entry(), **MODERN))
    run(host, **values)
    return len(host.scripts)


@pytest.mark.parametrize("retire", [False, True])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(1, 10))
def test_after_each_cut_the_certificate_works_and_the_next_run_ends_well(number, when, retire):
    machine = machine_with(entry(), **MODERN)
    host = LabHost(machine)
    host.cut = lambda at, script: when if at == number else None
    if number <= commands(retire_source_key=retire):
        with pytest.raises(HostError):
            run(host, retire_source_key=retire)
    assert works(machine, KSP) or works(machine, SCHANNEL)
    run(LabHost(machine), retire_source_key=retire)
    assert works(machine, SCHANNEL)
    assert leftovers(machine) == ([] if retire else ["store KeyProviderFormer"])
    assert len(list(machine.containers)) == (1 if retire else 2)
    assert not run(LabHost(machine), retire_source_key=retire)["changed"]
