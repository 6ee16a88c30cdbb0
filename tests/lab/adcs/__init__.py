# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated certification authority (AD CS): real certificates, a table of requests, real responses."""
