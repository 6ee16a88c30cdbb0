# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: template_info
short_description: Which kind of key provider each certificate template of a forest leads to
version_added: 0.1.0
description:
  - Reads the certificate templates of an Active Directory forest and says of each whether clients that follow it make
    their keys with legacy CryptoAPI providers (CSP) or with CNG key storage providers (KSP), with which ones, and
    whether that is good for a product.
  - All templates are read with one command on the host, or with one search over LDAP.
  - A template steers the clients that follow it (the MMC, autoenrolment, C(certreq -enroll), C(Get-Certificate)). The
    CA does not enforce providers; a request made elsewhere passes whatever the template says. What a certificate
    really has is shown by M(winpki.keyprovider.certificate_info).
options:
  names:
    description:
      - Return only these templates, each given by its name (cn), its OID or its display name.
      - A name that no template has is an error that names near ones.
      - One text is split at commas. A name that holds a comma must stand in a YAML list.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - winpki.keyprovider.attributes
  - winpki.keyprovider.attributes.read_only
  - winpki.keyprovider.attributes.profile
  - winpki.keyprovider.directory
attributes:
  platform:
    support: full
    platforms: windows, posix
    details:
      - A domain controller, or a Windows host with the AD DS tools; with O(ldap_server) the controller.
author:
  - winpki.keyprovider contributors (@winpki)
seealso:
  - module: winpki.keyprovider.template
  - module: winpki.keyprovider.certificate_report
"""

EXAMPLES = r"""
- name: Read all templates on a domain controller
  winpki.keyprovider.template_info:
  register: forest

- name: Show the published templates that lead to a key storage provider
  ansible.builtin.debug:
    msg: "{{ item.display_name }} on {{ item.published_on | join(', ') }}: {{ item.verdict.status }}"
  loop: "{{ forest.templates | selectattr('published_on') | selectattr('category', 'eq', 'ksp') }}"
  loop_control:
    label: "{{ item.name }}"

- name: The same from the controller, with the Kerberos ticket of the user
  winpki.keyprovider.template_info:
    ldap_server: dc01.corp.example.test
    ldap_auth: kerberos
  delegate_to: localhost
"""

RETURN = r"""
templates:
  description: The templates in the order of their names, or in that of O(names).
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The common name, by which CAs publish the template.
      type: str
      sample: LyncWebServer
    display_name:
      description: The display name, or V(null).
      type: str
      sample: Lync Web Server
    dn:
      description: The distinguished name.
      type: str
    oid:
      description: The template's object identifier, or V(null).
      type: str
    schema_version:
      description: 1 to 4. Version 3 is for key storage providers only.
      type: int
      sample: 4
    category:
      description: V(csp) when clients take legacy providers, V(ksp) when they take key storage providers.
      type: str
      sample: ksp
    providers:
      description: The providers that clients may use, first choice first. Empty when any of the category is allowed.
      type: list
      elements: str
      sample: [Microsoft Software Key Storage Provider]
    any_provider:
      description: Whether no provider is listed.
      type: bool
    consistent:
      description: V(false) when a listed provider is of the other category; clients are not expected to be able to
        enrol then.
      type: bool
    inconsistencies:
      description: What contradicts itself in the template, as sentences.
      type: list
      elements: str
    key_spec:
      description: 1 (AT_KEYEXCHANGE) or 2 (AT_SIGNATURE).
      type: int
    minimum_key_size:
      description: The smallest key that the CA accepts, in bits.
      type: int
      sample: 2048
    key_algorithm:
      description: V(RSA), or the algorithm that a template for key storage providers names.
      type: str
      sample: RSA
    key_usage:
      description: Names as in RFC 5280.
      type: list
      elements: str
    private_key_flags:
      description:
        - The flags C(value), C(hex) and C(names); bits without a name are shown as hexadecimal numbers.
          C(minimum_ca) and C(minimum_client) are the compatibility settings, V(null) when there is none.
      type: dict
      sample: {value: 101056512, hex: '0x06060000', names: [], minimum_ca: Windows Server 2016}
    enrollment_flags:
      description: msPKI-Enrollment-Flag likewise.
      type: dict
    subject_name_flags:
      description: msPKI-Certificate-Name-Flag likewise.
      type: dict
    general_flags:
      description: The attribute flags likewise.
      type: dict
    revision:
      description: C(major) and C(minor).
      type: dict
      sample: {major: 100, minor: 4}
    extended_key_usage:
      description: OIDs.
      type: list
      elements: str
    application_policies:
      description: The OIDs of the attribute that schema version 2 and later have beside the extended key usage.
      type: list
      elements: str
    issuance:
      description: What a signature on a request must carry (C(application_policies)), and the C(properties) of the key
        that a template for key storage providers keeps in the same attribute.
      type: dict
    signatures_required:
      description: How many authorized signatures a request needs.
      type: int
    supersedes:
      description: The names of the templates that this one replaces.
      type: list
      elements: str
    published_on:
      description: The names of the CAs that offer the template. One that no CA offers has no effect.
      type: list
      elements: str
    exposures:
      description:
        - Known ways to abuse the template, now V(ESC1) alone (a low-privileged account can have a certificate for
          client authentication in any name), with C(principals), C(reason), C(remedy), C(source). C(certain) is
          V(false) when not all of its conditions are known to hold, mostly because the permissions could not be read.
      type: list
      elements: dict
    verdict:
      description: C(profile), C(status) and C(requirements), as of M(winpki.keyprovider.certificate_info).
      type: dict
problems:
  description: Templates that could not be read.
  returned: success
  type: list
  elements: dict
enrolment_services:
  description: The CAs of the forest with C(name), C(host) and the C(templates) that each offers.
  returned: success
  type: list
  elements: dict
directory:
  description: The C(server) that was read and the C(configuration) naming context.
  returned: success
  type: dict
summary:
  description: The number of templates by verdict and by category, of those with an exposure, and of those that no CA
    offers.
  returned: success
  type: dict
  sample: {total: 35, suitable: 3, warning: 12, unsuitable: 20, undetermined: 0, by_category: {csp: 31, ksp: 4},
    exposed: 0, unpublished: 25}
product:
  description: The product of the profile, as sentences name it.
  returned: success
  type: str
"""
