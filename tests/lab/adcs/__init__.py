# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated certification authority (AD CS): issues real certificates, keeps requests, answers as certreq shows it."""
