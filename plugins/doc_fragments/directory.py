# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the options that say how a directory is reached."""

from __future__ import annotations


class ModuleDocFragment:
    """The two ways to the directory of a forest."""

    DOCUMENTATION = r"""
description:
  - There are two ways to the directory. By default C(ldifde.exe) runs on the task's host over its connection; the host
    must be a domain controller, or have the AD DS tools (RSAT). With O(ldap_server) the controller speaks LDAP itself
    and the task's host is not contacted.
  - On a host that is no domain controller the account of the connection must be able to go on to one (the double hop).
    CredSSP can, Kerberos with delegation can; NTLM and Basic cannot.
options:
  domain_controller:
    description:
      - The host name of the domain controller that C(ldifde.exe) is to use. The task's host itself, or the one
        that Windows chooses, unless given.
    type: str
  ldap_server:
    description:
      - The domain controller to speak LDAP with, as its certificate names it. A host name, C(HOST:PORT),
        C(ldap://HOST) or C(ldaps://HOST).
      - Without it, or when it is empty, C(ldifde.exe) is used, and the other C(ldap_) options have no effect.
      - Needs C(python-ldap) on the controller.
    type: str
  ldap_port:
    description:
      - The port, when it is not 636 (V(ldaps)) or 389.
    type: int
  ldap_security:
    description:
      - How the connection is protected. V(ldaps) is TLS from the start, V(starttls) is TLS on the port of LDAP,
        V(sasl) is signing and sealing by Kerberos.
      - V(ldaps) unless given; V(sasl) with O(ldap_auth=kerberos). A password is never sent in clear.
    type: str
    choices: [ldaps, starttls, sasl]
  ldap_auth:
    description:
      - V(simple) sends O(ldap_user) and O(ldap_password). V(kerberos) uses the ticket cache of the controller
        (C(kinit), C(KRB5CCNAME)).
    type: str
    choices: [simple, kerberos]
    default: simple
  ldap_user:
    description:
      - The account, as C(user@domain), C(DOMAIN\user) or a distinguished name.
    type: str
  ldap_password:
    description:
      - Its password.
    type: str
  ldap_ca_file:
    description:
      - A file on the controller with the certificates of the CAs (PEM) that the server's certificate is checked with.
        Those of the system unless given.
    type: path
  ldap_validate_certs:
    description:
      - Check the server's certificate and its name.
    type: bool
    default: true
  ldap_timeout:
    description:
      - How long to wait for the server, in seconds.
    type: int
    default: 30
notes:
  - The host that a template was written on may be ahead of the domain controller that a CA reads. Give the CA time to
    replicate, or name its own domain controller.
"""
