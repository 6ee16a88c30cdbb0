# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real requests of Windows 10 to Server 2025 against what was decoded from them by other means."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence.formats import detect, read

pytestmark = pytest.mark.samples

SAMPLES = os.environ.get("KEYPROVIDER_SAMPLES")
FILES = sorted((Path(SAMPLES) / "csr").glob("*.txt")) if SAMPLES else []


@pytest.mark.skipif(not SAMPLES, reason="KEYPROVIDER_SAMPLES does not name the corpus")
def test_the_corpus_is_there():
    assert len(FILES) >= 41


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_request_tells_what_was_decoded_from_it(path: Path):
    data = path.read_bytes()
    header = next(line for line in data.decode().splitlines() if line.startswith("# decoded: "))
    truth = ast.literal_eval(header.removeprefix("# decoded: "))
    assert detect(data) == "csr"
    reading = read(data, str(path))
    assert reading.problems == ()
    assert reading.certificates == ()
    (request,) = reading.requests
    assert request.form == path.name.split("_")[0]
    key_spec, _tag, provider, _signature = truth["csp"]
    assert request.key.provider == provider
    assert request.key.key_spec == int(key_spec, 16)
    assert request.key.kind == ("ksp" if "Key Storage" in provider else "csp")
    assert request.enrolment is not None
    assert request.enrolment.os_version == truth["os"]
    machine, user, process = (value for _tag, value in truth["client"][1:])
    assert (request.enrolment.machine, request.enrolment.user, request.enrolment.process) == (machine, user, process)
    assert request.details is not None
    assert request.details.public_key.size
    assert request.notes == ()
