# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: certificate_request
short_description: Make a key in a chosen provider, and a certificate request for it
version_added: 0.1.0
description:
  - Makes an RSA key of the computer in a chosen key provider with C(certreq -new), and a PKCS#10 request for it. The
    request can then go to any CA, from any host; M(winpki.keyprovider.certificate_install) installs the answer on the
    host that made the request.
  - The request is read and compared with what was asked for before it leaves the host, the provider that it names
    included; so is the record of the key in the store C(REQUEST). What is not as asked for is removed again with its
    key.
  - A request that was made with the same options and is still pending is found and used again, also when the run that
    made it was cut. O(friendly_name) makes no difference there, nor does the name of a template, which is no part of
    the request.
  - Requests are kept in C(winpki.keyprovider\requests) below the local application data of the account, so that
    requests made with another account are not found again, and an account without a profile on the host cannot be
    used. They hold no secret.
  - The account must be a local administrator of the host.
options:
  subject:
    description:
      - The subject as RFC 4514 writes it, most specific component first, such as
        C(CN=pool01.contoso.example,O=Contoso).
      - Components can be CN, O, OU, L, ST, C, STREET, DC and E, each with one attribute. Values are made of letters,
        digits, blanks and ordinary punctuation; a comma or a plus sign has a backslash before it. Quotes, semicolons,
        backslashes, control characters and the signs for number, percent, equal, less and greater are refused, so
        that no value can add anything to the request.
    type: str
    required: true
  subject_alt_names:
    description:
      - DNS names and IP addresses for the subjectAltName extension. Their order and case do not matter. The common
        name is not added to them.
      - Internationalized names are given in their C(xn--) form.
    type: list
    elements: str
    default: []
  template:
    description:
      - The AD CS template that the certificate is to be issued from, by its name (cn) or its OID.
      - A name is checked and returned, no more; name it again in M(winpki.keyprovider.adcs_certificate). An OID goes
        into the request.
    type: str
  provider:
    description:
      - The provider that makes and keeps the key, by the name that C(certutil -csplist) shows. Case does not matter.
        Only RSA providers are accepted, of type 1, 12 or 24.
    type: str
    default: Microsoft RSA SChannel Cryptographic Provider
  force_provider:
    description:
      - Accept a key storage provider (CNG) that is known by name, or a provider that keeps keys in a smart card. Lync
        Server 2010 and 2013 cannot use the keys of the former.
    type: bool
    default: false
  key_length:
    description:
      - The size of the key in bits, one of 1024, 2048, 3072, 4096, 8192 and 16384. Lync Server documents 1024, 2048
        and 4096; there is a warning with others, and with 1024.
    type: int
    default: 2048
  hash_algorithm:
    description:
      - The digest of the request's own signature. The CA chooses that of the certificate.
    type: str
    choices: [SHA1, SHA256, SHA384, SHA512]
    default: SHA256
  exportable:
    description:
      - Whether the key may be exported, as for a certificate that several servers share.
    type: bool
    default: false
  friendly_name:
    description:
      - The friendly name that the certificate will have. A name that a certificate or a request of the host has
        already gets a number behind it, because Lync wants each to be unique.
      - The common name, or else the first alternative name, and the date unless given.
    type: str
  extended_key_usage:
    description:
      - The OIDs of the purposes that are requested. An AD CS template replaces them by its own.
    type: list
    elements: str
    default: [1.3.6.1.5.5.7.3.1]
  remove_leftovers:
    description:
      - Remove what RV(leftovers) names, with the keys. Nobody can tell whether such a request was made by somebody else
        and still waits for its answer; look before you set it.
    type: bool
    default: false
extends_documentation_fragment:
  - winpki.keyprovider.attributes
attributes:
  check_mode:
    support: full
    details:
      - Nothing is made, so that RV(csr), RV(key) and RV(request_thumbprint) are V(null), unless the request is pending
        already.
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - As long as the request is pending. Once its answer is installed, the same options make a new key and a new
        request; decide before whether one is needed.
  platform:
    support: full
    platforms: windows
author:
  - winpki.keyprovider contributors (@winpki)
seealso:
  - module: winpki.keyprovider.certificate_install
  - module: winpki.keyprovider.adcs_certificate
  - module: winpki.keyprovider.certificate_info
"""

EXAMPLES = r"""
- name: Request a certificate for the pool
  winpki.keyprovider.certificate_request:
    subject: CN=pool01.contoso.example,O=Contoso
    subject_alt_names:
      - pool01.contoso.example
      - fe01.contoso.example
      - sip.contoso.example
  register: request

- name: Let the CA issue it
  winpki.keyprovider.adcs_certificate:
    csr: "{{ request.csr }}"
    template: LyncWebServer
  register: answer
  delegate_to: ca01.contoso.example

- name: Request a certificate that all Edge Servers of a pool will share
  winpki.keyprovider.certificate_request:
    subject: CN=av.contoso.example,O=Contoso\, Ltd.,C=GB
    key_length: 4096
    exportable: true
    friendly_name: Edge A/V authentication
"""

RETURN = r"""
csr:
  description: The request as PEM. V(null) in check mode, unless it is pending already.
  returned: success
  type: str
request_thumbprint:
  description: The SHA-1 of the stand-in certificate in the store C(REQUEST), which tells what key belongs to it.
  returned: success
  type: str
key:
  description: Where the key is, as the store records it; as of M(winpki.keyprovider.certificate_info).
  returned: success
  type: dict
identity:
  description: The name of the directory that keeps the request, the same for the same options.
  returned: success
  type: str
friendly_name:
  description: The friendly name of the request, which the certificate will have.
  returned: success
  type: str
reused:
  description: Whether the request was pending already.
  returned: success
  type: bool
leftovers:
  description:
    - Pending requests of the same subject that have a key, but no saved request that could be submitted. A run that was
      cut within C(certreq -new) leaves one; so does everybody who makes requests by other means.
  returned: success
  type: list
  elements: dict
  contains:
    thumbprint:
      description: The SHA-1 of the stand-in certificate.
      type: str
    subject:
      description: Its subject.
      type: str
    friendly_name:
      description: Its friendly name.
      type: str
    provider:
      description: The provider of its key.
      type: str
    container:
      description: The key container.
      type: str
removed:
  description: The RV(leftovers) that were removed with their keys, or would be; with the same keys.
  returned: success
  type: list
  elements: dict
subject:
  description: The subject in its normal form.
  returned: success
  type: str
subject_alt_names:
  description: The alternative names in their normal form, sorted.
  returned: success
  type: list
  elements: str
template:
  description: The template that was given.
  returned: success
  type: str
problems:
  description: Entries of the stores C(My) and C(REQUEST) that cannot be read.
  returned: success
  type: list
  elements: dict
"""
