# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take a certificate with its private key from one host to another, as a PFX with a password.

File and password travel over standard input and output alone: no file on a host, nothing on a command line. The PFX is
opened on the controller before it is imported and after it was exported, so that what Windows would do with it, or did,
is known and not guessed.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ..enrolment.answer import chosen, self_signed
from ..enrolment.installed import Holdings, check_clocks, find, key_faults
from ..enrolment.keys import public_key_of
from ..enrolment.wish import EnrolmentError
from ..evidence.pfx import read_pfx
from ..host.connection import WindowsHost, quote
from ..host.courier import Answer, carry, caught
from ..providers.catalogue import lookup
from ..record import AT_KEYEXCHANGE, CRYPT_MACHINE_KEYSET, Certificate, Key
from .holdings import QUERY_STORES, read_holdings, stores_of, words_of
from .installation import Outcome, Target, check_target, finish, interrupted, refuse_faults, run
from .proof import OPEN_CERTIFICATE
from .removal import take_back

_STEP = "import of the PFX"
_OPEN = "opening the PFX"
_EXPORT_STEP = "export of the PFX"

_COLLECTION = "New-Object Security.Cryptography.X509Certificates.X509Certificate2Collection"
_STORE = "New-Object Security.Cryptography.X509Certificates.X509Store"

# Two values in one input: a colon is no digit of base64.
_IMPORT = f"""\
$a=[Text.Encoding]::UTF8.GetString([Convert]::FromBase64String((@($input) -join ''))).Split(':')
$p=[Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($a[1]))
$c={_COLLECTION}
$c.Import([Convert]::FromBase64String($a[0]),$p,{{flags}})
'keyprovider exitread '+$c.Count
foreach($x in $c){{{{
$n=''
if($x.Thumbprint -eq {{leaf}}){{{{
$n='My'
$q=[string]$x.PrivateKey.CspKeyContainerInfo.KeyContainerName
'keyprovider container '+[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($q))
}}}}
if(@({{chain}}) -contains $x.Thumbprint){{{{$n='CA'}}}}
if($n){{{{
$s={_STORE}($n,'LocalMachine')
$s.Open('ReadWrite')
$s.Add($x)
$s.Close()
}}}}
}}}}
'keyprovider exitadded 0'
"""

_EXPORT = (
    "$p=[Text.Encoding]::UTF8.GetString([Convert]::FromBase64String((@($input) -join '')))\n"
    + OPEN_CERTIFICATE
    + "if($e.Count -eq 1){{'keyprovider pfx '+[Convert]::ToBase64String($e[0].Export('Pfx',$p))}}\n"
)


@dataclass(frozen=True, kw_only=True)
class ImportWish(Target):
    """What is asked for when a PFX is to be installed."""

    pfx: bytes
    password: str
    exportable: bool = False


@dataclass(frozen=True)
class Opened:
    """A PFX that can be installed as wished."""

    leaf: Certificate
    """The certificate of the one key."""
    chain: tuple[str, ...]
    """The thumbprints of its issuers but the root; other certificates of the file are not installed."""


def checked_pfx(text: str) -> bytes:
    """The bytes of a PFX from its base64.

    Raises:
        EnrolmentError: it is no base64.
    """
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError as exc:
        raise EnrolmentError(
            "The PFX is not base64.", place=_OPEN, remedy="Give the file through the filter b64encode, or slurp it."
        ) from exc


def import_pfx(host: WindowsHost, name: str, wish: ImportWish, *, check: bool, at: datetime) -> dict[str, Any]:
    """Install the certificate and the key of a PFX and return the result of ``certificate_install``.

    Args:
        host: the host that gets them.
        name: its name, for messages.
        wish: what is asked for.
        check: plan only.
        at: the controller's clock, UTC.

    Raises:
        EnrolmentError: the PFX cannot be installed, or not as wished; tells what was done.
        HostError: the host could not be read, or the connection broke.
    """
    provider = check_target(wish)
    opened = open_pfx(wish.pfx, wish.password, provider)
    thumbprint = opened.leaf.thumbprint or ""
    before = read_holdings(host, name)
    held = find(before.my, thumbprint)
    outcome = Outcome(thumbprint, before, before)
    if held and held.key.kind == "unrecorded":
        raise EnrolmentError(
            f"The certificate {thumbprint} is in My of {name} without a key. Nothing was imported.",
            place=_STEP,
            remedy="Remove it (state: absent), then run it again.",
        )
    if held:
        refuse_faults(name, held, provider, "It was installed before; nothing was done.")
    else:
        check_clocks(opened.leaf, at=at, host=before.clock)
        if check:
            outcome.planned = replace(opened.leaf, key=_planned_key(provider), archived=False)
        else:
            outcome.after = _import(host, name, wish, opened)
            _refuse_other_provider(host, name, outcome, provider)
    return finish(host, name, outcome, replace(wish, provider=provider), check=check, at=at)


def open_pfx(pfx: bytes, password: str, provider: str) -> Opened:
    """Open a PFX and check that Windows would put its one key where it is wished.

    Windows takes the provider that the file names for the key (attribute 1.3.6.1.4.1.311.17.1), else the Microsoft
    Enhanced Cryptographic Provider v1.0 (PFXImportCertStore).

    Raises:
        EnrolmentError: the file or its password is wrong, it has no key or several, the key has no certificate, or
            Windows would put it elsewhere.
    """
    reading = read_pfx(pfx, "the PFX", password)
    keys = [held for held in reading.certificates if held.key.present]
    if reading.problems:
        problem = reading.problems[0]
        raise EnrolmentError(
            problem.message, place=_OPEN, remedy=problem.remedy.replace("'password'", "'pfx_password'")
        )
    if len(keys) != 1:
        raise EnrolmentError(
            f"The PFX holds {len(keys) or 'no'} private key{'s' if len(keys) > 1 else ''} that can be opened; it must"
            " hold one.",
            place=_OPEN,
            remedy="Export the certificate again, with its private key and without other certificates that have one.",
        )
    [leaf] = keys
    if leaf.thumbprint is None or leaf.details is None:
        raise EnrolmentError(
            "No certificate in the PFX belongs to its private key.",
            place=_OPEN,
            remedy="Export the certificate together with its private key.",
        )
    if leaf.details.public_key.algorithm != "RSA":
        raise EnrolmentError(
            f"The key in the PFX is of {leaf.details.public_key.algorithm}, and {provider} takes RSA keys.",
            place=_OPEN,
            remedy="Request a certificate with an RSA key.",
        )
    named = leaf.key.provider
    if named is None or named.casefold() != provider.casefold():
        goes = named or "the Microsoft Enhanced Cryptographic Provider v1.0, because the file names none"
        raise EnrolmentError(
            f"Windows would put the key of the PFX into another provider than {provider}: {goes}.",
            place=_OPEN,
            remedy="Export the certificate from a host that has its key in the wished provider, or name that of the"
            " file in 'provider'.",
        )
    given = [held.der for held in reading.certificates if held.der is not None and held.thumbprint]
    issuers = chosen(given, public_key_of(leaf.der))[1] if leaf.der is not None else ()
    chain = tuple(
        hashlib.sha1(der, usedforsecurity=False).hexdigest().upper() for der in issuers if not self_signed(der)
    )
    return Opened(leaf, chain)


def _planned_key(provider: str) -> Key:
    """The key as it would be recorded; Windows chooses the name of the container."""
    known = lookup(provider)
    kind = known.provider_type if known else None
    return Key("csp", provider, kind, AT_KEYEXCHANGE, flags=CRYPT_MACHINE_KEYSET)


def _import(host: WindowsHost, name: str, wish: ImportWish, opened: Opened) -> Holdings:
    script = caught(
        _IMPORT.format(
            flags=quote("MachineKeySet,PersistKeySet" + (",Exportable" if wish.exportable else "")),
            leaf=quote(opened.leaf.thumbprint or ""),
            chain=",".join(quote(thumbprint) for thumbprint in opened.chain),
        )
    )
    data = base64.b64encode(wish.pfx) + b":" + base64.b64encode(wish.password.encode())
    answer = run(host, name, f"{script}\n{QUERY_STORES}", data, "Whether the PFX was imported is not known")
    after = stores_of(host, name, answer)
    if find(after.my, opened.leaf.thumbprint or "") is None:
        raise _not_imported(name, answer, opened.leaf.key.provider)
    return after


def _not_imported(name: str, answer: Answer, provider: str | None) -> EnrolmentError:
    if "exitread" not in answer.codes:
        return EnrolmentError(
            f"Windows did not open the PFX on {name}: {(answer.error or words_of(answer)).rstrip('.')}. Nothing was"
            " imported.",
            place=_STEP,
            remedy="Use an account that is a local administrator. Windows up to Server 2016 is known to open only PFX"
            " files that are encrypted with TripleDES and SHA-1: export the file again in that form.",
        )
    container = answer.text("container")
    left = f"the container {container!r}" if container else "a container that nothing uses"
    return EnrolmentError(
        f"The certificate could not be put into My of {name}: {(answer.error or words_of(answer)).rstrip('.')}. The key"
        f" may have been left in {left}.",
        place=_STEP,
        remedy="Use an account that is a local administrator; "
        + (
            f'certutil -csp "{provider}" -delkey "{container}" on the host removes the key.'
            if container
            else "look for new files in C:\\ProgramData\\Microsoft\\Crypto\\RSA\\MachineKeys."
        ),
    )


def _refuse_other_provider(host: WindowsHost, name: str, outcome: Outcome, provider: str) -> None:
    """A key that went elsewhere does not stay there."""
    faults = key_faults(outcome.installed.key, provider)
    if faults:
        state = take_back(host, name, outcome.installed)
        raise EnrolmentError(
            f"The import of the PFX on {name} did not come out as wished. {' '.join(faults)} {state}",
            place=_STEP,
            remedy="Check that the provider is installed on the host (certutil -csplist), and run it again.",
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
        raise EnrolmentError("The password is empty.", place=_EXPORT_STEP, remedy="Give one in the option 'password'.")
    held = find(read_holdings(host, name).my, thumbprint)
    if held is None:
        raise EnrolmentError(
            f"The store My of {name} holds no certificate {thumbprint}.",
            place=_EXPORT_STEP,
            remedy="Correct the option 'thumbprint'.",
        )
    if held.key.kind != "csp":
        where = held.key.provider or "no provider that the store records"
        raise EnrolmentError(
            f"The key of {thumbprint} on {name} is in {where} (kind {held.key.kind}), not in a legacy provider. Nothing"
            " was exported.",
            place=_EXPORT_STEP,
            remedy="Export a certificate whose key is in a legacy provider: with another, the next host would have its"
            " key in the wrong one, too.",
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
        return interrupted(name, answer, _EXPORT_STEP, "Nothing was exported.")
    if not answer.error:
        return EnrolmentError(
            f"Windows does not show the certificate {held.thumbprint} in My of {name}"
            f"{' (it is archived)' if held.archived else ''}.",
            place=_EXPORT_STEP,
            remedy="Archived certificates cannot be exported; else run it again.",
        )
    return EnrolmentError(
        f"Windows did not export the key of {held.thumbprint} from {name}: {answer.error.rstrip('.')}.",
        place=_EXPORT_STEP,
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
            place=_EXPORT_STEP,
            remedy="Check on the host that the key is there and may be exported (certutil -store My"
            f" {held.thumbprint}).",
        )
