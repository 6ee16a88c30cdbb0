# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Lync installation of simulated hosts: what is assigned, and the deployment that they share."""
