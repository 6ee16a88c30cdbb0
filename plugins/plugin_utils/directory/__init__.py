# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of a directory and the changes to them, without knowing how the directory is reached."""
