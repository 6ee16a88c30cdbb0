# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: template
short_description: Make a certificate template one for legacy key providers
version_added: 0.1.0
description:
  - Changes one certificate template of an Active Directory forest so that clients that follow it make their keys with
    exactly the wanted legacy providers (CSP), and can publish it on CAs.
  - Only what has to change is changed, in one atomic operation that fails when somebody changed the template since it
    was read. The object is saved on the controller before, and read back and compared afterwards.
  - Schema version 4 gets the flag C(USE_LEGACY_PROVIDER), the list of providers and what follows from them.
    Schema version 2 is for legacy providers as it is and gets the list. Schema version 1 cannot be edited; it is
    accepted when the wanted providers are its first choice, and refused otherwise. For version 3 see O(schema_3).
  - Templates that ask for TPM attestation or Windows Hello are refused.
  - The CA does not enforce providers. The change steers clients that follow the template; requests made elsewhere, and
    certificates that exist, keep their keys.
  - Microsoft supports changing templates with the Certificate Templates console and its API, and has called changing
    the objects by LDAP unsupported, although one of its own procedures does the like. Keep the backup.
options:
  name:
    description:
      - The template, by its name (cn), its OID or its display name.
    type: str
    required: true
  providers:
    description:
      - The providers that clients may use, first choice first. Names of third parties are allowed, with a warning; key
        storage providers are refused, and so are names of Microsoft's that are cut off or misspelt.
    type: list
    elements: str
    default: [Microsoft RSA SChannel Cryptographic Provider]
  minimum_key_size:
    description:
      - The smallest key in bits, written as given, even when it is smaller than before. Stays as it is unless given,
        or unless it is that of an elliptic curve; then it becomes 2048.
    type: int
  exportable:
    description:
      - Whether private keys may be exported. Stays as it is unless given.
    type: bool
  schema_3:
    description:
      - What to do with a template of schema version 3, which is for key storage providers only.
      - V(fail) refuses and explains. V(supersede) makes a new template of schema O(new_schema_version) with its own
        OID and the same permissions, which supersedes the old one; the old one stays. V(downgrade) turns the
        template itself into schema version 2.
      - Once a CA offers a template that supersedes another, autoenrolment replaces the certificates of all holders of
        the other who may autoenrol, as with O(reenroll_holders).
    type: str
    choices: [fail, supersede, downgrade]
    default: fail
  new_name:
    description:
      - The name (cn) of the template that O(schema_3=supersede) makes. The old name with C(LegacyCSP) appended unless
        given.
      - Refused when no template would be made, but O(name) be changed itself.
    type: str
  new_display_name:
    description:
      - Its display name. The old one with C((legacy CSP)) appended unless given.
    type: str
  new_schema_version:
    description:
      - Its schema version. V(2) works with every CA and every client; V(4) needs Windows Server 2012 and Windows 8.
    type: int
    choices: [2, 4]
    default: 2
  reenroll_holders:
    description:
      - Raise the major revision when something is changed, so that autoenrolment replaces the certificates of all
        holders. Otherwise the minor revision rises by one and holders keep what they have.
    type: bool
    default: false
  publish_on:
    description:
      - The CAs that are to offer the template, by their names, as C(host\CA) or by their host names. Publication
        stays as it is unless given.
      - A CA reads its templates at start and then watches the directory. Until it has seen a change it may deny
        requests with 0x80094807; restarting the service C(certsvc) makes it read anew.
    type: list
    elements: str
  withdraw_from_others:
    description:
      - Stop all CAs that are not in O(publish_on) from offering the template.
    type: bool
    default: false
  backup_dir:
    description:
      - The directory on the controller for the LDIF files that are written before a change. It is made when missing.
        A relative path starts where ansible-playbook was called.
    type: path
    default: template_backups
extends_documentation_fragment:
  - winpki.keyprovider.attributes
  - winpki.keyprovider.directory
attributes:
  check_mode:
    support: full
    details:
      - Nothing is written, the backup neither.
  diff_mode:
    support: full
  idempotent:
    support: full
  platform:
    support: full
    platforms: windows, posix
    details:
      - A domain controller, or a Windows host with the AD DS tools; with O(ldap_server) the controller.
author:
  - winpki.keyprovider contributors (@winpki)
seealso:
  - module: winpki.keyprovider.template_info
"""

EXAMPLES = r"""
- name: Let the template of the Lync servers lead to the SChannel provider
  winpki.keyprovider.template:
    name: Lync Web Server
    publish_on: [Contoso Issuing CA 1]

- name: See what would change, with ansible-playbook --check --diff
  winpki.keyprovider.template:
    name: LyncWebServer
    ldap_server: dc01.corp.example.test
    ldap_auth: kerberos
  delegate_to: localhost

- name: Put a successor beside a template of schema version 3
  winpki.keyprovider.template:
    name: WebServer2008
    schema_3: supersede
    new_name: WebServerLync
    publish_on: [Contoso Issuing CA 1]
"""

RETURN = r"""
before:
  description: The template as it was, as of M(winpki.keyprovider.template_info) without the verdict.
  returned: success
  type: dict
after:
  description: The template, or its successor, as it was read back. In check mode as it would be.
  returned: success
  type: dict
plan:
  description: What was done, or would be.
  returned: success
  type: dict
  contains:
    action:
      description: V(none), V(modify), V(duplicate) or V(publish).
      type: str
    template:
      description: The name of the template that clients are to use.
      type: str
    changes:
      description: Each C(attribute) with its values C(before) and C(after) and the C(reason).
      type: list
      elements: dict
    new_objects:
      description: The distinguished names of objects that are made.
      type: list
      elements: str
    publication:
      description: The CAs that get the template (C(add)) and that lose it (C(remove)).
      type: dict
    notes:
      description: What the change costs and what it does not reach.
      type: list
      elements: str
backup:
  description: C(path) of the saved objects, C(restore_path) of the change that puts them back, and C(instructions).
    V(null) when nothing was changed.
  returned: success
  type: dict
"""
