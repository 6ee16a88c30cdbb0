# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``certutil.exe``: the stores and keys of the machine.

Options stand before or after the verb (both seen in transcripts). All output is on stdout; the exit code is the
HRESULT.
"""

from __future__ import annotations

from collections.abc import Callable

from ..powershell.errors import NotSimulated
from .base import Call, Result
from .certutil_ca import ca_templates, deny, ping, resubmit
from .certutil_call import CertutilCall, CertutilFault, failed
from .certutil_change import addstore, delkey, delstore, key
from .certutil_pfx import exportpfx, importpfx
from .certutil_repair import repairstore
from .certutil_store import csplist, store
from .certutil_view import view

_VERBS: dict[str, Callable[[CertutilCall], Result]] = {
    "store": store,
    "csplist": csplist,
    "addstore": addstore,
    "delstore": delstore,
    "repairstore": repairstore,
    "importPFX": importpfx,
    "exportPFX": exportpfx,
    "key": key,
    "delkey": delkey,
    "ping": ping,
    "CATemplates": ca_templates,
    "view": view,
    "resubmit": resubmit,
    "deny": deny,
}
"""By their spelling in the tool's own output."""
_SPELLED = {verb.lower(): verb for verb in _VERBS}
_FLAGS = ("v", "f", "q", "silent", "gmt", "seconds", "split")
_VALUED = ("csp", "p", "config", "restrict", "out")


def certutil(call: Call) -> Result:
    """Run certutil."""
    given = _arguments(call)
    if given.verb not in _VERBS:
        raise NotSimulated(f"certutil -{given.verb}")
    try:
        return _VERBS[given.verb](given)
    except CertutilFault as fault:
        return failed(given, fault)


def _arguments(call: Call) -> CertutilCall:
    verb = ""
    options: dict[str, str | bool] = {}
    operands: list[str] = []
    words = list(call.arguments)
    while words:
        word = words.pop(0)
        name = word[1:].lower()
        if word[:1] not in ("-", "/") or operands:
            operands.append(word)
        elif name in _FLAGS:
            options[name] = True
        elif name in _VALUED and words:
            options[name] = words.pop(0)
        elif verb:
            raise NotSimulated(f"certutil -{verb} {word}")
        else:
            verb = name
    if not verb:
        raise NotSimulated("certutil without a verb")
    return CertutilCall(_SPELLED.get(verb, verb), options, tuple(operands), call)
