# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the releases of Lync Server and Skype for Business Server know and accept.

Parameters and the releases that have them: MicrosoftDocs/office-docs-powershell, the lines "Applicable" of
Get-, Set- and Request-CsCertificate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ALL = ("2010", "2013", "2015", "2019")
LATER = ("2013", "2015", "2019")


@dataclass(frozen=True)
class Parameter:
    """A parameter of a cmdlet."""

    name: str
    switch: bool = False
    versions: Sequence[str] = ALL


_CONFIRMED = (Parameter("WhatIf", True), Parameter("Confirm", True))

CMDLETS: dict[str, tuple[Parameter, ...]] = {
    "Get-CsCertificate": (
        *(Parameter("Type"), Parameter("NetportId", versions=("2010",)), Parameter("Report")),
        Parameter("Identity", versions=LATER),
    ),
    "Set-CsCertificate": (
        *(Parameter("Type"), Parameter("NetportId", versions=("2010",)), Parameter("Report")),
        *(Parameter("Reference"), Parameter("Thumbprint"), Parameter("Force", True)),
        *(Parameter("Identity", versions=LATER), Parameter("EffectiveDate", versions=LATER)),
        *(Parameter("Roll", True, LATER), Parameter("Path", versions=LATER), Parameter("Password", versions=LATER)),
        *_CONFIRMED,
    ),
    "Request-CsCertificate": (
        *(Parameter(name, True) for name in ("New", "List", "Retrieve", "Clear", "Force")),
        *(Parameter(name) for name in ("Type", "CA", "CaAccount", "CaPassword", "City", "ClientEKU", "ComputerFqdn")),
        *(Parameter(name) for name in ("Country", "DomainName", "FriendlyName", "GlobalCatalog", "KeyAlg", "KeySize")),
        *(Parameter(name) for name in ("GlobalSettingsDomainController", "Organization", "OU", "Output", "State")),
        *(Parameter(name) for name in ("PrivateKeyExportable", "Template", "Report", "RequestId")),
        Parameter("AllSipDomain", True, LATER),
        *_CONFIRMED,
    ),
    "Get-CsServerVersion": (),
}
"""By name. Get-CsCertificate -NetportId is in 2010 alone."""

CLASSES = {
    "Get-CsCertificate": "GetCertificateCmdlet",
    "Set-CsCertificate": "SetCertificateCmdlet",
    "Request-CsCertificate": "RequestCertificateCmdlet",
    "Get-CsServerVersion": "GetServerVersionCmdlet",
}
"""The .NET class of each, in Microsoft.Rtc.Management.Deployment: of the form of TestReplicaCmdlet, which is published
("Testing replication", Lync Server 2013); the names are unverified."""

CERTIFICATE_TYPES = (
    *("AccessEdgeExternal", "AudioVideoAuthentication", "DataEdgeExternal", "Default", "External", "Internal"),
    *("iPhoneAPNService", "iPadAPNService", "MPNService", "PICWebService", "ProvisionService"),
    *("WebServicesExternal", "WebServicesInternal", "WsFedTokenTransfer"),
)
LATER_CERTIFICATE_TYPES = ("OAuthTokenIssuer", "XmppServer")
"""In staging documents and issue 5451 of the reference's repository; that Lync Server 2010 refuses them follows from
the features being newer, unverified."""

_PRODUCTS = {
    "2010": "Microsoft Lync Server 2010 (4.0.7577.0)",
    "2013": "Microsoft Lync Server 2013 (5.0.8308.0)",
    "2015": "Skype for Business Server 2015 (6.0.9319.0)",
    "2019": "Skype for Business Server 2019 (7.0.2046.0)",
}


def parameters(cmdlet: str, version: str) -> list[Parameter]:
    """The parameters of a cmdlet in a release."""
    return [parameter for parameter in CMDLETS[cmdlet] if version in parameter.versions]


def certificate_types(version: str) -> tuple[str, ...]:
    """The values of CertType in a release."""
    return CERTIFICATE_TYPES if version == "2010" else (*CERTIFICATE_TYPES, *LATER_CERTIFICATE_TYPES)


def takes_cng(version: str) -> bool:
    """Whether a release works with a key of a key storage provider.

    2010 and 2013 do not (medium-high confidence: Perficient 2013-12-09 and others, none of them Microsoft); 2015 does
    not (medium: pull request 3861 of MicrosoftDocs/OfficeDocs-SkypeForBusiness); for 2019 no statement was found, the
    lab takes it as working (low).
    """
    return version == "2019"


def product(version: str) -> str:
    """What Get-CsServerVersion returns, a text.

    The form of 2019 is in tests of Microsoft's own (RDPatchVersion.tests.ps1), with the base version as the reference
    says; name and number of 2013 in a public question; the others follow them, unverified.
    """
    return f"{_PRODUCTS[version]}: Volume license key installed."
