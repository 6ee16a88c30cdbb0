# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates of the lab, read back with the cryptography library."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from lab import pki

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
POOL = pki.KeyPool()
AUTHORITY = pki.Authority(
    "CN=Test CA,O=Fabrikam", POOL, not_before=NOW - timedelta(days=9), not_after=NOW + timedelta(days=9)
)


def _wanted(**values: Any) -> pki.Wanted:
    fields: dict[str, Any] = {
        "subject": "CN=web.fabrikam.example",
        "not_before": NOW,
        "not_after": NOW + timedelta(days=1),
        **values,
    }
    return pki.Wanted(**fields)


def test_a_certificate_holds_what_was_wanted() -> None:
    issued = AUTHORITY.issue(
        _wanted(
            subject_alt_names=("a.fabrikam.example", "10.0.0.7"),
            crl_distribution_points=("http://pki.fabrikam.example/ca.crl",),
            extended_key_usage=(pki.CLIENT_AUTH,),
        )
    )
    extensions = issued.certificate.extensions
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.fabrikam.example"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.7"]
    usages = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [usage.dotted_string for usage in usages] == [pki.CLIENT_AUTH]
    point = extensions.get_extension_for_class(x509.CRLDistributionPoints).value[0]
    assert point.full_name
    assert point.full_name[0].value == "http://pki.fabrikam.example/ca.crl"
    assert issued.certificate.not_valid_before_utc == NOW
    issued.certificate.verify_directly_issued_by(AUTHORITY.certificate.certificate)


@pytest.mark.parametrize(("name", "oid"), [("md5", "1.2.840.113549.1.1.4"), ("sha1", "1.2.840.113549.1.1.5")])
def test_weak_signatures_are_real_ones(name: str, oid: str) -> None:
    certificate = AUTHORITY.issue(_wanted(signature=name)).certificate
    assert certificate.signature_algorithm_oid.dotted_string == oid
    key = AUTHORITY.certificate.key.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    algorithm = {"md5": hashes.MD5(), "sha1": hashes.SHA1()}[name]
    key.verify(certificate.signature, certificate.tbs_certificate_bytes, padding.PKCS1v15(), algorithm)


def test_pss_signature() -> None:
    certificate = AUTHORITY.issue(_wanted(signature="pss-sha256")).certificate
    assert certificate.signature_algorithm_oid.dotted_string == "1.2.840.113549.1.1.10"
    certificate.verify_directly_issued_by(AUTHORITY.certificate.certificate)


@pytest.mark.parametrize(("kind", "bits"), [("rsa1024", 1024), ("rsa2048", 2048), ("p384", 384)])
def test_key_sizes(kind: str, bits: int) -> None:
    assert pki.key_bits(AUTHORITY.issue(_wanted(key=kind)).certificate) == bits


def test_template_extensions() -> None:
    v1 = AUTHORITY.issue(_wanted(template=pki.Template("WebServer"))).certificate
    value = v1.extensions.get_extension_for_oid(pki.TEMPLATE_NAME).value
    assert isinstance(value, x509.UnrecognizedExtension)
    assert value.value == b"\x1e\x12" + "WebServer".encode("utf-16-be")
    v2 = AUTHORITY.issue(_wanted(template=pki.Template("X", oid="1.3.6.1.4.1.311.21.8.300.7", major=100, minor=5)))
    information = v2.certificate.extensions.get_extension_for_class(x509.MSCertificateTemplate).value
    assert (information.template_id.dotted_string, information.major_version, information.minor_version) == (
        "1.3.6.1.4.1.311.21.8.300.7",
        100,
        5,
    )


def test_two_thousand_certificates_take_seconds() -> None:
    start = time.monotonic()
    thumbprints = {AUTHORITY.issue(_wanted(subject=f"CN=bulk{number}")).thumbprint for number in range(2000)}
    assert len(thumbprints) == 2000
    assert time.monotonic() - start < 15
