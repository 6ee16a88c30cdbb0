# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policy module of an enterprise CA: which template a request is for, and whether it may be issued.

MS-WCCE 3.2.2.6.2.1.4. Not simulated: renewals, enrolment agents, key archival, attestation, certificate policies, and
the SID extension 1.3.6.1.4.1.311.25.2.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ..directory.descriptors import ENROLL
from . import access
from .request import Request
from .templates import CertificateTemplate

UNSUPPORTED_CERT_TYPE = 0x80094800
NO_CERT_TYPE = 0x80094801
TEMPLATE_CONFLICT = 0x80094802
TEMPLATE_DENIED = 0x80094012
BAD_TEMPLATE_VERSION = 0x80094807
KEY_LENGTH = 0x80094811
BAD_REQUESTSUBJECT = 0x80094001
_DENIED_BY_POLICY = "Denied by Policy Module"
_UNSUPPORTED = (
    f"{_DENIED_BY_POLICY}  0x80094800, The request was for a certificate template that is not supported by the Active "
    "Directory Certificate Services policy: {0}."
)
"""Quoted by Microsoft's support articles and seen on the wire of a Server 2025 CA; the last stop is unverified."""
_NO_TEMPLATE = (
    f"{_DENIED_BY_POLICY}  0x80094801, The request does not contain a certificate template extension or the "
    "CertificateTemplate request attribute."
)
"""The code was seen for such a request (the document says 0x80094800); the text is unverified."""


class Denied(Exception):
    """The policy module denies a request."""

    def __init__(self, code: int, message: str = _DENIED_BY_POLICY) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        """The disposition message, in English."""


def parsed_attributes(attributes: Mapping[str, str]) -> dict[str, str]:
    """Request attributes by name in lower case; blanks and minus signs of the names go (MS-WCCE 3.2.1.4.2.1.2)."""
    return {name.replace(" ", "").replace("-", "").casefold(): value.strip() for name, value in attributes.items()}


def template_of(
    request: Request, attributes: Mapping[str, str], table: Sequence[CertificateTemplate], offered: Collection[str]
) -> CertificateTemplate:
    """The one template that all identifiers of a request mean (MS-WCCE 3.2.2.6.2.1.4.1, 3.2.2.6.2.1.4.7).

    :param attributes: request attributes by name in lower case.
    :param offered: the templates that the CA is configured to issue.

    Raises:
        Denied: there is no identifier, or it means no template, or several, or one that the CA does not offer.
        NotDer: an extension that names the template cannot be read.
    """
    attribute, pair = "certificatetemplate", request.name_values
    version = request.template_version
    named = (request.template_name, pair.get(attribute), attributes.get(attribute), version.oid if version else None)
    given = [name for name in named if name]
    if not given:
        raise Denied(NO_CERT_TYPE, _NO_TEMPLATE)
    meant: list[CertificateTemplate | None] = []
    for name in given:
        found = next((one for one in table if name.casefold() == one.name.casefold() or name == one.oid), None)
        if found not in meant:
            meant.append(found)
    if len(meant) > 1:
        raise Denied(TEMPLATE_CONFLICT)
    template = meant[0]
    if template is None or template.name.casefold() not in {name.casefold() for name in offered}:
        raise Denied(UNSUPPORTED_CERT_TYPE, _UNSUPPORTED.format(template.name if template else given[0]))
    if version and template.schema > 1 and (version.major, version.minor) > template.version:
        raise Denied(BAD_TEMPLATE_VERSION)
    return template


def check(request: Request, template: CertificateTemplate, who: Collection[str]) -> None:
    """Whether a requester may have what he asks for (MS-WCCE 3.2.2.6.2.1.4.3, 3.2.2.6.2.1.4.5.2).

    :param who: the SIDs of the requester and his groups.

    Raises:
        Denied: he has no right to enroll, or his key is too short.
    """
    if not access.grants(template.descriptor, ENROLL, who):
        raise Denied(TEMPLATE_DENIED)
    if template.schema > 1 and request.key_bits < template.minimum_key_size:
        raise Denied(KEY_LENGTH)
