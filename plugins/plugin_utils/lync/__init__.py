# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Lync cmdlets: the one place that needs more PowerShell than a call."""
