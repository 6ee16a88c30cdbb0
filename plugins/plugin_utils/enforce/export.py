# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take a certificate with its private key out of a host, as a PFX with a password.

The password travels over standard input alone, and no file is written on the host. The PFX is opened on the controller
after it was exported, so that what Windows did is known and not guessed.
"""

from __future__ import annotations

import base64
from typing import Any

from ..enrolment.installed import find
from ..enrolment.wish import EnrolmentError
from ..evidence.pfx import read_pfx
from ..host.connection import WindowsHost, quote
from ..host.courier import Answer, carry, caught
from ..record import Certificate
from .holdings import read_holdings
from .installation import interrupted
from .proof import OPEN_CERTIFICATE

_STEP = "export of the PFX"

_EXPORT = (
    "$p=[Text.Encoding]::UTF8.GetString([Convert]::FromBase64String((@($input) -join '')))\n"
    + OPEN_CERTIFICATE
    + "if($e.Count -eq 1){{'keyprovider pfx '+[Convert]::ToBase64String($e[0].Export('Pfx',$p))}}\n"
)


def export_pfx(host: WindowsHost, name: str, thumbprint: str, password: str) -> dict[str, Any]:
    """Export a certificate of My with its key and return the result of ``certificate_export``.

    Args:
        host: the host that has it.
        name: its name, for messages.
        thumbprint: 40 upper-case hexadecimal digits.
        password: protects the PFX; not empty.

    Raises:
        EnrolmentError: there is no such certificate, its key is not in a legacy provider, or it may not be exported.
        HostError: the host could not be read, or the connection broke.
    """
    if not password:
        raise EnrolmentError("The password is empty.", place=_STEP, remedy="Give one in the option 'password'.")
    held = find(read_holdings(host, name).my, thumbprint)
    if held is None:
        raise EnrolmentError(
            f"The store My of {name} holds no certificate {thumbprint}.",
            place=_STEP,
            remedy="Correct the option 'thumbprint'.",
        )
    if held.key.kind != "csp":
        where = held.key.provider or "no provider that the store records"
        raise EnrolmentError(
            f"The key of {thumbprint} on {name} is in {where} (kind {held.key.kind}), not in a legacy provider. Nothing"
            " was exported.",
            place=_STEP,
            remedy="Move the key into a legacy provider (winpki.keyprovider.certificate_convert), then export it.",
        )
    script = caught(_EXPORT.format(store="'My'", thumbprint=quote(thumbprint)))
    answer = carry(host, name, script, password.encode())
    pfx = answer.told.get("pfx")
    if not pfx:
        raise _not_exported(name, held, answer)
    _check_exported(name, held, pfx, password)
    return {
        "changed": False,
        "thumbprint": thumbprint,
        "subject": held.subject,
        "key": held.key.as_dict(),
        "pfx": base64.b64encode(pfx).decode("ascii"),
    }


def _not_exported(name: str, held: Certificate, answer: Answer) -> EnrolmentError:
    found = answer.codes.get("exitfound")
    if not answer.error and found is None:
        return interrupted(name, answer, _STEP, "Nothing was exported.")
    if not answer.error:
        return EnrolmentError(
            f"Windows does not show the certificate {held.thumbprint} in My of {name}"
            f"{' (it is archived)' if held.archived else ''}.",
            place=_STEP,
            remedy="Archived certificates cannot be exported; else run it again.",
        )
    return EnrolmentError(
        f"Windows did not export the key of {held.thumbprint} from {name}: {answer.error.rstrip('.')}.",
        place=_STEP,
        remedy="Most often the key was made or imported as not exportable: request the certificate again with"
        " exportable: true. The account must be a local administrator of the host, too.",
    )


def _check_exported(name: str, held: Certificate, pfx: bytes, password: str) -> None:
    """What came must hold this certificate and its key."""
    reading = read_pfx(pfx, "the PFX", password)
    if not any(found.thumbprint == held.thumbprint and found.key.present for found in reading.certificates):
        told = " ".join(problem.message for problem in reading.problems) or "It holds no private key."
        raise EnrolmentError(
            f"Windows wrote a PFX of {held.thumbprint} on {name} that cannot be used. {told}",
            place=_STEP,
            remedy="Check on the host that the key is there and may be exported (certutil -store My"
            f" {held.thumbprint}).",
        )
