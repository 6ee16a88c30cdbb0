# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files on the controller that are none, or that nobody may read."""

from __future__ import annotations

import os
from pathlib import Path

from ansible_collections.winpki.keyprovider.plugins.plugin_utils.audit.files import read_path

STORE = """\
================ Certificate 0 ================
Serial Number: 1a2b3c
Issuer: CN=Contoso Issuing CA 1
Subject: CN=www.contoso.example
Cert Hash(sha1): 1111111111111111111111111111111111111111
  Provider = Microsoft Strong Cryptographic Provider
CertUtil: -store command completed successfully.
"""


def test_a_pipe_in_a_directory_is_told_and_does_not_stop_the_reading(tmp_path: Path):
    os.mkfifo(tmp_path / "a.pipe")
    (tmp_path / "b.txt").write_text(STORE)
    reading = read_path(tmp_path, format="auto", password=None)
    assert [certificate.subject for certificate in reading] == ["CN=www.contoso.example"]
    assert [problem.origin for problem in reading.problems] == [str(tmp_path / "a.pipe")]
    assert "pipe" in reading.problems[0].message


def test_a_device_is_not_read_to_its_end():
    (problem,) = read_path(Path("/dev/zero"), format="auto", password=None).problems
    assert (problem.origin, "device" in problem.message) == ("/dev/zero", True)


def test_a_file_that_is_gone_when_it_is_read_is_told(tmp_path: Path):
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere")
    (tmp_path / "there.txt").write_text(STORE)
    reading = read_path(tmp_path, format="auto", password=None)
    assert len(reading.certificates) == 1
    assert reading.problems[0].origin == str(tmp_path / "gone.txt")
