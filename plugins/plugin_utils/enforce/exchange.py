# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory of the controller through which requests go to any CA and certificates come back.

Answers are found by their public key, whatever their files are called and whichever form they have.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from ..enrolment.answer import check_answer, chosen, has_key, read_certificates
from ..enrolment.errors import EnrolmentError
from ..enrolment.keys import public_key_of
from ..enrolment.requested import request_pem
from ..enrolment.submission import Asked, read_request
from ..evidence.armour import unwrap
from ..record import Problem
from ..report.files import replace_file

LARGEST_ANSWER = 1 << 20
"""Bytes; a certificate with its chain has some thousand."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")


class _Answer(NamedTuple):
    path: Path
    certificates: tuple[bytes, ...]


def exchange_request(csr: str, directory: Path, name: str, *, check: bool, at: datetime) -> dict[str, Any]:
    """Lay a request into a directory and look there for its certificate; return the result of the module.

    Args:
        csr: the request, PEM.
        directory: on the controller; made when missing.
        name: of the file of the request, without its extension.
        check: write nothing.
        at: the moment, UTC, against which validity is judged.

    Raises:
        EnrolmentError: the request or the name is wrong, the directory cannot be used, or the only certificates with
            the request's key lack its names or are not valid.
    """
    if not _NAME.fullmatch(name) or name.endswith("."):
        raise EnrolmentError(
            f"{name!r} is not the name of a file without its extension.",
            place="the option 'name'",
            remedy="Give letters, digits and ._- alone, such as fe01-default.",
        )
    request = read_request(csr.encode("utf-8", "replace"))
    target = Path(os.path.abspath(directory))
    try:
        file, warnings = _file_of(target, name, request)
        changed = not file.exists()
        if changed and not check:
            target.mkdir(parents=True, exist_ok=True)
            replace_file(file, request_pem(request.der).encode("ascii"))
        answers, problems = _answers(target)
    except (OSError, ValueError) as exc:  # ValueError: a NUL in the path
        why = "it is not a directory" if isinstance(exc, FileExistsError) else getattr(exc, "strerror", exc)
        raise EnrolmentError(
            f"The directory {target} cannot be used: {why}.",
            place="the option 'path'",
            remedy="Give a directory of the controller that can be written.",
        ) from exc
    result = {
        "changed": changed,
        "status": "pending",
        "request_id": None,
        "certificate": None,
        "chain": [],
        "hresult": None,
        "answer": None,
        "csr_path": str(file),
        "reason": f"No file of {target} holds a certificate for {file.name}.",
        "problems": [problem.as_dict() for problem in problems],
        "diff": [_diff(file, request)] if changed else [],
        "warnings": warnings,
    }
    return {**result, **_found(answers, request, at, warnings)}


def _found(answers: Sequence[_Answer], request: Asked, at: datetime, warnings: Sequence[str]) -> dict[str, Any]:
    """What a usable answer adds to the result; nothing without one."""
    own = public_key_of(request.pkcs10)
    everything = tuple(dict.fromkeys(certificate for answer in answers for certificate in answer.certificates))
    refused: EnrolmentError | None = None
    fitting = [certificate for certificate in everything if has_key(certificate, own)]
    while fitting:
        # Issuers may have come in files of their own.
        others = [other for other in everything if not has_key(other, own)]
        certificate, chain = chosen([*fitting, *others], own)
        path = next(str(answer.path) for answer in answers if certificate in answer.certificates)
        try:
            notes = check_answer(certificate, request.pkcs10, at=at, chain=chain)
        except EnrolmentError as exc:
            refused = refused or EnrolmentError(exc.message, place=path, remedy=exc.remedy)
            fitting.remove(certificate)
            continue
        return {
            "status": "issued",
            "certificate": ssl.DER_cert_to_PEM_cert(certificate),
            "chain": [ssl.DER_cert_to_PEM_cert(issuer) for issuer in chain],
            "answer": path,
            "reason": None,
            "warnings": [*warnings, *(f"{path}: {note}" for note in notes)],
        }
    if refused:
        raise refused
    return {}


def _file_of(directory: Path, name: str, request: Asked) -> tuple[Path, list[str]]:
    """The file for a request: what was laid there for another key stays, for its answer may be on the way."""
    plain = directory / f"{name}.csr"
    marked = directory / f"{name}-{request.identity[:8]}.csr"
    if _holds(marked, request) or not plain.exists() or _holds(plain, request):
        return (marked if _holds(marked, request) else plain), []
    return marked, [
        f"{plain} holds another request and was left as it is; this one is {marked.name}. Remove the other when its"
        " certificate is no longer wanted."
    ]


def _holds(path: Path, request: Asked) -> bool:
    try:
        return read_request(_bounded(path)).der == request.der
    except (OSError, EnrolmentError):
        return False


def _answers(directory: Path) -> tuple[list[_Answer], list[Problem]]:
    """The certificates of all files of a directory, and what could not be read. Files of requests and keys are none."""
    answers: list[_Answer] = []
    problems: list[Problem] = []
    if not directory.exists():
        return answers, problems
    for path in sorted(directory.iterdir()):
        if path.name.startswith(".") or not path.is_file():
            continue
        try:
            data = _bounded(path)
            if _is_no_answer(data):
                continue
            answers.append(_Answer(path, read_certificates(data)))
        except OSError as exc:
            problems.append(Problem(str(path), f"The file cannot be read: {exc.strerror}.", "Correct its permissions."))
        except EnrolmentError as exc:
            problems.append(Problem(str(path), exc.message, exc.remedy))
    return answers, problems


def _bounded(path: Path) -> bytes:
    with open(path, "rb") as file:
        data = file.read(LARGEST_ANSWER + 1)
    if len(data) > LARGEST_ANSWER:
        raise EnrolmentError(
            f"The file is larger than {LARGEST_ANSWER} bytes.",
            remedy="Give the certificate alone (.cer, .crt, .pem or .p7b), and move other files elsewhere.",
        )
    return data


def _is_no_answer(data: bytes) -> bool:
    """Whether a file holds nothing but requests and private keys."""
    found = unwrap(data)
    others = len(found.payloads) - len(found.of_kind("pkcs10", "cmc"))
    return not others and not found.damaged and bool(found.payloads or found.private_keys)


def _diff(path: Path, request: Asked) -> dict[str, str]:
    return {"before_header": str(path), "after_header": str(path), "before": "", "after": request_pem(request.der)}
