# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: certificate_report
short_description: Report the audit of many hosts as JSON, CSV, JUnit XML, one HTML page and a table
version_added: 0.1.0
description:
  - Collects what M(winpki.keyprovider.certificate_info) returned for each host of the play and writes C(report.json),
    C(report.csv), C(junit.xml) (one test case a certificate) and C(report.html) (one file, no network, no script).
  - With O(templates) the certificate templates of a forest stand in the same reports, and in C(templates.csv).
  - With O(needs_register) what is done and what is left to do for the Lync usages of each host stands in the same
    reports, and in C(needs.csv).
  - Says which hosts a pipeline should stop at.
  - Works on the controller. Run it with C(run_once), in a play with the strategy P(ansible.builtin.linear#strategy);
    other strategies do not wait until the last host is done.
  - In a play with C(serial) it writes the reports anew after each batch. Hosts whose turn has not come are reported as
    skipped.
options:
  register:
    description:
      - The name of the variable in which each host registered the result of M(winpki.keyprovider.certificate_info).
        A result that failed or was unreachable is reported as such; of a loop each turn is reported.
    type: str
    required: true
  hosts:
    description:
      - The hosts to report. All hosts of the play unless given; hosts of other batches of a C(serial) play included.
    type: list
    elements: str
  dest:
    description:
      - The directory on the controller. It is made when missing, and reports that are there are replaced.
        A relative path starts where ansible-playbook was called.
    type: path
    required: true
  profile:
    description:
      - The product to name when no host has a result. Each result tells the profile it was judged by, which may differ
        by host.
    type: str
    default: lync_2013
  title:
    description:
      - The title of the reports.
    type: str
  fail_on:
    description:
      - What stops a pipeline, in RV(stops) and as failures in C(junit.xml).
      - V(unsuitable) are certificates that the product cannot use; V(undetermined) adds what could not be judged or
        read; V(warning) adds the warnings. A host without a result stops always.
      - Templates stop no host, because they belong to none. In C(junit.xml) a template that a CA offers is a failure
        by the same choice, one that no CA offers is skipped, and templates that could not be read are an error.
    type: str
    choices: [never, unsuitable, undetermined, warning]
    default: never
  table:
    description:
      - Print the table of verdicts on the terminal, to standard error. Of more than 200 certificates it shows the
        worst.
      - Nothing is printed with C(no_log).
    type: bool
    default: true
  templates:
    description:
      - The registered result of M(winpki.keyprovider.template_info), for a section on the certificate templates.
        A result that failed or was unreachable is reported as such; one that was skipped counts as not given.
      - The table shows the templates that a CA offers, and of the others the number, unless no CA offers any. The
        other reports hold all.
    type: dict
    version_added: 0.2.0
  needs_register:
    description:
      - The name of the variable in which each host registered the result of
        M(winpki.keyprovider.lync_certificate_plan), for what is done and what is left to do for its Lync usages.
      - Of a host without the variable nothing is shown. A result that failed, or is none, is a problem of the host, as
        is a host that left the play after it.
      - In C(junit.xml) each certificate of a plan is a test case - passed when it is in place, an error with every
        O(fail_on) when it is blocked, skipped while it is pending, waits or is yet to be done. None of them is among
        RV(stops), which is about what was audited.
    type: str
  pending_register:
    description:
      - The name of the variable that tells for each host which requests wait for their CA. It is a dictionary by the
        name of the need, of dictionaries with C(status), C(request_id), C(ca), C(reason) and C(csr_path), as
        M(winpki.keyprovider.adcs_certificate) and M(winpki.keyprovider.external_certificate) return them.
      - Entries with another status than V(pending) are passed over, as are those of certificates that need no request
        any more.
    type: str
  failure_register:
    description:
      - The name of the variable that holds for each host the message of a step that failed there, as the enforce
        playbook remembers it. It is a problem of the host in the reports. Taken with O(needs_register) only.
    type: str
extends_documentation_fragment:
  - winpki.keyprovider.attributes
attributes:
  check_mode:
    support: full
    details:
      - Writes no report in check mode. The role sets C(check_mode) to V(false) for it, because reports are what an
        audit is for.
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - A report carries the time it was made.
  platform:
    support: full
    platforms: posix
    details:
      - Runs on the controller.
author:
  - winpki.keyprovider contributors (@winpki)
seealso:
  - module: winpki.keyprovider.certificate_info
  - module: winpki.keyprovider.template_info
  - module: winpki.keyprovider.lync_certificate_plan
"""

EXAMPLES = r"""
- name: Read and judge the certificates of each host
  winpki.keyprovider.certificate_info:
    assignments: true
  register: audit
  ignore_errors: true
  ignore_unreachable: true

- name: Report
  winpki.keyprovider.certificate_report:
    register: audit
    dest: build/certificates
    fail_on: unsuitable
  run_once: true
  register: report

- name: Read the certificate templates on a domain controller
  winpki.keyprovider.template_info:
  delegate_to: dc01
  run_once: true
  register: forest
  ignore_errors: true
  ignore_unreachable: true

- name: Report the templates of the forest too
  winpki.keyprovider.certificate_report:
    register: audit
    templates: "{{ forest }}"
    dest: build/certificates
    fail_on: unsuitable
  run_once: true
  register: report

- name: See what each server needs
  winpki.keyprovider.lync_certificate_plan:
  register: plan

- name: Report what is left to do too
  winpki.keyprovider.certificate_report:
    register: audit
    needs_register: plan
    dest: build/certificates
  run_once: true
  register: report

- name: Stop the pipeline
  ansible.builtin.fail:
    msg: "{{ report.stops[inventory_hostname] }}"
  when: inventory_hostname in report.stops
"""

RETURN = r"""
paths:
  description: The absolute path of each report, by its file name. C(templates.csv) is there with O(templates) only,
    C(needs.csv) when a host has needs.
  returned: success
  type: dict
  sample: {report.html: /build/certificates/report.html}
summary:
  description: The number of certificates of all hosts by verdict, and by kind of key provider.
  returned: success
  type: dict
  sample: {total: 3, suitable: 1, warning: 1, unsuitable: 1, undetermined: 0, by_kind: {csp: 2, ksp: 1}}
stops:
  description: By host, why a pipeline should stop there, as one text. Hosts without a reason are absent.
  returned: success
  type: dict
  sample: {fe01: Certificate fe01.contoso.example (3F2A9C0D...) is unsuitable.}
template_summary:
  description:
    - The number of certificate templates by verdict and by category, of those with an exposure, and of those that no CA
      offers. Null without O(templates), and when they could not be read.
  returned: success
  type: dict
  sample: {total: 35, suitable: 3, warning: 12, unsuitable: 20, undetermined: 0, by_category: {csp: 31, ksp: 4},
    exposed: 0, unpublished: 25}
needs_summary:
  description:
    - The number of certificates that the Lync usages of all hosts need, by how far they are. The names are those of
      RV(winpki.keyprovider.lync_certificate_plan#module:needs[].state), and V(pending) for a request that waits for its
      CA. Null when no host has needs.
  returned: success
  type: dict
  sample: {total: 4, blocked: 0, pending: 1, waits: 1, request: 0, convert: 0, transfer: 0, assign: 0, satisfied: 2}
table:
  description: The lines of the table of verdicts.
  returned: success
  type: list
  elements: str
"""
