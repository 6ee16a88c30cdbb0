# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: certificate_export
short_description: Take a certificate with its private key from a Windows host, for the other servers of a pool
version_added: 0.1.0
description:
  - Exports a certificate of LocalMachine\My with its private key as a PFX and returns that to the controller. Edge
    servers of a pool need the same certificate and key for AudioVideoAuthentication, and all servers for
    OAuthTokenIssuer.
  - The key must be in a legacy provider (CSP) and exportable. Into which provider the next host gets it, the option
    O(winpki.keyprovider.certificate_install#module:provider) there says.
  - The PFX is opened on the controller before it is returned, and must hold this certificate and its key.
  - No file is written on the host; the password reaches it over standard input alone. The result holds a private key,
    so give the task C(no_log) and a random password that is used once. With ansible-core 2.16 and C(-vvvvv) the
    winrm plugin shows all that hosts print, whatever C(no_log) says; the PFX is encrypted there, too.
options:
  thumbprint:
    description:
      - The SHA-1 thumbprint of the certificate. Blanks and colons are ignored.
    type: str
    required: true
  password:
    description:
      - Protects the PFX. It must not be empty.
    type: str
    required: true
extends_documentation_fragment:
  - winpki.keyprovider.attributes
  - winpki.keyprovider.attributes.read_only
attributes:
  platform:
    support: full
    platforms: windows
    details:
      - Windows Server 2008 R2 or later, over winrm, psrp or ssh, any display language, PowerShell 2.0 or later. The
        account must be a local administrator.
author:
  - winpki.keyprovider contributors (@winpki)
seealso:
  - module: winpki.keyprovider.certificate_install
"""

EXAMPLES = r"""
- name: Take the certificate from the server that has it
  winpki.keyprovider.certificate_export:
    thumbprint: 3F2A9C0D5B7E1846A1B2C3D4E5F60718293A4B5C
    password: "{{ transfer_password }}"
  register: exported
  delegate_to: edge01
  run_once: true
  no_log: true

- name: Install it here
  winpki.keyprovider.certificate_install:
    pfx: "{{ exported.pfx }}"
    pfx_password: "{{ transfer_password }}"
"""

RETURN = r"""
pfx:
  description: The PFX file in base64. It holds the private key.
  returned: success
  type: str
thumbprint:
  description: The thumbprint of the certificate.
  returned: success
  type: str
subject:
  description: Its subject.
  returned: success
  type: str
key:
  description: Where its key is, as of M(winpki.keyprovider.certificate_info).
  returned: success
  type: dict
"""
