# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests for certificates: what may be asked for, the request, the answer, and what a server needs. No transport."""
