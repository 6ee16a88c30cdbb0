# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: certificate_install
short_description: Install a certificate so that its key is in the wished provider, archive it, or remove it
version_added: 0.1.0
description:
  - Installs the answer to a pending request of a Windows host (C(certreq -accept)), or a PFX with its key, into
    LocalMachine\My; archives a certificate; removes a certificate or a pending request with its key.
  - A PFX may come from anywhere. Its key goes into O(provider), whatever provider the file names or does not name.
  - What is installed is read back from the registry (provider, type, key specification, keyset), and the private key
    is proven to work. It signs random bytes, and the controller verifies them with the public key in the certificate.
  - A certificate that is installed already is only read back and proven, so that a run that was cut can be run again.
  - A certificate is not installed when no pending request has its key, when that key is in another provider, when it
    lacks names of the saved request, or when it is not valid by the clock of the host or of the controller.
  - Each certificate gets a friendly name that is unique in the store, which Lync wants; a name that is taken gets
    a number in parentheses behind it.
  - Nothing that Lync uses is archived or removed; where there are Lync cmdlets, they are asked.
  - Keys in key storage providers (CNG) are refused; M(winpki.keyprovider.certificate_convert) moves them, and they can
    be removed.
options:
  certificate:
    description:
      - The issued certificate as text, PEM with one certificate or several, or the base64 of DER or PKCS#7. The one
        whose key a pending request of the host has is installed; of the others, those that issued it go along.
    type: str
  chain:
    description:
      - Certificates of the CAs above it, in PEM. Intermediate ones go to the store of CAs. The root must be trusted
        already.
    type: list
    elements: str
  pfx:
    description:
      - The content of a PFX file (PKCS#12) in base64, with one private key and its certificate. The key must be of RSA.
        The lookup P(ansible.builtin.file#lookup) is for text - read a binary file with M(ansible.builtin.slurp) on the
        controller, or keep the file as base64.
      - Where it comes from does not matter - a public CA, a vault, OpenSSL, a Windows host that keeps the key in CNG -
        nor does how it is encrypted, as long as the controller can open it.
      - It is opened on the controller and made anew for this import with O(provider) as its provider, under a random
        password that is used once. It is encrypted with AES-256 and SHA-256 for Windows 10 1709, Windows Server 2019
        and later, and with 3DES and SHA-1 for older releases, which read nothing else.
      - What was made anew reaches the host over standard input with its password, and is imported in memory. No file is
        written on the host, and nothing secret is on a command line. A key that ends in another provider all the same
        is removed again.
      - Intermediate CA certificates of its chain go to the store of CAs (CA) when they are not there. A root goes
        nowhere unless O(trust_root) is set; when the host does not trust it, there is a warning. Other certificates in
        the file are passed over.
      - It holds a private key. Keep it in a vault, and give C(no_log) to the task and to those that fetch it; other
        callbacks and a controller that records the arguments of tasks would keep it else. This module itself shows
        neither it nor passwords, at any verbosity, and the host prints nothing secret that C(-vvvvv) could show.
    type: str
  pfx_password:
    description:
      - The password of O(pfx). Required with it; it may be empty. It does not leave the controller.
      - Keep it in a vault. It appears in no message and in no result.
    type: str
  provider:
    description:
      - The legacy provider (CSP) in which the key is to be. The key of a request must be in it already. That of O(pfx)
        is put into it, so that it must be one for RSA keys in software.
    type: str
    default: Microsoft RSA SChannel Cryptographic Provider
  friendly_name:
    description:
      - The friendly name of the certificate. Without it, the certificate keeps the one it has, which the request or the
        O(pfx) gave it, or gets one from its subject.
    type: str
  thumbprint:
    description:
      - The certificate that O(state=archived) and O(state=absent) are about. Blanks and colons are ignored.
    type: str
  state:
    description:
      - V(present) installs O(certificate) or O(pfx).
      - V(archived) hides the certificate O(thumbprint) of My from programs; it and its key stay.
      - V(absent) removes it, its key first, because the certificate is the only record of where the key is. It is
        refused when another certificate or request uses the same key.
      - V(absent) also removes the key that M(winpki.keyprovider.certificate_convert) kept of it, unless another
        certificate uses that one, and the record of it, even when the certificate itself is gone from My.
        V(archived) leaves them.
    type: str
    choices: [present, archived, absent]
    default: present
  store:
    description:
      - With O(state=absent), V(Request) means a pending request (the store REQUEST) and its saved file.
    type: str
    choices: [My, Request]
    default: My
  remove_key:
    description:
      - With O(state=absent), delete the key container too. Keys in smart cards, TPMs, security modules and unknown
        providers are left, with a warning.
      - Without it, a warning names the key that a conversion kept, because nothing records it any more.
    type: bool
    default: true
  accept_other_names:
    description:
      - Install a certificate although it lacks names that its request asked for. Validity and key are checked all the
        same.
    type: bool
    default: false
  exportable:
    description:
      - Import the key of O(pfx) so that it can be exported again, by every administrator of the host. A certificate
        that is installed already is left as it is. The key of a request is as exportable as the request made it.
    type: bool
    default: false
  trust_root:
    description:
      - Install the self-signed root of the chain in O(pfx) in Root, so that the host trusts all that it issued. Compare
        its thumbprint with one that the CA published before.
      - Roots of public CAs are better left to Windows, which keeps them current.
    type: bool
    default: false
extends_documentation_fragment:
  - winpki.keyprovider.attributes
  - winpki.keyprovider.attributes.profile
attributes:
  check_mode:
    support: full
    details:
      - The host is read and everything is checked; nothing is proven.
  diff_mode:
    support: full
  idempotent:
    support: full
  platform:
    support: full
    platforms: windows
    details:
      - Windows Server 2008 R2 or later, over winrm, psrp or ssh, any display language, PowerShell 2.0 or later. The
        account must be a local administrator.
author:
  - winpki.keyprovider contributors (@winpki)
seealso:
  - module: winpki.keyprovider.certificate_request
  - module: winpki.keyprovider.certificate_export
  - module: winpki.keyprovider.certificate_convert
  - module: winpki.keyprovider.certificate_file_convert
  - module: winpki.keyprovider.certificate_info
"""

EXAMPLES = r"""
- name: Install what the CA issued
  winpki.keyprovider.certificate_install:
    certificate: "{{ issued.certificate }}"
    chain: "{{ issued.chain }}"

- name: Install a certificate file of a public CA
  winpki.keyprovider.certificate_install:
    certificate: "{{ lookup('ansible.builtin.file', 'answers/edge01.pem') }}"
    friendly_name: Lync Edge external

- name: Read the PFX of a public CA on the controller
  ansible.builtin.slurp:
    src: "{{ playbook_dir }}/files/edge01.pfx"
  register: edge01_pfx
  delegate_to: localhost
  no_log: true

- name: Install it
  winpki.keyprovider.certificate_install:
    pfx: "{{ edge01_pfx.content }}"
    pfx_password: "{{ vault_edge01_pfx_password }}"
    friendly_name: Lync Edge external
  no_log: true

# Made with: base64 fe01.pfx > fe01.pfx.b64; ansible-vault encrypt fe01.pfx.b64
- name: Install a PFX that is kept as base64 in a file encrypted by Ansible Vault, and trust the private CA
  winpki.keyprovider.certificate_install:
    pfx: "{{ lookup('ansible.builtin.file', 'fe01.pfx.b64') }}"
    pfx_password: "{{ vault_fe01_pfx_password }}"
    trust_root: true
  no_log: true

- name: Install the certificate that all servers of a pool share
  winpki.keyprovider.certificate_install:
    pfx: "{{ exported.pfx }}"
    pfx_password: "{{ transfer_password }}"

- name: Hide the old certificate from programs
  winpki.keyprovider.certificate_install:
    thumbprint: 3F2A9C0D5B7E1846A1B2C3D4E5F60718293A4B5C
    state: archived

- name: Remove it with its key
  winpki.keyprovider.certificate_install:
    thumbprint: 3F2A9C0D5B7E1846A1B2C3D4E5F60718293A4B5C
    state: absent
"""

RETURN = r"""
certificates:
  description:
    - The certificate as it was read back, with key and verdict, as of M(winpki.keyprovider.certificate_info). What Lync
      uses it for is not asked. In check mode as it would be. Empty when it was removed.
  returned: success
  type: list
  elements: dict
thumbprint:
  description: SHA-1 of the certificate, 40 upper-case hexadecimal digits.
  returned: success
  type: str
  sample: 3F2A9C0D5B7E1846A1B2C3D4E5F60718293A4B5C
proof:
  description: What signed, V(null) in check mode and unless O(state=present).
  returned: success
  type: dict
  contains:
    signed:
      description: V(true); a key that cannot sign is a failure.
      type: bool
    provider:
      description: The provider that made the signature, as it names itself.
      type: str
    provider_type:
      description: Its type.
      type: int
    key_spec:
      description: V(1) is AT_KEYEXCHANGE.
      type: int
chain:
  description:
    - The issuers of the certificate in O(pfx), nearest first, and what became of them or would. Empty without it.
  returned: success
  type: list
  elements: dict
  contains:
    thumbprint:
      description: SHA-1 of the issuer's certificate.
      type: str
    subject:
      description: Its subject.
      type: str
    store:
      description: The store of the computer that it is in, V(CA) or V(Root); V(null) for a root that was left out.
      type: str
    added:
      description: Whether it was not there before.
      type: bool
removed:
  description: What was removed, or would be.
  returned: success
  type: dict
  contains:
    certificates:
      description: Thumbprints.
      type: list
      elements: str
    containers:
      description: Key containers, each with C(provider) and C(container), those that a conversion kept first.
      type: list
      elements: dict
    requests:
      description: Saved request files that are not needed any more, by their identity.
      type: list
      elements: str
problems:
  description: Entries of the stores that could not be read, each with C(origin), C(place), C(message) and C(remedy).
  returned: success
  type: list
  elements: dict
"""
