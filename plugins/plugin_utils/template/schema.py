# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of a forest: the objects and the attributes (MS-CRTD 2, MS-WCCE 2.2.2.11, MS-ADSC)."""

from __future__ import annotations

from ..directory.naming import any_of, equals

TEMPLATE_CLASS = "pKICertificateTemplate"
SERVICE_CLASS = "pKIEnrollmentService"
OID_CLASS = "msPKI-Enterprise-Oid"

TEMPLATES_CONTAINER = "CN=Certificate Templates"
OID_CONTAINER = "CN=OID"

PRIVATE_KEY_FLAG = "msPKI-Private-Key-Flag"
DEFAULT_CSPS = "pKIDefaultCSPs"
RA_APPLICATION_POLICIES = "msPKI-RA-Application-Policies"
DEFAULT_KEY_SPEC = "pKIDefaultKeySpec"
MINIMAL_KEY_SIZE = "msPKI-Minimal-Key-Size"
KEY_USAGE = "pKIKeyUsage"
SCHEMA_VERSION = "msPKI-Template-Schema-Version"
MAJOR_REVISION = "revision"
MINOR_REVISION = "msPKI-Template-Minor-Revision"
TEMPLATE_OID = "msPKI-Cert-Template-OID"
EXTENDED_KEY_USAGE = "pKIExtendedKeyUsage"
APPLICATION_POLICY = "msPKI-Certificate-Application-Policy"
SUPERSEDES = "msPKI-Supersede-Templates"
GENERAL_FLAGS = "flags"
SECURITY_DESCRIPTOR = "nTSecurityDescriptor"
PUBLISHED = "certificateTemplates"

COPIED = (
    GENERAL_FLAGS,
    DEFAULT_KEY_SPEC,
    KEY_USAGE,
    "pKIMaxIssuingDepth",
    "pKICriticalExtensions",
    "pKIExpirationPeriod",
    "pKIOverlapPeriod",
    EXTENDED_KEY_USAGE,
    DEFAULT_CSPS,
    "pKIEnrollmentAccess",
    "msPKI-RA-Signature",
    "msPKI-RA-Policies",
    RA_APPLICATION_POLICIES,
    "msPKI-Enrollment-Flag",
    PRIVATE_KEY_FLAG,
    "msPKI-Certificate-Name-Flag",
    MINIMAL_KEY_SIZE,
    "msPKI-Certificate-Policy",
    APPLICATION_POLICY,
    "showInAdvancedViewOnly",
)
"""What a duplicate takes over as it is: all attributes of the class that a person can set, but for those that make
the template this one."""

READ_ATTRIBUTES = (
    "objectClass",
    "cn",
    "displayName",
    *COPIED,
    SCHEMA_VERSION,
    MAJOR_REVISION,
    MINOR_REVISION,
    TEMPLATE_OID,
    SUPERSEDES,
    SECURITY_DESCRIPTOR,
    "dNSHostName",
    PUBLISHED,
)

READ_FILTER = any_of(
    equals("objectClass", TEMPLATE_CLASS),
    equals("objectClass", SERVICE_CLASS),
    equals("objectClass", OID_CLASS),
    # The containers are in every forest: an empty answer is a failed one.
    equals("cn", "Certificate Templates"),
    equals("cn", "OID"),
)
