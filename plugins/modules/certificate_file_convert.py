# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: certificate_file_convert
short_description: Write into a PFX file which key provider Windows is to put its key into
version_added: 0.1.0
description:
  - Windows puts the private key of a PFX into the provider that the file names, and exports name the provider that had
    the key. So a certificate that was exported from CNG comes back into CNG wherever it is imported. This module names
    another provider in the file, and marks the key as the machine's.
  - It is for pipelines that hold files alone, and whose import is done by something else (C(certutil -importPFX), the
    import wizard, a deployment tool). C(Import-PfxCertificate) of PowerShell was reported to put keys into CNG whatever
    the file names.
  - It is the offline twin of M(winpki.keyprovider.certificate_convert), which moves the key of an installed certificate
    on its server. Where Ansible reaches the server, M(winpki.keyprovider.certificate_install) with
    O(winpki.keyprovider.certificate_install#module:pfx) imports a file into the wished provider by itself, whatever the
    file names, and reads back where the key went.
  - The file is opened and made anew with the same private key, the same certificates and the same friendly names of
    certificates. It is opened once more and compared before anybody gets it. What it held beside them (the name of the
    key container, extended properties, a key usage within the key) is left out, so that Windows makes a container of a
    new name. The key of a legacy provider is marked for key exchange (AT_KEYEXCHANGE).
  - A file at O(dest) is replaced at once by the whole new file, or stays as it is. A failure leaves nothing else in its
    directory; only a run that is killed can leave a hidden file there (C(.NAME.*)), which is encrypted as the
    new file is and readable by its owner alone.
  - Works on the controller whatever the host of the task is. No program is started; the password is on no command line.
options:
  path:
    description:
      - The PFX file on the controller, DER or BER, also in PEM or base64. A relative path starts where ansible was
        called.
    type: path
  content:
    description:
      - The file itself in base64, as M(ansible.builtin.slurp) and M(winpki.keyprovider.certificate_export) return it.
    type: str
  password:
    description:
      - The password of the given file. An empty one is given as an empty text.
    type: str
    required: true
  provider:
    description:
      - Where Windows is to put the key. A provider for RSA keys in software, or V(Microsoft Software Key Storage
        Provider), which is the way back to CNG.
      - Names that are not known here are refused, because Windows puts the key into another provider then and says
        nothing. So are providers of smart cards, TPMs and security modules, which take no keys from files, and those
        for other keys than RSA.
    type: str
    default: Microsoft RSA SChannel Cryptographic Provider
  machine_keyset:
    description:
      - Whether the key is marked as the machine's, as services need it. Programs that import can decide otherwise.
    type: bool
    default: true
  encryption:
    description:
      - How keys and certificates are encrypted, and the digest of the MAC over the file.
      - V(tripledes-sha1) is what Windows up to Server 2016 (and Windows 10 before 1709) reads. Later ones read both.
      - V(aes256-sha256) is the stronger one, for Server 2019 and later.
    type: str
    choices: [tripledes-sha1, aes256-sha256]
    default: tripledes-sha1
  dest:
    description:
      - The file to write on the controller; it may be O(path). Its directory must exist. A link is followed.
      - Without it nothing is written, and the new file is the result RV(content).
    type: path
  new_password:
    description:
      - The password of the new file; O(password) by default. It must not be empty, as a file with an empty password
        protects the key from nobody.
      - When a file is rewritten in place, it may have the new password from an earlier run.
    type: str
  friendly_name:
    description:
      - The friendly name of the certificate. It stays as it is by default.
    type: str
  mode:
    description:
      - The permissions of O(dest), octal and in quotes. They are set also when the file needs no rewriting.
    type: raw
    default: "0600"
  backup:
    description:
      - Keep a copy of what is overwritten beside it, readable by its owner alone. It holds the private key under the
        former password.
    type: bool
    default: false
notes:
  - The result RV(content) is a secret like the file itself. Give the task C(no_log) when it is used, and pass passwords
    from a vault.
  - The task reports no change, and leaves the file alone, when it opens with the new password, holds the same key,
    certificates and friendly names, and names provider, mark and encryption as wished.
  - A file with several private keys is refused, as are one whose key does not match its certificate, one that is
    protected to accounts of a domain, and one that is signed instead of having a password.
  - Files with RC2, which Windows before 2019 used for certificates, are read where the library's OpenSSL has its legacy
    provider, as that of the packages on PyPI has.
extends_documentation_fragment:
  - winpki.keyprovider.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Shows provider, mark, encryption, friendly name and permissions, and that the password changes.
  idempotent:
    support: full
  platform:
    support: full
    platforms: posix
    details:
      - Works on the controller; the task's host is not contacted.
requirements:
  - cryptography
  - pyasn1
author:
  - winpki.keyprovider contributors (@winpki)
seealso:
  - module: winpki.keyprovider.certificate_convert
  - module: winpki.keyprovider.certificate_install
  - module: winpki.keyprovider.certificate_file_info
"""

EXAMPLES = r"""
- name: Let the key of a PFX go into the SChannel provider wherever it is imported
  winpki.keyprovider.certificate_file_convert:
    path: from-vault/fe01.pfx
    dest: deploy/fe01.pfx
    password: "{{ fe01_pfx_password }}"
  delegate_to: localhost

- name: In place, for Server 2019 and later, under a new password, with a copy of the former file
  winpki.keyprovider.certificate_file_convert:
    path: deploy/fe01.pfx
    dest: deploy/fe01.pfx
    password: "{{ fe01_pfx_password }}"
    new_password: "{{ fe01_deploy_password }}"
    encryption: aes256-sha256
    backup: true
  delegate_to: localhost

- name: Without any file on the controller
  winpki.keyprovider.certificate_file_convert:
    content: "{{ pfx_of_the_ca }}"
    password: "{{ pfx_password }}"
    friendly_name: Lync Edge external
  delegate_to: localhost
  register: converted
  no_log: true
"""

RETURN = r"""
thumbprint:
  description: The SHA-1 thumbprint of the certificate that belongs to the key.
  returned: success
  type: str
certificates:
  description: That certificate with its key as the given file has them, as
    M(winpki.keyprovider.certificate_file_info) returns them, without a verdict.
  returned: success
  type: list
  elements: dict
before:
  description: What the given file names. The C(provider) is V(null) when it names none or several. An C(encryption)
    that is none of the choices is described in words.
  returned: success
  type: dict
  sample:
    provider: Microsoft Software Key Storage Provider
    machine_keyset: true
    encryption: RC2-40 and TripleDES; MAC with sha1
after:
  description: What the new file names.
  returned: success
  type: dict
  sample:
    provider: Microsoft RSA SChannel Cryptographic Provider
    machine_keyset: true
    encryption: tripledes-sha1
dest:
  description: The option O(dest).
  returned: success
  type: str
backup_file:
  description: The copy of the file that was overwritten; V(null) when there is none.
  returned: success
  type: str
content:
  description: The new file in base64. It holds the private key.
  returned: when O(dest) is not given
  type: str
"""
