# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate of a result back to the record it was made from, for expressions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, get_args

from .record import Certificate, Details, EvidenceError, Key, KeyKind, PublicKey, Source, Template


def certificate_from_dict(data: Mapping[str, Any]) -> Certificate:
    """The record behind ``Certificate.as_dict()``. The certificate itself (``der``) is not in a result.

    Raises:
        EvidenceError: the mapping is no certificate of a result.
    """
    try:
        key_data, source = data["key"], data["source"]
        if key_data["kind"] not in get_args(KeyKind):
            raise ValueError(f"key.kind is {key_data['kind']!r}")
        return Certificate(
            key=_key(key_data),
            source=Source(source["format"], source["origin"], source["place"]),
            thumbprint=data["thumbprint"],
            subject=data["subject"],
            issuer=data["issuer"],
            serial_number=data["serial_number"],
            not_before=_moment(data["not_before"]),
            not_after=_moment(data["not_after"]),
            friendly_name=data["friendly_name"],
            archived=data["archived"],
            template=Template(**data["template"]) if data["template"] else None,
            details=_details(data),
            notes=tuple(data["notes"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise EvidenceError(
            f"This is not a certificate as the modules of winpki.keyprovider return them ({exc}).",
            remedy="Give an element of the result's 'certificates', unchanged.",
        ) from exc


def _key(data: Mapping[str, Any]) -> Key:
    return Key(
        kind=data["kind"],
        provider=data["provider"],
        provider_type=data["provider_type"],
        key_spec=data["key_spec"],
        container=data["container"],
        unique_container=data["unique_container"],
        flags=data["flags"],
        exportable=data["exportable"],
        present=data["present"],
        candidates=tuple(_key(candidate) for candidate in data.get("candidates", ())),
    )


def _details(data: Mapping[str, Any]) -> Details | None:
    if data["public_key"] is None:
        return None
    return Details(
        public_key=PublicKey(**data["public_key"]),
        signature_algorithm=data["signature_algorithm"],
        signature_oid=data["signature_oid"],
        signature_hash=data["signature_hash"],
        subject_alt_names=tuple(data["subject_alt_names"]),
        extended_key_usage=None if data["extended_key_usage"] is None else tuple(data["extended_key_usage"]),
        key_usage=None if data["key_usage"] is None else tuple(data["key_usage"]),
        crl_distribution_points=tuple(data["crl_distribution_points"]),
        is_ca=data["is_ca"],
        self_signed=data["self_signed"],
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
