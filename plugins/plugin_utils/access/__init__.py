# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways to a directory: ldifde.exe on a Windows host, and LDAP from the controller."""
