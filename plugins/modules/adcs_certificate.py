# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: adcs_certificate
short_description: Have an AD CS CA issue a certificate for a request
version_added: 0.1.0
description:
  - Submits a certificate request to a CA of Active Directory Certificate Services with C(certreq), and returns the
    certificate with its chain. Run again, it resumes what an earlier run began.
  - What the CA answered is read from the full response that C(certreq) writes and from its exit code, never from text,
    so that the display language of host and CA does not matter.
  - The host keeps the request and the answer in the profile of the account, in
    C(AppData\Local\winpki.keyprovider\submissions), one directory a request (RV(saved)). A request that has an
    answer is never submitted again; a denied one is, for the reason may have been mended. A request whose submission
    was cut is first looked up in the database of the CA. While one run works on a request, another ends with a message
    and submits nothing; this also holds for a C(certreq) that outlived the connection of its run.
  - Because the answer is kept on the host and by the account that submitted, use the same host and account in every
    run.
options:
  csr:
    description:
      - The request, as M(winpki.keyprovider.certificate_request) returns it. PKCS#10 or CMC, PEM or bare base64.
    type: str
    required: true
  template:
    description:
      - The certificate template by its name (cn), which is passed to the CA with the request.
      - An OID is not passed on, for it stands in the request itself. Leave the option out when the request names its
        template.
    type: str
  ca:
    description:
      - The CA as C(HOST\CA name), which C(certutil) shows behind C(Config). The CA on the host of the task unless
        given.
    type: str
  request_id:
    description:
      - A request that was submitted in another way, by the number that the CA gave it. It is only retrieved, and only
        when the host does not keep an issued certificate for O(csr) yet. The certificate must have the key of O(csr).
    type: int
  admin_force_machine:
    description:
      - Submit as the computer account of the host, which then needs the right to enrol. It needs a local administrator
        and no double hop.
    type: bool
    default: false
  wait:
    description:
      - How many seconds to wait for a manager of the CA to approve a pending request.
    type: int
    default: 0
  poll:
    description:
      - How many seconds pass between two questions while waiting.
    type: int
    default: 30
  resubmit:
    description:
      - Submit even when the outcome of an earlier submission is not known and the database of the CA cannot be read.
        The CA may then issue a second certificate. For one run only.
    type: bool
    default: false
  fail_on_denied:
    description:
      - Whether a denied request fails the task. Otherwise RV(status) tells it.
    type: bool
    default: true
notes:
  - Windows hands the account of a WinRM session on to another computer only with CredSSP or Kerberos delegation (the
    double hop). A submission from another host than the CA therefore often fails with access denied (0x80070005 or
    0x800704dc). Delegate the task to the CA host, as in the examples, or use O(admin_force_machine).
  - A certificate is refused that has another key or lacks names of its request, that is not valid now by the
    controller's clock (five minutes are tolerated), or whose CA has expired. It stays in RV(saved), and the request is
    not submitted again; make a new one.
extends_documentation_fragment:
  - winpki.keyprovider.attributes
attributes:
  check_mode:
    support: full
    details:
      - Nothing is submitted or retrieved. RV(status=not_submitted) tells that a request would be submitted.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - A denied request is submitted anew.
  platform:
    support: full
    platforms: windows
    details:
      - The host of a CA, or any Windows host that reaches it.
author:
  - winpki.keyprovider contributors (@winpki)
seealso:
  - module: winpki.keyprovider.certificate_request
  - module: winpki.keyprovider.external_certificate
  - module: winpki.keyprovider.certificate_install
"""

EXAMPLES = r"""
- name: Make a key and a request on the Lync server
  winpki.keyprovider.certificate_request:
    subject: CN=pool01.contoso.example
    subject_alt_names: [pool01.contoso.example, fe01.contoso.example]
  register: requested

- name: Have the CA issue it, on the CA host itself, so that no double hop is needed
  winpki.keyprovider.adcs_certificate:
    csr: "{{ requested.csr }}"
    template: LyncWebServer
  delegate_to: ca1.contoso.example
  register: answered

- name: Install it when it was issued; while it waits for a manager of the CA, the next run goes on here
  winpki.keyprovider.certificate_install:
    certificate: "{{ answered.certificate }}"
    chain: "{{ answered.chain }}"
  when: answered.status == 'issued'

- name: Submit from the Lync server as its computer account, and wait ten minutes for the approval
  winpki.keyprovider.adcs_certificate:
    csr: "{{ requested.csr }}"
    template: LyncWebServer
    ca: ca1.contoso.example\Contoso Issuing CA 1
    admin_force_machine: true
    wait: 600

- name: Take a certificate whose request somebody handed to the CA by hand
  winpki.keyprovider.adcs_certificate:
    csr: "{{ requested.csr }}"
    request_id: 4711
  delegate_to: ca1.contoso.example
"""

RETURN = r"""
status:
  description:
    - V(issued), V(pending) or V(denied).
    - In check mode also V(not_submitted), when a request would be submitted.
    - Of a task that failed V(denied), or V(not_submitted) when the CA certainly took no request, as one that cannot be
      reached. Without it, what became of the request is not known.
  returned: always, unless the task failed before the CA answered
  type: str
request_id:
  description: The number that the CA gave the request, as far as it is known. V(null) otherwise.
  returned: with status
  type: int
certificate:
  description: The certificate, PEM. V(null) unless issued.
  returned: with status
  type: str
chain:
  description: Its issuers, PEM, one after the other up to the root, as far as the CA returned them.
  returned: with status
  type: list
  elements: str
hresult:
  description: The code of a denial, such as V(0x80094012). V(null) without one.
  returned: with status
  type: str
reason:
  description: Why it was denied or is pending, with the words of the CA. V(null) when issued.
  returned: with status
  type: str
remedy:
  description: What helps against a denial. V(null) otherwise.
  returned: with status
  type: str
ca:
  description: The CA as C(HOST\CA name).
  returned: with status
  type: str
saved:
  description: The directory of the host that keeps request and answer. V(null) when nothing is kept.
  returned: with status
  type: str
"""
