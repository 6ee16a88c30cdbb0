# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writers of the formats in which Windows keeps or prints certificates.

Independent of the readers of the collection: what is written here rests on the specifications named in each module,
so that a reader and a writer that share one misunderstanding do not pass for two witnesses.
"""
