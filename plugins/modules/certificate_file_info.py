# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: certificate_file_info
short_description: Which key provider holds the private key of each certificate, from files on the controller
version_added: 0.1.0
description:
  - Reads what a colleague mailed, a backup holds or another tool wrote, and returns the same records and verdicts as
    M(winpki.keyprovider.certificate_info).
  - Reads C(certutil -store), C(certutil -v -store) and C(certutil -dump) in any display language, C(reg query) and
    C(.reg) exports of a store, serialized stores (C(.sst)) and single registry values, an offline C(SOFTWARE) hive,
    certificate requests (PKCS#10 and CMC), PFX files, certificates (PEM, DER, PKCS#7) and rows of C(certutil -view)
    from the database of a CA.
  - Works on the controller whatever the host of the task is.
options:
  path:
    description:
      - A file, or a directory that is read with all below it. A relative path starts where ansible was called.
    type: path
  content:
    description:
      - The evidence itself, as text or as the base64 of its bytes.
    type: str
  format:
    description:
      - What the evidence is. V(auto) looks at the content.
    type: str
    choices: [auto, certutil, reg_query, reg_export, sst, blob, hive, csr, pfx, pem, ca_view]
    default: auto
  password:
    description:
      - The password of PFX files. The provider is readable without it when Windows wrote the file; the certificates
        are not.
    type: str
extends_documentation_fragment:
  - winpki.keyprovider.attributes
  - winpki.keyprovider.attributes.read_only
  - winpki.keyprovider.attributes.profile
attributes:
  platform:
    support: full
    platforms: posix
    details:
      - Runs on the controller.
requirements:
  - cryptography
  - pyasn1, for CMC requests and PFX files
  - regipy, for registry hives
author:
  - winpki.keyprovider contributors (@winpki)
seealso:
  - module: winpki.keyprovider.certificate_info
"""

EXAMPLES = r"""
- name: See what a colleague mailed (on the command line, ansible localhost -m with -a path=FILE does the same)
  winpki.keyprovider.certificate_file_info:
    path: mail/fe01-certutil.txt
  delegate_to: localhost
  register: dump

- name: A PFX that came with its password
  winpki.keyprovider.certificate_file_info:
    path: edge.pfx
    password: "{{ edge_pfx_password }}"
    profile: sfb_2015
  delegate_to: localhost
  no_log: true
"""

RETURN = r"""
certificates:
  description: The certificates, as M(winpki.keyprovider.certificate_info) returns them. Text evidence leaves most
    values V(null). A certificate from the database of a CA or a request has C(enrolment) with what was recorded then.
  returned: success
  type: list
  elements: dict
requests:
  description:
    - The certificate requests, with C(form) (V(pkcs10) or V(cmc)), C(subject), C(template), C(key), C(enrolment)
      (C(machine), C(user), C(process), C(os_version)) and C(verdict) on what a request can tell.
  returned: success
  type: list
  elements: dict
problems:
  description: What could not be read, each with C(origin) (the file), C(place) (offset, line, registry key), C(message)
    and C(remedy).
  returned: always
  type: list
  elements: dict
verdicts:
  description: One line a certificate, for people.
  returned: success
  type: list
  elements: str
  sample: ["suitable: CN=fe01.contoso.example (3F2A9C0D), Microsoft RSA SChannel Cryptographic Provider."]
summary:
  description: The number of certificates by verdict, and by kind of key provider.
  returned: success
  type: dict
  sample: {total: 1, suitable: 0, warning: 0, unsuitable: 1, undetermined: 0, by_kind: {ksp: 1}}
profile:
  description: The profile that was judged by.
  returned: success
  type: str
product:
  description: The name of the product that the profile stands for.
  returned: success
  type: str
  sample: Lync Server 2013
"""
