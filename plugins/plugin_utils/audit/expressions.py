# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The logic of the modules for Jinja expressions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from ..evidence.formats import FORMATS
from ..profiles.judge import judge
from ..profiles.library import load
from ..profiles.model import Profile
from ..providers.catalogue import classify
from ..record import EvidenceError
from ..record_input import certificate_from_dict
from .files import judged, read_content


def evidence(
    content: str | bytes, format: str = "auto", profile: str = "lync_2013", password: str | None = None
) -> dict[str, Any]:
    """Everything that evidence yields, as ``certificate_file_info`` returns it.

    Raises:
        EvidenceError: the format is not one of FORMATS, the content is neither text nor bytes, or the password is no
            text.
        ProfileError: there is no such profile.
    """
    if format not in FORMATS:
        raise EvidenceError(f"There is no format {format!r}.", remedy=f"Use one of {', '.join(FORMATS)}.")
    if not isinstance(content, (str, bytes)):
        raise EvidenceError(
            f"Evidence must be text or bytes, not {type(content).__name__}.",
            remedy="Give the content of the file, for example from the lookup ansible.builtin.file.",
        )
    if not isinstance(password, (str, type(None))):
        raise EvidenceError(
            f"The password must be text, not {type(password).__name__}.", remedy="Put it in quotation marks."
        )
    text = content.decode("utf-8", "surrogateescape") if isinstance(content, bytes) else content
    return judged(read_content(text, format=format, password=password), _profile(profile), at=_now())


def certificates(
    content: str | bytes, format: str = "auto", profile: str = "lync_2013", password: str | None = None
) -> list[dict[str, Any]]:
    """The certificates of evidence that can be read to its end.

    Raises:
        EvidenceError: something could not be read; use :func:`evidence` to have the rest.
        ProfileError: there is no such profile.
    """
    return _all_of("certificates", evidence(content, format, profile, password))


def requests(
    content: str | bytes, format: str = "auto", profile: str = "lync_2013", password: str | None = None
) -> list[dict[str, Any]]:
    """The certificate requests of evidence that can be read to its end; raises like :func:`certificates`."""
    return _all_of("requests", evidence(content, format, profile, password))


def verdict(certificate: Mapping[str, Any], profile: str = "lync_2013") -> dict[str, Any]:
    """Judge a certificate of a result by a profile.

    Raises:
        EvidenceError: it is not a certificate as the modules return them.
        ProfileError: there is no such profile.
    """
    record = certificate_from_dict(certificate)
    return judge(record, _profile(profile), at=_now()).as_dict()


def is_suitable_for(certificate: Mapping[str, Any], profile: str = "lync_2013") -> bool:
    """Whether nothing speaks against the certificate: its verdict for the profile is ``suitable``."""
    return bool(verdict(certificate, profile)["status"] == "suitable")


def is_kind(value: Any, kind: str) -> bool:
    """Whether a provider name, a key or a certificate of a result stands for a provider of that kind."""
    if isinstance(value, Mapping):
        key = value.get("key", value)
        if not isinstance(key, Mapping) or "kind" not in key:
            raise EvidenceError(
                "This is neither a certificate nor a key of a result.",
                remedy="Give a provider name, a certificate or its key.",
            )
        return bool(key["kind"] == kind)
    if not isinstance(value, str):
        raise EvidenceError(
            f"A provider name must be text, not {type(value).__name__}.",
            remedy="Give a provider name, a certificate or its key.",
        )
    return classify(value, None) == kind


def _profile(name_or_path: Any) -> Profile:
    if not isinstance(name_or_path, str):
        raise EvidenceError(
            f"A profile is given by its name or its file, not by a value of the type {type(name_or_path).__name__}.",
            remedy="Give a name such as lync_2013.",
        )
    return load(name_or_path)


def _all_of(what: str, result: dict[str, Any]) -> list[dict[str, Any]]:
    if result["problems"]:
        first = result["problems"][0]
        place = f"{first['place']}: " if first["place"] else ""
        raise EvidenceError(
            f"{place}{first['message']}",
            remedy=f"{first['remedy']} (The filter winpki.keyprovider.evidence returns what could be read.)",
        )
    found: list[dict[str, Any]] = result[what]
    return found


def _now() -> datetime:
    return datetime.now(timezone.utc)
