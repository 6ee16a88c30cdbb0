# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The forest's directory of a lab: embedded, or a real Samba AD DC."""
