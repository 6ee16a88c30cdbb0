# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read, plan, save, apply, read back, verify."""

from __future__ import annotations

import shlex
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory.errors import (
    ATTRIBUTE_OR_VALUE_EXISTS,
    CONSTRAINT_VIOLATION,
    INSUFFICIENT_ACCESS_RIGHTS,
    NO_SUCH_ATTRIBUTE,
    DirectoryError,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory.ldif import parse
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.template import enforce_template
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.work import TemplateWish
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.record import EvidenceError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.template.wanted import TemplateError, Wanted
from lab.directory.ldif import records
from template_objects import SCHANNEL, MemoryDirectory, oid_container, service_entry, template_entry, values

AT = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)
CA1 = ("Contoso Issuing CA 1", "ca01.corp.example.test")
CA2 = ("Contoso Issuing CA 2", "ca02.corp.example.test")


@pytest.fixture
def forest():
    return MemoryDirectory(
        [
            oid_container(),
            template_entry(),
            template_entry("WebServer2008", msPKI_Template_Schema_Version=3, msPKI_Private_Key_Flag=0x02020000),
            service_entry(*CA1, ["LyncWebServer"]),
            service_entry(*CA2, ["WebServer2008", "LyncWebServer"]),
        ]
    )


def enforce(forest, directory, name="LyncWebServer", check=False, publish_on=None, withdraw=False, **wanted):
    wish = TemplateWish(name, Wanted(**wanted), publish_on, withdraw, Path(directory))
    return enforce_template(forest, wish, check=check, at=AT)


def test_a_template_is_changed_saved_and_read_back(forest, tmp_path):
    result = enforce(forest, tmp_path)
    assert result["changed"]
    assert (result["before"]["category"], result["after"]["category"]) == ("ksp", "csp")
    assert result["after"]["providers"] == [SCHANNEL]
    assert result["after"]["published_on"] == [CA1[0], CA2[0]]
    assert forest.searches == 2
    assert len(forest.applied) == 1


def test_a_second_run_changes_nothing(forest, tmp_path):
    enforce(forest, tmp_path)
    again = enforce(forest, tmp_path)
    assert not again["changed"]
    assert again["backup"] is None
    assert again["diff"] == []
    assert len(forest.applied) == 1


def test_check_mode_says_the_same_and_touches_nothing(forest, tmp_path):
    before = dict(forest.entries)
    predicted = enforce(forest, tmp_path / "backups", check=True, publish_on=(CA1[0],), withdraw=True)
    assert forest.entries == before
    assert not (tmp_path / "backups").exists()
    done = enforce(forest, tmp_path, publish_on=(CA1[0],), withdraw=True)
    for key in ("changed", "before", "after", "plan", "diff"):
        assert predicted[key] == done[key], key


def test_the_backup_holds_the_object_as_it_was(forest, tmp_path):
    dn, entry = next(item for item in forest.entries.items() if "LyncWebServer" in item[0])
    backup = enforce(forest, tmp_path)["backup"]
    [saved] = parse(Path(backup["path"]).read_bytes(), origin="backup")
    assert saved == entry
    restore = Path(backup["restore_path"]).read_bytes().replace(b"\r\n ", b"").decode("ascii")
    assert f"dn: {dn}\r\nchangetype: modify\r\n" in restore
    assert "replace: msPKI-Private-Key-Flag\r\nmsPKI-Private-Key-Flag: 101056512\r\n-" in restore
    assert "msPKI-Template-Minor-Revision: 6\r\n" in restore  # once more than the 5 that was written
    assert backup["restore_path"] in backup["instructions"]


def test_two_backups_of_one_second_do_not_meet(forest, tmp_path):
    first = enforce(forest, tmp_path)["backup"]
    second = enforce(forest, tmp_path, exportable=True)["backup"]
    assert len({first["path"], second["path"], first["restore_path"], second["restore_path"]}) == 4


def test_nothing_is_changed_without_a_backup(forest, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EvidenceError, match="Nothing was changed"):
        enforce(forest, tmp_path / "file")
    assert forest.applied == []


def test_a_change_by_somebody_else_is_an_error_and_not_overwritten(forest, tmp_path):
    dn = next(dn for dn in forest.entries if "LyncWebServer" in dn)
    forest.before_apply = lambda: forest.modify(dn, [("msPKI-Template-Minor-Revision", values(4), values(5))])
    with pytest.raises(DirectoryError) as caught:
        enforce(forest, tmp_path)
    assert caught.value.code == NO_SUCH_ATTRIBUTE
    assert "msPKI-Template-Minor-Revision is 5 now, it was 4." in caught.value.message
    assert "Nothing was changed." in caught.value.message


def test_a_refusal_says_that_nothing_was_changed(forest, tmp_path):
    forest.refuses = True
    with pytest.raises(DirectoryError, match="Nothing was changed") as caught:
        enforce(forest, tmp_path)
    assert caught.value.code == INSUFFICIENT_ACCESS_RIGHTS


def test_what_was_done_before_a_failure_is_told_with_the_way_back(forest, tmp_path):
    apply, calls = forest.apply, []

    def only_the_first(changes):
        calls.append(changes)
        apply(changes[:1])
        raise DirectoryError("The rest failed.", code=53)

    forest.apply = only_the_first
    with pytest.raises(DirectoryError) as caught:
        enforce(forest, tmp_path, publish_on=(CA1[0],), withdraw=True)
    assert f"Done before it failed: {calls[0][0].dn}" in caught.value.message
    assert ".restore.ldf" in caught.value.message


def test_a_directory_that_holds_something_else_afterwards_is_an_error(forest, tmp_path):
    forest.apply = lambda changes: None
    with pytest.raises(DirectoryError, match="holds something else"):
        enforce(forest, tmp_path)


def test_publication_changes_only_this_template(forest, tmp_path):
    result = enforce(forest, tmp_path, name="WebServer2008", schema_3="downgrade", publish_on=(CA1[1],), withdraw=True)
    assert result["plan"]["publication"] == {"add": [CA1[0]], "remove": [CA2[0]]}
    held = {entry.text("cn"): entry.texts("certificateTemplates") for entry in forest.entries.values()}
    assert held[CA1[0]] == ("LyncWebServer", "WebServer2008")
    assert held[CA2[0]] == ("LyncWebServer",)


@pytest.mark.parametrize("name", ["ca01\\Contoso Issuing CA 1", "CA01.corp.example.test\\contoso issuing ca 1"])
def test_a_ca_may_be_named_as_certutil_does(forest, tmp_path, name):
    assert enforce(forest, tmp_path, publish_on=(name,))["plan"]["publication"] == {"add": [], "remove": []}


def test_an_unknown_ca_is_an_error_that_names_the_near_ones(forest, tmp_path):
    with pytest.raises(TemplateError) as caught:
        enforce(forest, tmp_path, publish_on=("Contoso Isuing CA 1",))
    assert "Did you mean 'Contoso Issuing CA 1'?" in caught.value.remedy


def test_withdrawing_needs_to_know_from_whom(forest, tmp_path):
    with pytest.raises(TemplateError, match="publish_on"):
        enforce(forest, tmp_path, withdraw=True)


def test_schema_3_is_superseded_by_a_template_with_its_own_oid(forest, tmp_path):
    result = enforce(
        forest, tmp_path, name="WebServer2008", schema_3="supersede", new_name="WebServerLync", publish_on=(CA1[0],)
    )
    after = result["after"]
    assert (after["name"], after["schema_version"], after["category"]) == ("WebServerLync", 2, "csp")
    assert after["supersedes"] == ["WebServer2008"]
    assert after["oid"] not in (result["before"]["oid"], None)
    assert after["published_on"] == [CA1[0]]
    assert after["revision"] == {"major": 100, "minor": 2}
    registered = [entry for entry in forest.entries.values() if b"msPKI-Enterprise-Oid" in entry.values("objectClass")]
    assert after["oid"] in [entry.text("msPKI-Cert-Template-OID") for entry in registered]
    assert not enforce(
        forest, tmp_path, name="WebServer2008", schema_3="supersede", new_name="WebServerLync", publish_on=(CA1[0],)
    )["changed"]


def test_a_duplicate_of_schema_4_is_legacy_and_for_newer_clients(forest, tmp_path):
    after = enforce(forest, tmp_path, name="WebServer2008", schema_3="supersede", new_schema_version=4)["after"]
    assert after["category"] == "csp"
    assert after["private_key_flags"]["hex"] == "0x04040100"


def test_a_duplicate_keeps_everything_else(forest, tmp_path):
    source = next(entry for dn, entry in forest.entries.items() if "WebServer2008" in dn)
    enforce(forest, tmp_path, name="WebServer2008", schema_3="supersede", new_name="Copy")
    copy = next(entry for dn, entry in forest.entries.items() if dn.startswith("CN=Copy,"))
    for name in ("pKIExtendedKeyUsage", "msPKI-Certificate-Application-Policy", "msPKI-Enrollment-Flag"):
        assert copy.values(name) == source.values(name)
    assert copy.values("nTSecurityDescriptor") != ()


def test_an_absent_application_policy_of_a_duplicate_follows_the_key_usage(forest, tmp_path):
    entry = template_entry("Half", msPKI_Template_Schema_Version=3, msPKI_Certificate_Application_Policy=None)
    forest.entries[entry.dn] = entry
    after = enforce(forest, tmp_path, name="Half", schema_3="supersede")["after"]
    assert after["extended_key_usage"] == after["application_policies"] == ["1.3.6.1.5.5.7.3.1"]


def test_a_run_that_was_cut_off_half_way_is_taken_up(forest, tmp_path):
    apply = forest.apply

    def cut(changes):
        apply(changes[:1])
        raise DirectoryError("The connection broke.")

    forest.apply = cut
    with pytest.raises(DirectoryError):
        enforce(forest, tmp_path, name="WebServer2008", schema_3="supersede")
    forest.apply = apply
    enforce(forest, tmp_path, name="WebServer2008", schema_3="supersede")
    oids = [entry for entry in forest.entries.values() if b"msPKI-Enterprise-Oid" in entry.values("objectClass")]
    assert len(oids) == 2  # the container and one registration


def test_the_name_of_another_template_is_not_taken_over(forest, tmp_path):
    with pytest.raises(TemplateError, match="does not supersede"):
        enforce(forest, tmp_path, name="WebServer2008", schema_3="supersede", new_name="LyncWebServer")


@pytest.mark.parametrize("name", ["WebServer2008", "x" * 65, "a\nb", " "])
def test_a_new_name_that_cannot_be_is_refused(forest, tmp_path, name):
    with pytest.raises(TemplateError, match="cannot be the name"):
        enforce(forest, tmp_path, name="WebServer2008", schema_3="supersede", new_name=name)


def test_permissions_that_cannot_be_read_are_not_guessed(forest, tmp_path):
    entry = template_entry("Hidden", msPKI_Template_Schema_Version=3, nTSecurityDescriptor=None)
    forest.entries[entry.dn] = entry
    with pytest.raises(TemplateError, match="cannot be copied"):
        enforce(forest, tmp_path, name="Hidden", schema_3="supersede")


ESC1 = {
    "msPKI_Certificate_Name_Flag": 1,
    "pKIExtendedKeyUsage": ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"],
    "msPKI_Certificate_Application_Policy": ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"],
    "nTSecurityDescriptor": None,
}
EVERYONE_ENROLLS = bytes.fromhex(
    # Self-relative, no owner; one entry that allows Everyone (S-1-1-0) everything.
    "010004800000000000000000000000001400000002001c000100000000001400ff010f00010100000000000100000000"
)


def exposed(name, **attributes):
    return template_entry(name, **{**ESC1, "nTSecurityDescriptor": EVERYONE_ENROLLS, **attributes})


def test_an_exposed_template_is_changed_with_a_warning(forest, tmp_path):
    entry = exposed("Open")
    forest.entries[entry.dn] = entry
    result = enforce(forest, tmp_path, name="Open")
    assert result["changed"]
    assert [found["name"] for found in result["after"]["exposures"]] == ["ESC1"]
    assert any("ESC1" in warning for warning in result["warnings"])


def test_an_exposed_template_is_not_published(forest, tmp_path):
    entry = exposed("Open")
    forest.entries[entry.dn] = entry
    with pytest.raises(TemplateError, match="ESC1"):
        enforce(forest, tmp_path, name="Open", publish_on=(CA1[0],))
    assert forest.applied == []


def test_an_exposed_template_is_not_duplicated(forest, tmp_path):
    entry = exposed("Open", msPKI_Template_Schema_Version=3)
    forest.entries[entry.dn] = entry
    with pytest.raises(TemplateError, match="ESC1"):
        enforce(forest, tmp_path, name="Open", schema_3="supersede")
    assert forest.applied == []


def test_the_diff_names_flags(forest, tmp_path):
    [changed] = enforce(forest, tmp_path, check=True)["diff"]
    assert "USE_LEGACY_PROVIDER" in changed["after"]
    assert "USE_LEGACY_PROVIDER" not in changed["before"]


@pytest.mark.parametrize("name", ["LyncWebServer (display)", "lyncwebserver"])
def test_a_template_is_found_by_its_names(forest, tmp_path, name):
    assert enforce(forest, tmp_path, name=name, check=True)["before"]["name"] == "LyncWebServer"


def test_an_unknown_template_is_an_error_that_names_near_ones(forest, tmp_path):
    with pytest.raises(TemplateError) as caught:
        enforce(forest, tmp_path, name="LyncWebSever")
    assert "Near it: LyncWebServer" in caught.value.remedy


def test_an_ambiguous_display_name_is_an_error_that_names_the_templates(forest, tmp_path):
    entry = template_entry("Other", displayName="LyncWebServer (display)")
    forest.entries[entry.dn] = entry
    with pytest.raises(TemplateError, match="2 templates") as caught:
        enforce(forest, tmp_path, name="LyncWebServer (display)")
    assert "LyncWebServer" in caught.value.remedy
    assert "Other" in caught.value.remedy


def test_a_template_that_cannot_be_read_is_told_by_its_name(forest, tmp_path):
    entry = template_entry("Broken", msPKI_Private_Key_Flag="many")
    forest.entries[entry.dn] = entry
    with pytest.raises(TemplateError, match="msPKI-Private-Key-Flag"):
        enforce(forest, tmp_path, name="Broken")


def test_the_memory_of_the_cas_is_told(forest, tmp_path):
    notes = " ".join(enforce(forest, tmp_path)["plan"]["notes"])
    for part in (CA1[0], CA2[0], "0x80094807", "Restart-Service certsvc", "keep their keys"):
        assert part in notes
    assert enforce(forest, tmp_path)["plan"]["notes"] == [
        "By its compatibility settings only Windows 10 or Windows Server 2016 and later enrol by the template; they "
        "stay as they are."
    ]


def test_a_template_that_nobody_offers_is_told_so(forest, tmp_path):
    notes = enforce(forest, tmp_path, publish_on=(), withdraw=True)["plan"]["notes"]
    assert any("No CA offers the template" in note for note in notes)


def rights_for(forest, allowed):
    """Let only so many changes through, then refuse."""
    apply = forest.apply

    def limited(changes):
        apply(changes[:allowed])
        if changes[allowed:]:
            raise DirectoryError("No right.", place=changes[allowed].dn, code=INSUFFICIENT_ACCESS_RIGHTS)

    forest.apply = limited


def put_back(forest, path):
    """Do what a file says as ldifde and ldapmodify do, up to the first change that fails."""
    for record in records(Path(path).read_text("ascii")):
        try:
            if record.changetype == "delete":
                if forest.entries.pop(record.dn, None) is None:
                    raise DirectoryError("There is no such object.", place=record.dn)
                continue
            for kind, attribute, given in record.operations:
                held = forest.entries[record.dn].values(attribute)
                added, taken = (given, ()) if kind == "add" else ((), given) if kind == "delete" else (given, held)
                forest.modify(record.dn, [(attribute, taken, added)])
        except DirectoryError:
            return


@pytest.mark.parametrize("allowed", [1, 2, 3, 4])
@pytest.mark.parametrize("wish", [{"name": "LyncWebServer"}, {"name": "WebServer2008", "schema_3": "supersede"}])
def test_the_restore_file_puts_back_what_was_done_of_a_change_that_failed_half_way(forest, tmp_path, wish, allowed):
    ca3 = service_entry("Contoso Issuing CA 3", "ca03.corp.example.test", ["Machine"])
    forest.entries[ca3.dn] = ca3
    before = dict(forest.entries)
    rights_for(forest, allowed)
    with suppress(DirectoryError):
        enforce(forest, tmp_path, publish_on=("Contoso Issuing CA 3",), withdraw=True, **wish)
    assert forest.entries != before
    [restore] = tmp_path.glob("*.restore.ldf")
    put_back(forest, restore)
    revision = ("msPKI-Template-Minor-Revision", values(4), values(6))
    for dn, entry in before.items():
        if wish["name"] == "LyncWebServer" == entry.text("cn"):
            assert forest.entries[dn].values(revision[0]) == revision[2]
            forest.modify(dn, [(revision[0], revision[2], revision[1])])
        held = forest.entries[dn].attributes
        assert {name: set(held[name]) for name in held} == {name: set(entry.values(name)) for name in entry.attributes}
    assert set(forest.entries) == set(before)


def test_a_value_that_somebody_else_added_meanwhile_is_an_error(forest, tmp_path):
    dn = next(dn for dn in forest.entries if "LyncWebServer" in dn)
    theirs = "2,Fabrikam Cryptographic Provider"
    forest.before_apply = lambda: forest.modify(dn, [("pKIDefaultCSPs", (), values(theirs))])
    with pytest.raises(DirectoryError, match="holds something else now") as caught:
        enforce(forest, tmp_path)
    assert theirs in caught.value.message


def test_our_own_changes_are_not_told_as_those_of_somebody_else(forest, tmp_path):
    ca2 = next(dn for dn in forest.entries if CA2[0] in dn)
    forest.before_apply = lambda: forest.modify(ca2, [("certificateTemplates", values("LyncWebServer"), ())])
    with pytest.raises(DirectoryError) as caught:
        enforce(forest, tmp_path, publish_on=(CA1[0],), withdraw=True)
    assert caught.value.place == ca2
    message = caught.value.message
    assert "certificateTemplates is WebServer2008 now, it was WebServer2008, LyncWebServer." in message
    assert "msPKI-Private-Key-Flag is" not in message
    [done] = [line for line in message.split(". ") if line.startswith("Done before it failed")]
    assert "CN=LyncWebServer," in done
    assert ca2 not in done


@pytest.mark.parametrize("code", [CONSTRAINT_VIOLATION, ATTRIBUTE_OR_VALUE_EXISTS])
def test_a_value_that_appeared_meanwhile_is_told_whatever_the_directory_calls_it(forest, tmp_path, code):
    dn = next(dn for dn in forest.entries if "LyncWebServer" in dn)

    def refuse(changes):
        forest.modify(dn, [("msPKI-Minimal-Key-Size", values(2048), values(4096))])
        raise DirectoryError("Refused.", place=dn, code=code)

    forest.apply = refuse
    with pytest.raises(DirectoryError, match="msPKI-Minimal-Key-Size is 4096 now, it was 2048"):
        enforce(forest, tmp_path, minimum_key_size=3072)


def test_a_change_whose_fate_is_unknown_is_not_said_to_have_failed(forest, tmp_path):
    def silent(changes):
        raise DirectoryError("The directory did not answer.", place=changes[0].dn)

    forest.apply = silent
    with pytest.raises(DirectoryError) as caught:
        enforce(forest, tmp_path)
    assert "Nothing was changed." not in caught.value.message
    assert "Nothing had changed when dc01.corp.example.test was read again" in caught.value.message


def test_another_domain_controller_does_not_tell_what_the_first_one_did(forest, tmp_path):
    search = forest.search
    forest.search = lambda *arguments: replace(search(*arguments), server=f"dc0{forest.searches}.corp.example.test")
    forest.refuses = True
    with pytest.raises(DirectoryError, match=r"Nothing had changed when dc02\.corp\.example\.test was read again"):
        enforce(forest, tmp_path)


def test_what_superseding_does_to_holders_is_told(forest, tmp_path):
    result = enforce(forest, tmp_path, name="WebServer2008", schema_3="supersede", publish_on=(CA1[0],))
    assert any("supersedes 'WebServer2008'" in note and "autoenrolment" in note for note in result["plan"]["notes"])
    again = enforce(forest, tmp_path, name="WebServer2008", schema_3="supersede", publish_on=(CA1[0],))
    assert not any("autoenrolment" in note for note in again["plan"]["notes"])


def test_a_template_with_permissions_that_cannot_be_read_is_not_published_when_it_might_be_exposed(forest, tmp_path):
    entry = exposed("Hidden", nTSecurityDescriptor=None)
    forest.entries[entry.dn] = entry
    assert enforce(forest, tmp_path, name="Hidden", check=True)["changed"]
    with pytest.raises(TemplateError, match="ESC1"):
        enforce(forest, tmp_path, name="Hidden", publish_on=(CA1[0],))


def test_where_the_superseded_template_is_still_offered_is_told(forest, tmp_path):
    notes = " ".join(enforce(forest, tmp_path, name="WebServer2008", schema_3="supersede")["plan"]["notes"])
    assert "'WebServer2008' is still offered by Contoso Issuing CA 2" in notes
    assert "certutil -SetCATemplates -WebServer2008" in notes


def test_a_ca_that_cannot_be_read_is_told_when_publication_is_asked_for(forest, tmp_path):
    damaged = service_entry("Contoso Issuing CA 3", "ca03.corp.example.test", [b"\xff"])
    forest.entries[damaged.dn] = damaged
    assert "warnings" not in enforce(forest, tmp_path, check=True)
    [warning] = enforce(forest, tmp_path, publish_on=(CA1[0],), withdraw=True, check=True)["warnings"]
    assert "Contoso Issuing CA 3" in warning
    assert "left out of the publication" in warning


def test_the_way_back_can_be_copied_into_a_shell(forest, tmp_path):
    backup = enforce(forest, tmp_path / "my backups; here")["backup"]
    command = backup["instructions"].partition("Or from here: ")[2]
    assert shlex.split(command)[-1] == backup["restore_path"]


def test_a_directory_that_cannot_be_a_path_is_an_error(forest):
    with pytest.raises(EvidenceError, match="Nothing was changed"):
        enforce(forest, "back\0ups")
    assert forest.applied == []


def test_no_backup_is_left_of_a_change_that_was_refused(forest, tmp_path):
    forest.refuses = True
    with pytest.raises(DirectoryError):
        enforce(forest, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_restore_file_says_what_it_is(forest, tmp_path):
    text = Path(enforce(forest, tmp_path)["backup"]["restore_path"]).read_text("ascii")
    assert text.startswith("# Puts back what winpki.keyprovider.template changed after 2026-03-01 12:00:00 UTC.")
