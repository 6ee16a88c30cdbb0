# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``certreq.exe``: ``-new``, ``-accept``, ``-submit`` and ``-retrieve``.

Options stand before or after the verb, which is ``-submit`` when none is given (Microsoft, "certreq"; transcripts of
both orders). A file that is not named opens a window, which waits forever in a session without a desktop. All output
is on stdout; the exit code is the HRESULT.
"""

from __future__ import annotations

from ..powershell.errors import NotSimulated
from . import certreq_call, hresult
from .base import Call, Result
from .certreq_accept import accept
from .certreq_call import CertreqCall, CertreqFault
from .certreq_new import new
from .certreq_submit import retrieve, submit

_VERBS = ("submit", "retrieve", "new", "accept", "policy", "sign", "enroll", "delete", "post")
_FLAGS = (
    *("q", "f", "machine", "user", "any", "binary", "adminforcemachine", "rpc", "kerberos", "silent"),
    *("v", "crl", "unicode", "unicodetext", "anonymous"),
)
_VALUED = ("config", "attrib")
_FILES = {"new": 2, "accept": 1, "submit": 2, "retrieve": 2}
"""How many operands a verb needs to open no window: with fewer it asks for the file."""


def certreq(call: Call) -> Result:
    """Run certreq."""
    arguments = parse(call)
    if isinstance(arguments, Result):
        return arguments
    try:
        if arguments.verb in _FILES and len(arguments.operands) < _FILES[arguments.verb]:
            raise NotSimulated(f"certreq -{arguments.verb} waits for a window in which a file is chosen")
        if arguments.verb == "submit":
            return submit(arguments)
        if arguments.verb == "retrieve":
            return retrieve(arguments)
        if arguments.verb == "new":
            return new(arguments)
        if arguments.verb == "accept":
            return accept(arguments)
    except CertreqFault as fault:
        return certreq_call.failed(fault)
    raise NotSimulated(f"certreq -{arguments.verb}")


def parse(call: Call) -> CertreqCall | Result:
    """Tell verb, options and operands apart; a Result when certreq does not know one of them.

    Raises:
        NotSimulated: an option that the lab does not have.
    """
    verb = ""
    options: dict[str, str | bool] = {}
    operands: list[str] = []
    words = list(call.arguments)
    while words:
        word = words.pop(0)
        name = word[1:].lower()
        if word[:1] not in ("-", "/") or not name:
            operands.append(word)
        elif name in _FLAGS:
            options[name] = True
        elif name in _VALUED and words:
            options[name] = words.pop(0)
        elif name in _VERBS and not verb:
            verb = name
        elif name in _VERBS or name in _VALUED:
            return _unknown(f"-{verb} {word}" if verb else word)
        elif " " in name:
            return _unknown(word)
        elif name == "?":
            raise NotSimulated("the usage text of certreq")
        else:
            raise NotSimulated(f"certreq {word}")
    return CertreqCall(verb or "submit", options, tuple(operands), call=call)


def _unknown(shown: str) -> Result:
    """``Unknown argument: -submit -any`` was published, without the command line: two arguments, or one with a blank.

    The exit code, invalid argument, is unverified.
    """
    return Result(f"Unknown argument: {shown}\r\n", exit_code=hresult.signed(hresult.INVALID_PARAMETER))
