# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The PowerShell around the Lync cmdlets: the one place that needs more of it than a call.

The module is ``Lync`` on Lync Server 2010 and 2013, ``SkypeForBusiness`` from 2015 on. The scripts keep to what
PowerShell 2.0 has. Only words of closed alphabets stand in them (types, thumbprints, dates); everything else comes over
standard input. Texts go back in base64 (see :mod:`..host.courier`), so no console code page matters, and dates as
ISO 8601, because cmdlets print them in the locale of the server.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timezone

from ..host.connection import HostError, quote
from ..host.courier import KEPT, caught
from .usages import TYPES

AUDIT_MARK = "#keyprovider:lync:"

ASSIGNMENTS_SCRIPT = f"""\
try {{
$m = Get-Module -ListAvailable -Name Lync, SkypeForBusiness | Select-Object -First 1
if ($m) {{
Import-Module $m.Name -ErrorAction Stop
'{AUDIT_MARK}begin'
Get-CsCertificate -ErrorAction Stop | Select-Object Use, Thumbprint | ConvertTo-Csv -NoTypeInformation
'{AUDIT_MARK}end'
}} else {{ '{AUDIT_MARK}none' }}
}} catch {{ '{AUDIT_MARK}failed'; "$_" }}
"""
"""Prints what Get-CsCertificate knows, as CSV between marks: the part that stands behind an audit's own query.

ConvertTo-Csv is in PowerShell 2.0, ConvertTo-Json is not. Only the usage and the thumbprint are asked for:
the dates would be printed in the locale of the server. The parameter ``-Identity`` is not used; Lync 2010 lacks it.
"""

COLUMNS = (
    *("Use", "Thumbprint", "Subject", "Issuer", "SerialNumber", "PreviousThumbprint"),
    *("AlternativeNames", "NotBefore", "NotAfter", "EffectiveDate"),
)
"""The properties of a CertificateReference that are read. technet Dn725210 shows them but PreviousThumbprint and
EffectiveDate, which go with -Roll; these two are unverified, and stay empty where there are none."""

_DATES = ("NotBefore", "NotAfter", "EffectiveDate")
_THUMBPRINT = re.compile(r"[0-9A-F]{40}")
_REPORT_NAME = re.compile(r"[A-Za-z0-9-]{1,80}\.html")


def _tell(name: str, expression: str) -> str:
    return f"'keyprovider {name} '+[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes([string]({expression})))\n"


def _date(name: str) -> str:
    return f"@{{n='{name}';e={{if($_.{name}){{$_.{name}.ToUniversalTime().ToString('o')}}}}}}"


_CALCULATED = ",".join(
    [
        *(f"'{name}'" for name in COLUMNS if name not in (*_DATES, "AlternativeNames")),
        "@{n='AlternativeNames';e={@($_.AlternativeNames) -join ' '}}",
        *(_date(name) for name in _DATES),
    ]
)

# What the first Select-Object does not find in an object becomes an empty property, whatever the version.
_ROWS = f"Select-Object {','.join(COLUMNS)}|Select-Object $c|ConvertTo-Csv -NoTypeInformation"

_READ_BACK = (
    f"$c={_CALCULATED}\n"
    + f"$t=Get-CsCertificate -ErrorAction Stop|{_ROWS}\n"
    + _tell("local", '$t -join "`n"')
    + "if((Get-Command Get-CsCertificate).Parameters.ContainsKey('Identity')){try{\n"
    + f"$t=Get-CsCertificate -Identity 'global' -ErrorAction Stop|{_ROWS}\n"
    + _tell("global", '$t -join "`n"')
    + "}catch{"
    + _tell("globalerror", "$_")
    + "}}\n"
)

_FAILURE = (
    "}catch{$x=$_.Exception\n"
    + _tell("failure", "$x.Message")
    + "if($x.InnerException){"
    + _tell("inner", "$x.InnerException.Message")
    + "}}\n"
)

_END = "'keyprovider end'\n"


def _within_module(body: str) -> str:
    """Statements that need the module; without one the line ``none`` is told instead."""
    return caught(
        "$m=Get-Module -ListAvailable -Name Lync,SkypeForBusiness|Select-Object -First 1\n"
        "if(-not $m){'keyprovider none'}else{\n"
        "Import-Module $m.Name -ErrorAction Stop\n"
        f"{body}{_END}}}\n"
    )


def _about(cmdlet: str) -> str:
    """What is installed, and which parameters a cmdlet has in this version."""
    return (
        "try{$v=Get-CsServerVersion -ErrorAction Stop}catch{$v=''}\n"
        + _tell("version", "$v")
        + _tell("parameters", f"@((Get-Command {cmdlet}).Parameters.Keys) -join ' '")
    )


def _report(name: str) -> str:
    """Sets ``$r``, a file in the directory that stays, and tells it."""
    if not _REPORT_NAME.fullmatch(name):
        raise HostError(f"{name!r} is no name of a report.")
    return (
        f"$p=[IO.Path]::Combine({KEPT},'reports')\n"
        "[void][IO.Directory]::CreateDirectory($p)\n"
        f"$r=[IO.Path]::Combine($p,'{name}')\n" + _tell("report", "$r")
    )


def _listed(types: Sequence[str]) -> str:
    unknown = [name for name in types if name not in TYPES]
    if unknown or not types:
        raise HostError(f"{', '.join(unknown) or 'Nothing'} is no certificate type of Lync.")
    return ",".join(quote(name) for name in types)


def reading_script() -> str:
    """Reads the version, the parameters of Set-CsCertificate and all assignments."""
    return _within_module(_about("Set-CsCertificate") + _READ_BACK)


def assigning_script(
    types: Sequence[str],
    thumbprint: str,
    report: str,
    *,
    everywhere: bool = False,
    effective_date: datetime | None = None,
    roll: bool = False,
) -> str:
    """Assigns a certificate of the store My, and reads all assignments back whatever came of it.

    The date is handed over as a local time of the server, which DateTime.Parse makes of a text with an offset (one that
    ends in Z stays UTC): Microsoft's examples give it as text without a zone.

    Args:
        types: as :data:`~.usages.TYPES` spells them.
        thumbprint: 40 upper-case hexadecimal digits.
        report: the name of the file for Lync's own report.
        everywhere: at the global scope, ``-Identity global``.
        effective_date: aware; from when on it counts.
        roll: keep the present certificate beside it (``-Roll``).

    Raises:
        HostError: a value is not of its closed alphabet.
    """
    if not _THUMBPRINT.fullmatch(thumbprint):
        raise HostError(f"{thumbprint!r} is no thumbprint.")
    date, more = "", " -Identity 'global'" if everywhere else ""
    if effective_date is not None:
        moment = effective_date.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S+00:00")
        date = (
            f"$e=[DateTime]::Parse('{moment}',[Globalization.CultureInfo]::InvariantCulture,"
            "[Globalization.DateTimeStyles]::RoundtripKind)\n"
        )
        more += " -EffectiveDate $e"
    more += " -Roll" if roll else ""
    return _within_module(
        _report(report)
        + f"{date}$w=@()\ntry{{\n"
        + f"Set-CsCertificate -Type {_listed(types)} -Thumbprint '{thumbprint}'{more} -Report $r -Confirm:$false "
        + "-ErrorAction Stop -WarningAction SilentlyContinue -WarningVariable w|Out-Null\n"
        + _FAILURE
        + _tell("warnings", '@($w) -join "`n"')
        + _READ_BACK
    )


REQUEST_VALUES = ("CA", "Template", "FriendlyName", "DomainName")
"""The parameters of Request-CsCertificate whose values come over standard input, one a line in this order."""


def looking_script() -> str:
    """Reads the version and the parameters of Request-CsCertificate."""
    return _within_module(_about("Request-CsCertificate"))


def requesting_script(
    types: Sequence[str],
    given: Sequence[str],
    report: str,
    *,
    key_length: int | None = None,
    exportable: bool | None = None,
) -> str:
    """Requests a certificate the way Lync does it.

    Args:
        types: as :data:`~.usages.TYPES` spells them.
        given: those of :data:`REQUEST_VALUES` that are wanted; see :func:`request_input`.
        report: the name of the file for Lync's own report.
        key_length: bits.
        exportable: whether the private key may be exported.

    Raises:
        HostError: a value is not of its closed alphabet.
    """
    more = "".join(f" -{name} $v[{place}]" for place, name in enumerate(REQUEST_VALUES) if name in given)
    if key_length is not None:
        more += f" -KeySize {int(key_length)}"
    if exportable is not None:
        more += f" -PrivateKeyExportable ${str(bool(exportable)).lower()}"
    return _calling(
        "$v=[Text.Encoding]::UTF8.GetString([Convert]::FromBase64String((@($input) -join ''))).Split(\"`n\")\n",
        f"Request-CsCertificate -New -Type {_listed(types)}{more}",
        report,
    )


def request_input(values: Sequence[str]) -> bytes:
    """The values of :data:`REQUEST_VALUES`, empty where not given, as the script reads them.

    Raises:
        HostError: a value has a line end.
    """
    if any(character in value for value in values for character in "\r\n"):
        raise HostError("A value for Request-CsCertificate has a line end.", remedy="Correct the value.")
    return "\n".join(values).encode()


def retrieving_script(report: str) -> str:
    """Lets Lync fetch the certificates of its pending requests.

    ``-Retrieve`` "attempts to complete the operation and import the requested certificate" (reference).

    Raises:
        HostError: the name of the report is not of its closed alphabet.
    """
    return _calling("", "Request-CsCertificate -Retrieve", report)


def _calling(before: str, call: str, report: str) -> str:
    return before + _within_module(
        _report(report)
        + "$w=@()\ntry{\n"
        + f"{call} -Report $r -Confirm:$false "
        + "-ErrorAction Stop -WarningAction SilentlyContinue -WarningVariable w|Out-Null\n"
        + _FAILURE
        + _tell("warnings", '@($w) -join "`n"')
    )
