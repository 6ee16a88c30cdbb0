# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated Windows host: its state (:mod:`machine`, :mod:`store`) and its command processor (:mod:`cmd`)."""
