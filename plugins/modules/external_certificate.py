# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: external_certificate
short_description: Have any CA issue a certificate, by way of a directory
version_added: 0.1.0
description:
  - Writes a certificate request into a directory of the controller and looks there for the certificate that answers
    it. Without one the request is pending, which is no failure. Run again when the CA has answered.
  - Answers are found by their public key among all files of the directory, whatever they are called - PEM with one or
    many certificates, DER, PKCS#7 in both forms, and bare base64. Sub-directories are not searched.
  - Works with a public CA, with a CA of another organization, and with certificates that another task makes, such as
    C(community.crypto.x509_certificate) with its provider C(ownca).
options:
  csr:
    description:
      - The request, as M(winpki.keyprovider.certificate_request) returns it.
    type: str
    required: true
  path:
    description:
      - The directory on the controller. It is made when missing. A relative path starts where ansible-playbook was
        called.
    type: path
    required: true
  name:
    description:
      - The name of the request's file without its extension C(.csr), such as V(fe01-default).
      - A file of this name that holds another request is never replaced, for its answer may be on the way. The request
        is then written beside it with the first eight digits of its SHA-256 at the end of the name, and a warning tells
        so.
    type: str
    required: true
notes:
  - Files above 1 MiB and files that hold no certificate are told in RV(problems). Files with requests or private keys
    alone, and those whose names begin with a dot, are passed over.
  - Of several certificates with the request's key the one that is valid longest is taken.
  - A certificate is refused that lacks names of its request, that is not valid now by the controller's clock (five
    minutes are tolerated), or whose CA has expired.
extends_documentation_fragment:
  - winpki.keyprovider.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
  platform:
    support: full
    platforms: posix
    details:
      - Works on the controller; the task's host is not contacted.
author:
  - winpki.keyprovider contributors (@winpki)
seealso:
  - module: winpki.keyprovider.certificate_request
  - module: winpki.keyprovider.adcs_certificate
  - module: winpki.keyprovider.certificate_install
"""

EXAMPLES = r"""
- name: Make a key and a request on the Edge server
  winpki.keyprovider.certificate_request:
    subject: CN=sip.contoso.example,O=Contoso
    subject_alt_names: [sip.contoso.example, webconf.contoso.example]
  register: requested

- name: Lay the request out for a public CA, and take its answer once it is there
  winpki.keyprovider.external_certificate:
    csr: "{{ requested.csr }}"
    path: certificates
    name: "{{ inventory_hostname }}-edge"
  register: answered

- name: Install it; in the runs before the CA answered this is skipped
  winpki.keyprovider.certificate_install:
    certificate: "{{ answered.certificate }}"
    chain: "{{ answered.chain }}"
  when: answered.status == 'issued'

- name: Sign with a CA of one's own between two runs
  community.crypto.x509_certificate:
    path: certificates/edge01-edge.crt
    csr_path: certificates/edge01-edge.csr
    provider: ownca
    ownca_path: ca.crt
    ownca_privatekey_path: ca.key
  delegate_to: localhost
"""

RETURN = r"""
status:
  description: V(issued) or V(pending).
  returned: success
  type: str
request_id:
  description: Always V(null); as of M(winpki.keyprovider.adcs_certificate).
  returned: success
  type: int
certificate:
  description: The certificate, PEM. V(null) while pending.
  returned: success
  type: str
chain:
  description: Its issuers, PEM, one after the other up to the root, as far as files of the directory hold them.
  returned: success
  type: list
  elements: str
hresult:
  description: Always V(null); as of M(winpki.keyprovider.adcs_certificate).
  returned: success
  type: str
reason:
  description: Why it is pending. V(null) when issued.
  returned: success
  type: str
answer:
  description: The file in which the certificate was found. V(null) while pending.
  returned: success
  type: str
csr_path:
  description: The file of the request.
  returned: success
  type: str
problems:
  description: Files that could not be read, each with C(origin), C(place), C(message) and C(remedy).
  returned: success
  type: list
  elements: dict
"""
