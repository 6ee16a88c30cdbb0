# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: lync_certificate
short_description: Assign a certificate to usages of a Lync server
version_added: 0.1.0
description:
  - Assigns a certificate of the store My to usages of a Lync or Skype for Business server (C(Set-CsCertificate)).
    Usages that have it already are left alone.
  - It counts what C(Get-CsCertificate) tells afterwards. When a usage does not show the new certificate then, the task
    fails and says what Lync said, where its report is, and which certificate each usage has now.
  - What this version of Lync lacks is refused before anything is called, and so are a certificate that is not in the
    store and a date that has passed.
  - V(OAuthTokenIssuer) is kept for all servers in the Central Management store and is assigned with
    C(-Identity global). Beside other types it takes a second call, which comes last; a failure tells which it was.
options:
  types:
    description:
      - The usages, in any case; see M(winpki.keyprovider.lync_certificate_info) for their names.
    type: list
    elements: str
    required: true
  thumbprint:
    description:
      - The SHA-1 thumbprint of the certificate. Blanks, colons and the invisible character that the certificate
        dialogue of Windows adds are ignored.
    type: str
    required: true
  identity:
    description:
      - V(global) says that the assignment is for all servers. It is found by the type, so there is no need to give it;
        with another type than V(OAuthTokenIssuer) it is refused.
    type: str
    choices: [global]
  effective_date:
    description:
      - From when on the certificate counts, as ISO 8601 with a zone. At once unless given.
      - Microsoft advises at least 8 hours before the old certificate ends for V(AudioVideoAuthentication), and at least
        24 hours for V(OAuthTokenIssuer).
    type: str
  roll:
    description:
      - Keep the present certificate beside the new one (C(-Roll)), so that tokens that were issued with it stay valid.
        Needs O(effective_date). Only V(AudioVideoAuthentication) and V(OAuthTokenIssuer) gain by it.
    type: bool
    default: false
extends_documentation_fragment:
  - winpki.keyprovider.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - A usage that shows the certificate with a later effective date counts as assigned, with a warning.
  platform:
    support: full
    platforms: windows
    details:
      - Lync Server 2010 and 2013, Skype for Business Server 2015 and 2019, with their administrative tools, PowerShell
        2.0 or later.
notes:
  - The account must be a member of RTCUniversalServerAdmins and a local administrator.
  - 'What the versions have, by the reference of the cmdlets: O(types) and O(thumbprint) all of them; C(-Identity),
    O(effective_date) and O(roll) Lync Server 2013, Skype for Business Server 2015 and 2019, not Lync Server 2010.
    The server itself is asked for its parameters.'
  - A global assignment is written on another computer. Windows hands the account of a WinRM session on to it only with
    CredSSP or Kerberos delegation (the double hop).
  - Lync Server and Skype for Business Server 2015 cannot use keys in a key storage provider. Lync refuses such a
    certificate, mostly with V(The buffer supplied to a function was too small); Lync Server 2010 has been seen to take
    one and to fail later. The task warns before it calls.
  - How C(Get-CsCertificate) shows a certificate that is rolled to a date to come is not documented. When it does not
    show it at all, the task fails although Lync may have staged it; its report tells.
  - Lync's reports stay on the server, in C(winpki.keyprovider\reports) in the local application data of the account.
author:
  - winpki.keyprovider contributors (@winpki)
seealso:
  - module: winpki.keyprovider.lync_certificate_info
  - module: winpki.keyprovider.certificate_install
  - name: Set-CsCertificate
    description: The reference of the cmdlet, with the versions that have each parameter.
    link: https://learn.microsoft.com/powershell/module/skypeforbusiness/set-cscertificate
  - name: Stage AV and OAuth certificates
    description: Microsoft on rolling certificates.
    link: https://learn.microsoft.com/skypeforbusiness/manage/authentication/stage-av-and-oauth-certificates
"""

EXAMPLES = r"""
- name: Use the new certificate on a front end
  winpki.keyprovider.lync_certificate:
    types: [Default, WebServicesInternal, WebServicesExternal]
    thumbprint: "{{ installed.certificates[0].thumbprint }}"

- name: Change over to a new certificate for the whole deployment, without a break
  winpki.keyprovider.lync_certificate:
    types: [OAuthTokenIssuer]
    thumbprint: 3F2A9C0D5B7E1846A1B2C3D4E5F60718293A4B5C
    effective_date: '2026-07-31T06:00:00+02:00'
    roll: true
"""

RETURN = r"""
before:
  description:
    - The assignments of O(types) as they were, as RV(winpki.keyprovider.lync_certificate_info#module:assignments).
  returned: success
  type: list
  elements: dict
after:
  description: The same as it was read back. In check mode as it would be.
  returned: success
  type: list
  elements: dict
report:
  description: The path on the host of the report that Lync wrote, of the last call. V(null) when there was none.
  returned: success
  type: str
  sample: C:\Users\svc\AppData\Local\winpki.keyprovider\reports\assign-20260731T040000Z-3F2A9C0D.html
version:
  description: What C(Get-CsServerVersion) says, empty when it fails.
  returned: success
  type: str
"""
