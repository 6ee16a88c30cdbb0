# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation that several modules share."""

from __future__ import annotations


class ModuleDocFragment:
    """Attributes of the modules, and the options that several of them have."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and return what it would without changing anything.
  diff_mode:
    description: Returns what has changed, or would change, in diff mode.
  idempotent:
    description: Run again with the same options, it reports no change.
  platform:
    description: What the task's host must be.
"""

    READ_ONLY = r"""
options: {}
attributes:
  check_mode:
    support: full
  diff_mode:
    support: N/A
    details:
      - Changes nothing.
  idempotent:
    support: full
"""

    PROFILE = r"""
options:
  profile:
    description:
      - The product that is to use the certificates. Each certificate is judged by its requirements.
      - One of V(lync_2010), V(lync_2013), V(sfb_2015), V(sfb_2019), V(exchange), V(adfs), V(scom),
        V(sql_server) and V(configmgr), or the path of a profile of your own on the controller
        (YAML or JSON, ending in C(.yml), C(.yaml) or C(.json)).
    type: str
    default: lync_2013
"""
