# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: lync_certificate_plan
short_description: Which certificates a Lync server needs, and the next step towards each
version_added: 0.1.0
description:
  - Looks at the certificates of a Lync or Skype for Business server and at what each is assigned to, and tells for each
    usage whether its certificate is good, or what comes next - request one, move the key of one, assign one that lies
    in the store, take over the one that the pool shares, or wait.
  - Everything is decided from what is found on the host, so a run that broke off is simply begun again. A certificate
    that answers a need and lies in the store is to be assigned, and no further one is requested.
  - One command on the host. Nothing is changed.
options:
  provider:
    description:
      - The provider that is to hold the new keys. Certificates in the store answer a need only when theirs is there.
    type: str
    default: Microsoft RSA SChannel Cryptographic Provider
  key_length:
    description:
      - The least size of new RSA keys in bits. A larger key is followed by one of the same size.
    type: int
    default: 2048
  hash_algorithm:
    description:
      - The digest with which requests are signed.
    type: str
    choices: [SHA1, SHA256, SHA384, SHA512]
    default: SHA256
  template:
    description:
      - The AD CS template for new certificates, its name (cn) or its OID, instead of the one of the certificate that is
        to be replaced.
      - A good certificate is not replaced because it came from another template. For that use O(requests[].template).
    type: str
  renew_before_days:
    description:
      - Also replace a certificate that ends within so many days. An expired one is always replaced.
    type: int
    default: 0
  replace:
    description:
      - From which verdict on a certificate is replaced. With V(unsuitable) a requirement must be unmet, with V(warning)
        a warning is enough. What cannot be decided is never a reason.
    type: str
    choices: [unsuitable, warning]
    default: unsuitable
  repair:
    description:
      - How a need is met that no certificate of the store meets as it is.
      - V(request), by a new certificate.
      - V(convert), by M(winpki.keyprovider.certificate_convert) of a certificate whose key is its only fault, one that
        is assigned before others, so that assignments stay; nothing is requested. Where there is none, the reasons
        tell why.
      - V(request_or_convert), by a new certificate; RV(needs[].convert) names the one for when none can be requested.
      - A conversion is not offered for OAuthTokenIssuer, whose certificate and key the Central Management store hands
        on to all servers; it is requested as before.
    type: str
    choices: [request, convert, request_or_convert]
    default: request
  pool:
    description:
      - The FQDN of the pool, which a certificate asked for the usage Default has to hold.
      - When it is not given, it is the subject of the certificate that Default has now.
    type: str
  requests:
    description:
      - What is wanted for some usages instead of what is assigned to them now. What is left out stays as it is.
      - Names are compared as sets; a certificate with further names is as good. Templates are compared by their OID.
    type: list
    elements: dict
    default: []
    suboptions:
      types:
        description: The usages that share the certificate, such as Default and WebServicesInternal.
        type: list
        elements: str
        required: true
      subject:
        description: The subject in RFC 4514 form.
        type: str
      subject_alt_names:
        description: DNS names and IP addresses.
        type: list
        elements: str
      template:
        description: The AD CS template, by its name (cn) or its OID.
        type: str
      template_oid:
        description:
          - The OID of the template, when O(requests[].template) is a name. Certificates of templates from schema
            version 2 on hold the OID alone, so that without it the template of a certificate is not compared.
        type: str
      key_length:
        description: The size of the RSA key in bits.
        type: int
      exportable:
        description: Whether the private key may be exported. Shared certificates need it.
        type: bool
      friendly_name:
        description: The friendly name of the new certificate.
        type: str
      extended_key_usage:
        description: OIDs.
        type: list
        elements: str
      repair:
        description: As O(repair), for these usages.
        type: str
        choices: [request, convert, request_or_convert]
  peers:
    description:
      - The needs of the other servers, as RV(needs) of their results has them, by inventory name and in an order that
        stays the same. They decide who requests a certificate that servers share.
    type: dict
    default: {}
extends_documentation_fragment:
  - winpki.keyprovider.attributes
  - winpki.keyprovider.attributes.read_only
  - winpki.keyprovider.attributes.profile
attributes:
  platform:
    support: full
    platforms: windows
    details:
      - Lync Server 2010 and 2013, Skype for Business Server 2015 and 2019. Another Windows host needs nothing.
author:
  - winpki.keyprovider contributors (@winpki)
seealso:
  - module: winpki.keyprovider.certificate_info
  - module: winpki.keyprovider.certificate_request
  - module: winpki.keyprovider.certificate_convert
  - module: winpki.keyprovider.lync_certificate
"""

EXAMPLES = r"""
- name: See what the server needs
  winpki.keyprovider.lync_certificate_plan:
    renew_before_days: 30
  register: plan

- name: Show it
  ansible.builtin.debug:
    msg: "{{ plan.lines }}"

- name: See what can be done without a CA
  winpki.keyprovider.lync_certificate_plan:
    repair: convert

- name: Also want another name in the certificate of the web services
  winpki.keyprovider.lync_certificate_plan:
    requests:
      - types: [WebServicesInternal, WebServicesExternal]
        subject_alt_names: [pool01.contoso.example, meet.contoso.example, dialin.contoso.example]
"""

RETURN = r"""
lync:
  description: Whether the Lync cmdlets are there.
  returned: success
  type: bool
needs:
  description: One element for each certificate that the server should have.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The usages in lower case, joined by hyphens.
      type: str
    types:
      description: The usages that share the certificate.
      type: list
      elements: str
    state:
      description:
        - V(satisfied), its certificate is good; V(assign), RV(needs[].successor) lies in the store; V(request), a new
          one is needed, or its request is pending; V(convert), the key of RV(needs[].convert) is to be moved into
          RV(needs[].provider); V(transfer), RV(needs[].successor) has to be taken over from
          RV(needs[].source_host); V(waits), that host has to do its part first; V(blocked), what was issued cannot be
          used, and another request would yield the same, or a conversion is wanted and no key can be moved.
      type: str
    reasons:
      description: Why, in whole sentences.
      type: list
      elements: str
    current:
      description: The thumbprint of the certificate that is assigned now, or null.
      type: str
    successor:
      description: The thumbprint of the certificate that is to be assigned, or null.
      type: str
    repair:
      description: V(request), V(convert) or V(request_or_convert), as it was asked for.
      type: str
    convert:
      description:
        - The thumbprint of the certificate that meets the need once its key is in RV(needs[].provider), or null. With
          the state V(request) it is for when none can be requested.
        - Whether its key may be exported is not known here, because the store does not tell;
          M(winpki.keyprovider.certificate_convert) asks the key, in check mode too.
      type: str
    shared:
      description:
        - V(pool) when all servers of the pool have the same certificate and private key (AudioVideoAuthentication),
          V(global) when all servers of the deployment have (OAuthTokenIssuer), else null.
      type: str
    source_host:
      description: The server that requests or has a shared certificate, or null.
      type: str
    identity:
      description: What Set-CsCertificate takes as its identity, V(global) or null.
      type: str
    subject:
      description: The subject for a new certificate. The following keys are those of a request as well.
      type: str
    subject_alt_names:
      description: Host names and addresses.
      type: list
      elements: str
    template:
      description: Name or OID of the template, or null.
      type: str
    template_oid:
      description: The OID that was asked for, or null.
      type: str
    provider:
      description: The provider for the key.
      type: str
    key_length:
      description: Bits.
      type: int
    hash_algorithm:
      description: The digest.
      type: str
    exportable:
      description: Whether the key is to be exportable.
      type: bool
    friendly_name:
      description: The friendly name that was asked for, or null.
      type: str
    extended_key_usage:
      description: OIDs.
      type: list
      elements: str
superseded:
  description:
    - Thumbprints of certificates that are assigned to nothing, would be replaced if they were, and have been followed
      by a good one, which is assigned and has the same subject, all their names and all their purposes. Self-signed
      ones are never among them.
    - No other server of O(peers) has them assigned. What else uses them is not known.
  returned: success
  type: list
  elements: str
unfinished:
  description:
    - Thumbprints of certificates whose key was moved into O(provider) by a run that broke off before it had tidied up.
      M(winpki.keyprovider.certificate_convert) finishes that. Looked for unless everything is to be requested.
  returned: success
  type: list
  elements: str
former_keys:
  description:
    - Thumbprints of certificates whose key is in O(provider), and whose former key is still there. Looked for unless
      everything is to be requested.
  returned: success
  type: list
  elements: str
problems:
  description: Evidence that could not be read, as M(winpki.keyprovider.certificate_info) tells it.
  returned: success
  type: list
  elements: dict
lines:
  description: The plan for a person to read.
  returned: success
  type: list
  elements: str
"""
