# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: certificate_convert
short_description: Move the key of a certificate into another provider, on the host itself
version_added: 0.1.0
description:
  - Moves an RSA key that may be exported from a key storage provider (CNG) into a legacy provider, by default the one
    that Lync can use. Certificate, thumbprint and friendly name stay, so that assignments by thumbprint go on working.
  - It is the way for certificates that cannot be requested anew. Where they can,
    M(winpki.keyprovider.certificate_request) makes a key that never leaves its provider.
  - A copy of the key is imported under the wished provider (C(certutil -csp ... -importPFX)) into a store of its own.
    Its provider, type and key specification are read back from the registry, it signs random bytes that the controller
    verifies with the certificate, and the accounts that can use the present key are given the right to use it. Only
    then the certificate in LocalMachine\My is pointed to it (property 2), and the key signs once more. When a step
    fails, the copy is removed, and the certificate uses its key as before.
  - The former key stays until O(retire_source_key) is set. The store C(KeyProviderFormer) records it, so that it is
    found later, and so that the way back is to call the module with the former provider.
  - A run that was cut is run again. It finds what was done and goes on.
  - Keys in a TPM, a smart card, a virtual smart card or a security module, keys that may not be exported, keys that are
    not RSA, keys of users, and archived certificates are refused beforehand, with the reason and the way out.
  - Services that have the former key open may go on with it until they are restarted; a warning says so.
  - Between export and import, the private key stands in a file. The file is encrypted under a random password that is
    made for it on the controller, lies in a new directory that only SYSTEM and Administrators can read, and is removed
    as soon as certutil ends. certutil takes the password on its command line alone, where the process list shows it
    and auditing of process creation (event 4688) may record it.
options:
  thumbprint:
    description:
      - The certificate of LocalMachine\My. Blanks and colons are ignored.
    type: str
    required: true
  provider:
    description:
      - Where the key is to be; a provider for RSA keys in software. The Microsoft Software Key Storage Provider is the
        way back to CNG, which is refused for a certificate that Lync uses and needs .NET Framework 4.6 on the host.
    type: str
    default: Microsoft RSA SChannel Cryptographic Provider
  exportable:
    description:
      - Whether the key may be exported afterwards, as it may be now. A key that may not can never be moved again.
    type: bool
    default: true
  retire_source_key:
    description:
      - Delete the former key once the new one is in use and proven, or later, in a run of its own.
      - It stays, with a warning, when it is also the key of another certificate, or the former one of another.
    type: bool
    default: false
  readers:
    description:
      - The accounts that are to be able to use the key beside SYSTEM and Administrators, as names or SIDs, instead of
        those that can use it now. Names of built-in accounts are in the language of the host; V(S-1-5-20) is NETWORK
        SERVICE everywhere.
      - Without it, the permissions of the present key are taken over. When they cannot be learnt, nothing is changed.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - winpki.keyprovider.attributes
  - winpki.keyprovider.attributes.profile
attributes:
  check_mode:
    support: full
    details:
      - The key is asked whether it may be exported and who may use it; nothing is proven.
  diff_mode:
    support: full
  idempotent:
    support: full
  platform:
    support: full
    platforms: windows
    details:
      - Windows Server 2008 R2 or later with .NET Framework 3.5 or later, over winrm, psrp or ssh, any display language,
        PowerShell 2.0 or later. The account must be a local administrator with a profile on the host.
author:
  - winpki.keyprovider contributors (@winpki)
seealso:
  - module: winpki.keyprovider.certificate_info
  - module: winpki.keyprovider.certificate_request
  - module: winpki.keyprovider.certificate_install
  - module: winpki.keyprovider.certificate_file_convert
"""

EXAMPLES = r"""
- name: See whether a key can be moved, and who can use it
  winpki.keyprovider.certificate_convert:
    thumbprint: 3F2A9C0D5B7E1846A1B2C3D4E5F60718293A4B5C
  check_mode: true

- name: Move the key into the provider that Lync can use
  winpki.keyprovider.certificate_convert:
    thumbprint: 3F2A9C0D5B7E1846A1B2C3D4E5F60718293A4B5C

- name: Delete the former key, a week later
  winpki.keyprovider.certificate_convert:
    thumbprint: 3F2A9C0D5B7E1846A1B2C3D4E5F60718293A4B5C
    retire_source_key: true

- name: Go back to the key in CNG
  winpki.keyprovider.certificate_convert:
    thumbprint: 3F2A9C0D5B7E1846A1B2C3D4E5F60718293A4B5C
    provider: Microsoft Software Key Storage Provider

- name: Move the keys of all certificates that Lync uses
  winpki.keyprovider.certificate_convert:
    thumbprint: "{{ item.thumbprint }}"
  loop: "{{ audit.certificates | selectattr('key.kind', 'equalto', 'ksp') | selectattr('assignments') }}"
  loop_control:
    label: "{{ item.subject }}"
"""

RETURN = r"""
thumbprint:
  description: SHA-1 of the certificate, 40 upper-case hexadecimal digits.
  returned: success
  type: str
  sample: 3F2A9C0D5B7E1846A1B2C3D4E5F60718293A4B5C
before:
  description:
    - The certificate as it was, with key and verdict, as of M(winpki.keyprovider.certificate_info). What Lync uses it
      for is not asked.
  returned: success
  type: dict
after:
  description: The certificate as it was read back; in check mode as it would be.
  returned: success
  type: dict
proof:
  description: What signed, V(null) in check mode.
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
      description: Its type; V(null) of a key storage provider.
      type: int
    key_spec:
      description: V(1) is AT_KEYEXCHANGE; V(null) of a key storage provider.
      type: int
key_access:
  description:
    - Who may use the key, before and after, each V(null) when it was not looked at.
  returned: success
  type: dict
  contains:
    before:
      description:
        - Entries with C(sid), C(name) of well-known accounts (V(null) of others), C(rights) (V(full), V(read), or SDDL)
          and C(type) (V(allow) or V(deny)).
      type: list
      elements: dict
    after:
      description: The same, as it was read back from the new key.
      type: list
      elements: dict
former_key:
  description: The key that the certificate used before.
  returned: success
  type: dict
  contains:
    provider:
      description: Its provider.
      type: str
    container:
      description: Its container.
      type: str
    state:
      description:
        - V(kept), V(retired), V(shared) when it stays because it is another certificate's as well and this one knows it
          no more, or V(none) when there is none; in check mode as it would be.
      type: str
problems:
  description: Entries of the stores that could not be read, each with C(origin), C(place), C(message) and C(remedy).
  returned: success
  type: list
  elements: dict
"""
