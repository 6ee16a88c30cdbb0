# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way the options lead."""

from __future__ import annotations

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.access.choose import (
    DIRECTORY_SPEC,
    directory_of,
    unchecked,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.access.ldap_server import LdapDirectory
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.access.ldifde import LdifdeDirectory
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory.errors import DirectoryError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.host.connection import HostError

DEFAULTS = {name: rules.get("default") for name, rules in DIRECTORY_SPEC.items()}


def chosen(host=object, **given):
    return directory_of({**DEFAULTS, **given}, host, "dc01")


def no_windows():
    raise HostError("It is not Windows.", remedy="Leave it out.")


def test_without_a_server_it_is_ldifde_on_the_host():
    assert isinstance(chosen(), LdifdeDirectory)


def test_with_a_server_the_host_is_not_asked_for():
    assert isinstance(chosen(no_windows, ldap_server="dc1", ldap_user="u", ldap_password="p"), LdapDirectory)


def test_a_host_that_is_not_windows_is_told_of_the_other_way():
    with pytest.raises(HostError) as caught:
        chosen(no_windows)
    assert "ldap_server" in caught.value.remedy


@pytest.mark.parametrize(
    "given",
    [
        {"ldap_user": "u", "ldap_password": "p"},
        {"ldap_port": 636},
        {"ldap_security": "ldaps"},
        {"ldap_ca_file": "/ca.pem"},
        {"ldap_auth": "kerberos"},
        {"ldap_server": "", "ldap_user": "u"},
    ],
)
def test_options_of_ldap_alone_are_not_ignored(given):
    with pytest.raises(DirectoryError, match="no 'ldap_server'"):
        chosen(**given)


def test_an_unchecked_certificate_is_warned_of():
    [warning] = unchecked({**DEFAULTS, "ldap_server": "dc1", "ldap_validate_certs": False})
    assert "dc1" in warning
    assert unchecked({**DEFAULTS, "ldap_server": "dc1"}) == []
    assert unchecked({**DEFAULTS, "ldap_validate_certs": False}) == []
