# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: lync_certificate_request
short_description: Request a certificate the way Lync does it
version_added: 0.1.0
description:
  - Calls C(Request-CsCertificate -New) on a Lync or Skype for Business server. Lync takes the subject and the
    alternative names from its topology, sends the request to the CA itself, and puts the answer into the store My.
  - The cmdlet cannot choose the key provider; the certificate template alone decides. So the key of the new certificate
    is looked up in the registry afterwards, and the task fails when it is in a key storage provider. Make the template
    a legacy one first (M(winpki.keyprovider.template)).
  - Every call makes a request. Only when a request with the same O(friendly_name) is pending on the host, Lync is made
    to fetch its answer (C(-Retrieve)) and no other request is made. Whether a certificate is needed is for
    M(winpki.keyprovider.lync_certificate_plan) to say.
options:
  types:
    description:
      - The usages that the certificate is for, in any case; see M(winpki.keyprovider.lync_certificate_info) for their
        names. It is not assigned to them here; see M(winpki.keyprovider.lync_certificate).
    type: list
    elements: str
    required: true
  ca:
    description:
      - The CA as C(HOST\NAME), as C(certutil) on the server shows it.
    type: str
    required: true
  template:
    description:
      - The name (cn) of the certificate template, not its display name. The one that Lync chooses unless given.
    type: str
  friendly_name:
    description:
      - The friendly name, which has to be unique in the store. By this name a pending request is found again.
      - Unless given, a name that follows from the other options, with a number when the store has it already.
    type: str
  domain_names:
    description:
      - DNS names beside those that Lync takes from the topology.
    type: list
    elements: str
    default: []
  key_length:
    description:
      - The size of the RSA key in bits, V(1024), V(2048) or V(4096). As Lync chooses unless given.
    type: int
  exportable:
    description:
      - Whether the private key may be exported. As Lync chooses unless given.
    type: bool
extends_documentation_fragment:
  - winpki.keyprovider.attributes
attributes:
  check_mode:
    support: full
    details:
      - What the CA would say cannot be known; RV(status), RV(thumbprint) and RV(key) are V(null).
  diff_mode:
    support: none
    details:
      - The certificate is made by the CA.
  idempotent:
    support: none
    details:
      - Each call makes a request, but for a pending one with the same O(friendly_name).
  platform:
    support: full
    platforms: windows
    details:
      - Lync Server 2010 and 2013, Skype for Business Server 2015 and 2019, with their administrative tools, PowerShell
        2.0 or later.
notes:
  - The account must be a member of RTCUniversalServerAdmins, a local administrator, and allowed to enrol with the
    template.
  - The account has to reach the CA and the Central Management store, which are on other computers. Windows hands the
    account of a WinRM session on to them only with CredSSP or Kerberos delegation (the double hop). The modules
    M(winpki.keyprovider.certificate_request) and M(winpki.keyprovider.adcs_certificate) need no second hop.
  - All options are there from Lync Server 2010 on, by the reference of the cmdlet. That it keeps pending requests in
    the store REQUEST under their friendly names is not documented.
author:
  - winpki.keyprovider contributors (@winpki)
seealso:
  - module: winpki.keyprovider.certificate_request
  - module: winpki.keyprovider.lync_certificate
  - name: Request-CsCertificate
    description: The reference of the cmdlet.
    link: https://learn.microsoft.com/powershell/module/skypeforbusiness/request-cscertificate
"""

EXAMPLES = r"""
- name: Let Lync request the certificate of a front end
  winpki.keyprovider.lync_certificate_request:
    types: [Default, WebServicesInternal, WebServicesExternal]
    ca: ca01.contoso.example\Contoso Issuing CA 1
    template: LyncWebServer
    friendly_name: Lync pool default 2026
  register: requested

- name: Use it
  winpki.keyprovider.lync_certificate:
    types: [Default, WebServicesInternal, WebServicesExternal]
    thumbprint: "{{ requested.thumbprint }}"
  when: requested.status == 'issued'
"""

RETURN = r"""
status:
  description: V(issued), or V(pending) when the CA waits for a manager.
  returned: success
  type: str
thumbprint:
  description:
    - SHA-1 of the new certificate in the store My; of a pending request that of its stand-in in the store REQUEST.
  returned: success
  type: str
  sample: 3F2A9C0D5B7E1846A1B2C3D4E5F60718293A4B5C
key:
  description: Where its private key is, as RV(winpki.keyprovider.certificate_info#module:certificates[].key).
  returned: success
  type: dict
report:
  description: The path on the host of the report that Lync wrote.
  returned: success
  type: str
"""
