# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: lync_certificate_info
short_description: Which certificate a Lync server uses for what
version_added: 0.1.0
description:
  - Asks C(Get-CsCertificate) on a Lync or Skype for Business server which certificate is assigned to each usage, for
    this computer and, where the version has that, for the whole deployment (C(-Identity global)). One command.
  - Nothing is said about key providers here; see M(winpki.keyprovider.certificate_info) with its option C(assignments).
  - Dates and texts do not depend on the language and the code page of the server.
options:
  types:
    description:
      - Return only these usages, in any case. All unless given.
      - V(AccessEdgeExternal), V(AudioVideoAuthentication), V(DataEdgeExternal), V(Default), V(External), V(Internal),
        V(iPhoneAPNService), V(iPadAPNService), V(MPNService), V(PICWebService), V(ProvisionService),
        V(WebServicesExternal), V(WebServicesInternal), V(WsFedTokenTransfer), V(OAuthTokenIssuer) and V(XmppServer).
        Another name is an error.
    type: list
    elements: str
extends_documentation_fragment:
  - winpki.keyprovider.attributes
  - winpki.keyprovider.attributes.read_only
attributes:
  platform:
    support: full
    platforms: windows
    details:
      - Lync Server 2010 and 2013, Skype for Business Server 2015 and 2019, with their administrative tools, PowerShell
        2.0 or later.
notes:
  - The account must be a member of RTCUniversalServerAdmins and a local administrator.
  - What is global lies in the Central Management store on another computer. When the account of the connection is not
    handed on to it (the double hop), a warning says so and the usages of the computer are returned all the same.
author:
  - winpki.keyprovider contributors (@winpki)
seealso:
  - module: winpki.keyprovider.lync_certificate
  - module: winpki.keyprovider.certificate_info
  - name: Get-CsCertificate
    description: The reference of the cmdlet, with the versions that have each parameter.
    link: https://learn.microsoft.com/powershell/module/skypeforbusiness/get-cscertificate
"""

EXAMPLES = r"""
- name: See what Lync uses
  winpki.keyprovider.lync_certificate_info:
  register: lync

- name: Stop when the web services have two certificates
  ansible.builtin.assert:
    that: >-
      lync.assignments | selectattr('type', 'in', ['WebServicesInternal', 'WebServicesExternal'])
      | map(attribute='thumbprint') | unique | length == 1
"""

RETURN = r"""
assignments:
  description: The usages that have a certificate, first those of the computer. One that has none does not appear.
  returned: success
  type: list
  elements: dict
  contains:
    type:
      description: The usage, as the reference of the cmdlets spells it.
      type: str
      sample: WebServicesInternal
    thumbprint:
      description: SHA-1 of the certificate, 40 upper-case hexadecimal digits.
      type: str
      sample: 3F2A9C0D5B7E1846A1B2C3D4E5F60718293A4B5C
    subject:
      description: The subject as Lync shows it, V(null) when it finds no certificate. The same for C(issuer).
      type: str
      sample: CN=fe01.contoso.example
    serial_number:
      description: Lower-case hexadecimal digits.
      type: str
    alternative_names:
      description: The DNS names.
      type: list
      elements: str
    not_before:
      description: ISO 8601, UTC. The same for C(not_after).
      type: str
      sample: '2026-01-05T08:00:00Z'
    effective_date:
      description:
        - From when on the certificate counts, ISO 8601, UTC. V(null) where the version does not tell.
      type: str
    previous_thumbprint:
      description: The certificate before it, where Lync tells; it counts until the effective date.
      type: str
    identity:
      description: V(global) for what serves all servers, V(null) for what holds on this computer.
      type: str
version:
  description: What C(Get-CsServerVersion) says, empty when it fails.
  returned: success
  type: str
  sample: 'Microsoft Lync Server 2013 (5.0.8308.0): Volume license key installed.'
parameters:
  description: The parameters that C(Set-CsCertificate) has on this server.
  returned: success
  type: list
  elements: str
  sample: [Type, Thumbprint, Identity, EffectiveDate, Roll, Report]
"""
