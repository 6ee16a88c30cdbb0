# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An interpreter for the part of Windows PowerShell that short scripts around native commands need.

:mod:`parser` turns a script into :mod:`nodes`; :mod:`interpreter` runs them in a :mod:`session`; :mod:`cmdlets`,
:mod:`filesystem` and :mod:`lync` are the commands, :mod:`statics`, :mod:`streams` and :mod:`adsi` the types of .NET.
What is outside that part raises :class:`lab.powershell.errors.NotSimulated`: the host then ends the process with exit
code 250 and says so, and never guesses.
"""
