# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the certificate and the private key of a PFX into the wished provider of a host.

Windows puts a key where the file says. So the file is opened on the controller and made anew for this one import: with
the wished provider, under a password that is used once, in a form that the host can read. It reaches the host over
standard input with its password; no file is written there, and nothing secret is on a command line.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ..enrolment.conversion import checked_target, target_key
from ..enrolment.installed import Holdings, check_clocks, find, friendly_name_for, key_faults
from ..enrolment.pfx import Encryption, OpenedPfx, open_pfx, rebuilt
from ..enrolment.wish import EnrolmentError
from ..evidence.x509 import certificate_from_der
from ..host.connection import WindowsHost, native_call, quote
from ..host.courier import Answer, carry, caught
from ..record import Certificate, Source
from .holdings import QUERY_STORES, clock_of, reason_of, stores_of
from .installation import Outcome, Target, check_target, finish, interrupted, run
from .removal import take_back

_STEP = "import of the PFX"
_PFX = "the option 'pfx'"
_CHAIN_STEP = "installation of the issuers"

_ISSUERS, _ROOTS = "CA", "Root"

_AES_SINCE = 16299
"""The build of Windows 10 1709; of servers 1709 and Server 2019. Older ones read no PFX with AES-256 and SHA-256
(CertificateDsc, requirements of PfxImport; issue 153 there)."""
_BUILD = re.compile(r"\bCurrentBuild\s+REG_SZ\s+([0-9]+)")
_PASSWORD_BYTES = 24

_COLLECTION = "New-Object Security.Cryptography.X509Certificates.X509Certificate2Collection"
_STORE = "New-Object Security.Cryptography.X509Certificates.X509Store"

# The registry has the physical stores. What the computer trusts is their sum, with what came from Windows Update
# (AuthRoot), from group policies and from the directory, which X509Store shows ("System Store Locations").
_STANDING = f"""\
$s={_STORE}('{{store}}','LocalMachine')
$s.Open('ReadOnly')
$h=''
foreach($x in $s.Certificates){{{{$h+=$x.Thumbprint+' '}}}}
$s.Close()
'keyprovider {{name}} '+[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($h))
"""

_WINDOWS = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
_BUILD_AND_CLOCK = (
    f"$v={native_call('reg.exe', 'query', _WINDOWS, '/v', 'CurrentBuild')}\n"
    "'keyprovider build '+[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes([string]$v))\n"
    "'keyprovider clock '+"
    "[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes([DateTime]::UtcNow.ToString('s')))\n"
)

# Four values in one input: a colon is no digit of base64, and neither is a comma.
_INPUT = "$a=[Text.Encoding]::UTF8.GetString([Convert]::FromBase64String((@($input) -join ''))).Split(':')\n"
_IMPORT = f"""\
$p=[Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($a[1]))
$c={_COLLECTION}
$c.Import([Convert]::FromBase64String($a[0]),$p,{{flags}})
'keyprovider exitread '+$c.Count
$q=[string]$c[0].PrivateKey.CspKeyContainerInfo.KeyContainerName
'keyprovider container '+[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($q))
"""
_READ_ISSUERS = f"""\
$i={_COLLECTION}
foreach($b in $a[{{part}}].Split(',')){{{{$i.Import([Convert]::FromBase64String($b))}}}}
"""
_ADD = f"""\
$s={_STORE}('{{store}}','LocalMachine')
$s.Open('ReadWrite')
foreach($x in {{certificates}}){{{{$s.Add($x)}}}}
$s.Close()
"""


@dataclass(frozen=True, kw_only=True)
class ImportWish(Target):
    """What is asked for when a PFX is to be installed."""

    pfx: bytes = field(repr=False)
    password: str = field(repr=False)
    exportable: bool = False
    trust_root: bool = False
    """Install the self-signed root of the file in Root."""


@dataclass(frozen=True)
class _Link:
    """An issuer of the certificate, with where it belongs."""

    certificate: Certificate
    store: str | None
    """``None``: it is left out."""
    missing: bool
    """Whether it belongs there and is not there."""


@dataclass(frozen=True)
class _Found:
    """What was read from the host before."""

    holdings: Holdings
    links: tuple[_Link, ...]
    encryption: Encryption
    """What its Windows can read."""


def checked_pfx(text: str) -> bytes:
    """The bytes of a PFX from its base64.

    Raises:
        EnrolmentError: it is no base64.
    """
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except ValueError as exc:
        raise EnrolmentError(
            "The PFX is not base64.",
            place=_PFX,
            remedy="Give what the file holds, in base64, and not its name: read it with ansible.builtin.slurp on the"
            " controller, or keep it as base64.",
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
    provider = checked_target(check_target(wish))
    opened = open_pfx(wish.pfx, wish.password, _PFX)
    _check_algorithm(opened.leaf, provider)
    thumbprint = opened.leaf.thumbprint or ""
    found = _read(host, name, opened, trust_root=wish.trust_root)
    held = find(found.holdings.my, thumbprint)
    outcome = Outcome(thumbprint, found.holdings, found.holdings, warnings=_trust_warnings(name, found.links, wish))
    missing = [link for link in found.links if link.missing]
    if held:
        _refuse_held(name, held, provider)
        if missing and not check:
            outcome.after = _add_issuers(host, name, missing)
    else:
        check_clocks(opened.leaf, at=at, host=found.holdings.clock)
        given = friendly_name_for(opened.leaf, wish.friendly_name, found.holdings.my) or opened.leaf.friendly_name
        if check:
            key = target_key(provider)
            outcome.planned = replace(opened.leaf, key=key, friendly_name=given, archived=False)
        else:
            password = secrets.token_hex(_PASSWORD_BYTES)
            # The issuers go as they are: of the file, Windows is to see the certificate of the key alone.
            made = rebuilt(
                replace(opened, chain=(), others=()),
                password=password,
                provider=provider,
                encryption=found.encryption,
                friendly_name=given,
            )
            outcome.after = _import(host, name, outcome, provider, (made, password), missing, wish)
    result = finish(host, name, outcome, replace(wish, provider=provider), check=check, at=at)
    return {
        **result,
        "changed": result["changed"] or bool(missing),
        "chain": [
            {
                "thumbprint": link.certificate.thumbprint,
                "subject": link.certificate.subject,
                "store": link.store,
                "added": link.missing,
            }
            for link in found.links
        ],
        "diff": [*result["diff"], *map(_difference, missing)],
    }


def _check_algorithm(leaf: Certificate, provider: str) -> None:
    algorithm = leaf.details.public_key.algorithm if leaf.details else None
    if algorithm != "RSA":
        raise EnrolmentError(
            f"The key of {leaf.subject or leaf.thumbprint} in the PFX is no RSA key ({algorithm or 'unknown'}), and"
            f" {provider} takes RSA keys.",
            place=_PFX,
            remedy="Request a certificate with an RSA key.",
        )


def _read(host: WindowsHost, name: str, opened: OpenedPfx, *, trust_root: bool) -> _Found:
    """Read My, the clock, what Windows it is, and whether the issuers stand in their stores.

    Raises:
        EnrolmentError, HostError: the host could not be read.
    """
    certificates = [certificate_from_der(der, source=Source("pfx", "the PFX"), archived=False) for der in opened.chain]
    stores = _stores(certificates)
    answer = carry(host, name, caught(f"{QUERY_STORES}{_list_standing(stores)}{_BUILD_AND_CLOCK}"))
    holdings = stores_of(host, name, answer)
    if answer.error or "clock" not in answer.told:
        raise interrupted(name, answer, "reading the host", "Nothing was changed.")
    standing = _standing(answer)
    links = []
    for certificate, store in zip(certificates, stores, strict=True):
        there = certificate.thumbprint in standing[store]
        wanted = store == _ISSUERS or trust_root or there
        links.append(_Link(certificate, store if wanted else None, missing=wanted and not there))
    build = _BUILD.search(answer.text("build"))
    encryption: Encryption = "aes256-sha256" if build and int(build[1]) >= _AES_SINCE else "tripledes-sha1"
    return _Found(replace(holdings, clock=clock_of(answer)), tuple(links), encryption)


def _stores(certificates: Sequence[Certificate]) -> list[str]:
    """The stores that issuers belong to."""
    return [_ROOTS if issuer.details and issuer.details.self_signed else _ISSUERS for issuer in certificates]


def _list_standing(stores: Sequence[str]) -> str:
    """The statements that tell the thumbprints of stores."""
    return "".join(_STANDING.format(store=store, name=store.lower()) for store in sorted(set(stores)))


def _standing(answer: Answer) -> Mapping[str, Sequence[str]]:
    return {store: answer.text(store.lower()).split() for store in (_ISSUERS, _ROOTS)}


def _trust_warnings(name: str, links: Sequence[_Link], wish: ImportWish) -> list[str]:
    if wish.trust_root and not any(link.store == _ROOTS for link in links):
        return ["There is no root to install: the issuers in the PFX do not reach a self-signed certificate."]
    return [
        f"The root {link.certificate.subject!r} ({link.certificate.thumbprint}) is not in Root of {name} and was left"
        f" out: {name} does not trust the certificate until it is. Set 'trust_root' to install it; those of public CAs"
        " Windows can fetch by itself."
        for link in links
        if link.store is None
    ]


def _refuse_held(name: str, held: Certificate, provider: str) -> None:
    """A certificate that is there already must have its key in the wished provider."""
    if held.key.kind == "unrecorded":
        raise EnrolmentError(
            f"The certificate {held.thumbprint} is in My of {name} without a key. Nothing was imported.",
            place=_STEP,
            remedy="Remove it (state: absent), then run it again.",
        )
    faults = key_faults(held.key, provider)
    if faults:
        raise EnrolmentError(
            f"The certificate {held.thumbprint} is in My of {name} already, and not as wished. {' '.join(faults)}"
            " Nothing was imported.",
            place=_STEP,
            remedy="Move its key with winpki.keyprovider.certificate_convert, which keeps what uses the certificate; or"
            " remove it (state: absent), then run it again.",
        )


def _import(
    host: WindowsHost,
    name: str,
    outcome: Outcome,
    provider: str,
    pfx: tuple[bytes, str],
    missing: Sequence[_Link],
    wish: ImportWish,
) -> Holdings:
    """Import the key, put the certificate in My, then the issuers in their stores.

    A key that was imported and stands in no store yet would be lost when the process ended then, so that the
    certificate comes first; a later run adds issuers that are missing.
    """
    flags = quote("MachineKeySet,PersistKeySet" + (",Exportable" if wish.exportable else ""))
    body = _IMPORT.format(flags=flags) + _ADD.format(store="My", certificates="$c") + _adding(missing)
    answer = _run(host, name, body, pfx, missing, "Whether the PFX was imported is not known")
    after = stores_of(host, name, answer)
    installed = find(after.my, outcome.thumbprint)
    if installed is None:
        raise _not_imported(name, answer, provider)
    faults = key_faults(installed.key, provider)
    if faults:
        state = take_back(host, name, installed)
        stay = " The issuers in the file stay in their stores." if missing else ""
        raise EnrolmentError(
            f"The import of the PFX on {name} did not come out as wished. {' '.join(faults)} {state}{stay}",
            place=_STEP,
            remedy="Check that the provider is installed on the host (certutil -csplist), and run it again.",
        )
    _check_issuers(name, answer, missing)
    return after


def _add_issuers(host: WindowsHost, name: str, missing: Sequence[_Link]) -> Holdings:
    """Put issuers in their stores; the certificate itself is installed."""
    answer = _run(host, name, _adding(missing), (b"", ""), missing, "Whether the issuers were installed is not known")
    _check_issuers(name, answer, missing)
    return stores_of(host, name, answer)


def _adding(missing: Sequence[_Link]) -> str:
    return "".join(
        _READ_ISSUERS.format(part=part) + _ADD.format(store=store, certificates="$i")
        for part, store in ((2, _ISSUERS), (3, _ROOTS))
        if any(link.store == store for link in missing)
    )


def _run(
    host: WindowsHost, name: str, body: str, pfx: tuple[bytes, str], missing: Sequence[_Link], unknown: str
) -> Answer:
    """Run statements that install something, and read the stores back."""
    ders: dict[str, list[bytes]] = {_ISSUERS: [], _ROOTS: []}
    for link in missing:
        ders[link.store or ""].append(base64.b64encode(link.certificate.der or b""))
    data = b":".join(
        (
            base64.b64encode(pfx[0]),
            base64.b64encode(pfx[1].encode()),
            b",".join(ders[_ISSUERS]),
            b",".join(ders[_ROOTS]),
        )
    )
    standing = _list_standing([store for store in ders if ders[store]])
    return run(host, name, f"{caught(_INPUT + body)}\n{standing}{QUERY_STORES}", data, unknown)


def _check_issuers(name: str, answer: Answer, missing: Sequence[_Link]) -> None:
    standing = _standing(answer)
    for link in missing:
        if link.certificate.thumbprint not in standing[link.store or ""]:
            raise EnrolmentError(
                f"The issuer {link.certificate.subject!r} could not be put into {link.store} of {name}:"
                f" {reason_of(answer)}. The certificate itself is installed.",
                place=_CHAIN_STEP,
                remedy="Use an account that is a local administrator, and run it again.",
            )


def _not_imported(name: str, answer: Answer, provider: str) -> EnrolmentError:
    if "exitread" not in answer.codes:
        return EnrolmentError(
            f"Windows did not open the PFX on {name}: {reason_of(answer)}. It was made for this import, in a form that"
            " this Windows reads, and so was its password: neither is wrong. Nothing was imported.",
            place=_STEP,
            # Notes of ansible.windows.win_certificate_store; 'become' does not reach the scripts of this collection.
            remedy="When Windows speaks of the password, the known reason is a logon without the account's secrets, as"
            " over NTLM or Kerberos without delegation: connect with CredSSP, or with Kerberos and delegation. When it"
            " denies access, use an account that is a local administrator. Else look at the free space of the system"
            " drive.",
        )
    container = answer.text("container")
    left = f"the container {container!r}" if container else "a container that nothing uses"
    return EnrolmentError(
        f"The certificate could not be put into My of {name}: {reason_of(answer)}. The key may have been left in"
        f" {left}.",
        place=_STEP,
        remedy="Use an account that is a local administrator; "
        + (
            f'certutil -csp "{provider}" -delkey "{container}" on the host removes the key.'
            if container
            else "look for new files in C:\\ProgramData\\Microsoft\\Crypto\\RSA\\MachineKeys."
        ),
    )


def _difference(link: _Link) -> dict[str, str]:
    header = f"{link.store}\\{link.certificate.thumbprint}"
    after = f"subject: {link.certificate.subject}\n"
    return {"before_header": header, "after_header": header, "before": "", "after": after}
