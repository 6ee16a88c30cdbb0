# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: certificate_info
short_description: Which key provider holds the private key of each certificate of a Windows store
version_added: 0.1.0
description:
  - Reads a LocalMachine certificate store of a Windows host and says, for each certificate, which cryptographic
    service provider (CSP) or key storage provider (KSP) holds its private key, and whether that is good for a product.
  - The store is read from the registry with one command (C(reg.exe query)), however many certificates it holds. No key
    is opened, nothing on the host is changed, and nothing depends on the display language or the PowerShell version.
  - The recorded provider does not prove that the key still exists. O(probe_keys=true) lets certutil open each key.
options:
  store:
    description:
      - The name of the store in LocalMachine, for example V(My), V(Root) or V(Remote Desktop).
    type: str
    default: My
  thumbprints:
    description:
      - Return only the certificates with these SHA-1 thumbprints. Blanks, colons and the invisible character that
        the certificate dialogue of Windows adds are ignored.
      - One that the store does not hold is reported in RV(problems). One that is no thumbprint at all is an error.
    type: list
    elements: str
    default: []
  assignments:
    description:
      - Also ask C(Get-CsCertificate) which Lync usages each certificate is assigned to. It is the same command
        to the host. On a host without the Lync cmdlets RV(lync) is V(false).
    type: bool
    default: false
  source:
    description:
      - V(registry) reads the stored certificates themselves.
      - V(certutil) reads the text of C(certutil -store). It opens the keys and shows little beside the provider, so
        most other requirements are unknown. Over psrp, letters beyond ASCII in its names may be garbled; the provider
        and the verdict are not.
    type: str
    choices: [registry, certutil]
    default: registry
  probe_keys:
    description:
      - Have C(certutil -store) open each key, to learn whether it is really there and exportable. One more command.
      - Its word that a key is missing counts only when the account is a local administrator; to others it says so
        of every key. Such an account is reported in RV(problems).
    type: bool
    default: false
extends_documentation_fragment:
  - winpki.keyprovider.attributes
  - winpki.keyprovider.attributes.read_only
  - winpki.keyprovider.attributes.profile
attributes:
  platform:
    support: full
    platforms: windows
    details:
      - Windows Server 2008 R2 or later, over winrm, psrp or ssh, any display language, PowerShell 2.0 or later.
author:
  - winpki.keyprovider contributors (@winpki)
seealso:
  - module: winpki.keyprovider.certificate_file_info
  - module: winpki.keyprovider.certificate_report
"""

EXAMPLES = r"""
- name: See which certificates Lync Server 2013 cannot use
  winpki.keyprovider.certificate_info:
    assignments: true
  register: audit

- name: Stop when Lync uses one that it cannot
  ansible.builtin.assert:
    that: item.verdict.status != 'unsuitable'
    fail_msg: "{{ item.subject }} is {{ item.verdict.status }}"
  loop: "{{ audit.certificates | selectattr('assignments') }}"
  loop_control:
    label: "{{ item.thumbprint }}"
"""

RETURN = r"""
certificates:
  description: The certificates of the store, in the order of the store.
  returned: success
  type: list
  elements: dict
  contains:
    thumbprint:
      description: SHA-1 of the certificate, 40 upper-case hexadecimal digits, computed from the certificate.
      type: str
      sample: 3F2A9C0D5B7E1846A1B2C3D4E5F60718293A4B5C
    subject:
      description: The subject as in RFC 4514. The same for C(issuer).
      type: str
      sample: CN=fe01.contoso.example
    serial_number:
      description: Lower-case hexadecimal digits.
      type: str
    not_before:
      description: ISO 8601, UTC. The same for C(not_after).
      type: str
      sample: '2026-01-05T08:00:00Z'
    friendly_name:
      description: The friendly name, or V(null).
      type: str
    archived:
      description: Whether the certificate is archived.
      type: bool
    template:
      description: The certificate template named in the certificate (C(oid), C(name), C(display_name),
        C(major_version), C(minor_version)), or V(null).
      type: dict
    public_key:
      description: C(algorithm), C(size) in bits and C(curve).
      type: dict
    signature_algorithm:
      description: The signature algorithm, and C(signature_hash) its digest.
      type: str
      sample: sha256WithRSAEncryption
    subject_alt_names:
      description: Alternative names with their kind, for example V(dns:sip.contoso.example).
      type: list
      elements: str
    extended_key_usage:
      description: OIDs, or V(null) when the certificate has no such extension.
      type: list
      elements: str
    crl_distribution_points:
      description: URLs.
      type: list
      elements: str
    key:
      description: Where the private key is recorded to live.
      type: dict
      contains:
        kind:
          description:
            - V(csp) or V(ksp). V(unrecorded) when the store names no provider (which does not prove that there is no
              key), V(contradictory) when name and type do not fit, V(ambiguous) when two records differ.
          type: str
        provider:
          description: The name of the provider.
          type: str
          sample: Microsoft RSA SChannel Cryptographic Provider
        provider_type:
          description: The CryptoAPI provider type; V(0) for a key storage provider.
          type: int
          sample: 12
        key_spec:
          description: V(1) is AT_KEYEXCHANGE, V(2) is AT_SIGNATURE; V(0) is usual for a key storage provider.
          type: int
        container:
          description: The name of the key container.
          type: str
        unique_container:
          description: The file name of the container, when certutil printed it.
          type: str
        flags:
          description: The recorded flags.
          type: int
        machine_keyset:
          description: Whether the container belongs to the machine.
          type: bool
        exportable:
          description: Whether the key can be exported; V(null) when nobody looked.
          type: bool
        present:
          description: Whether the key was found; V(null) when nobody looked, or the answer cannot be trusted.
          type: bool
    assignments:
      description: The Lync usages of the certificate. Empty when not asked for.
      type: list
      elements: str
      sample: [Default, WebServicesInternal]
    verdict:
      description: Whether the product can use the certificate.
      type: dict
      contains:
        profile:
          description: The profile it was judged by.
          type: str
        status:
          description: V(suitable), V(warning), V(unsuitable) or V(undetermined).
          type: str
        requirements:
          description:
            - Each requirement with C(name), C(status) (V(met), V(warning), V(unmet), V(unknown)), C(expected),
              C(actual), C(reason), C(remedy), C(source) and C(confidence) (V(high), V(medium), V(low)).
          type: list
          elements: dict
    source:
      description: Where the record was read (C(format), C(origin), C(place)).
      type: dict
    notes:
      description: Defects of the evidence that did not hinder the reading.
      type: list
      elements: str
problems:
  description: What could not be read, each with C(origin), C(place), C(message) and C(remedy).
  returned: success
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
  sample: {total: 3, suitable: 1, warning: 1, unsuitable: 1, undetermined: 0, by_kind: {csp: 2, ksp: 1}}
store:
  description: The store that was read.
  returned: success
  type: str
profile:
  description: The profile that was judged by.
  returned: success
  type: str
product:
  description: The name of the product that the profile stands for.
  returned: success
  type: str
  sample: Lync Server 2013
lync:
  description: Whether the host has the Lync cmdlets and they answered.
  returned: when O(assignments=true)
  type: bool
"""
