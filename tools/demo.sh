#!/usr/bin/env bash
# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# Start the lab, audit it as a pipeline would, stop the lab. ENFORCE=1 in the environment replaces what is unsuitable;
# TEMPLATE=NAME does it with that certificate template, made right before. CONVERT=1 moves keys instead, on another
# fleet, in check mode first. Arguments go to ansible-playbook.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
scenario=demo
[ -z "${CONVERT:-}" ] || scenario=conversion
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$top/tests" && exec python -m lab "lab/scenarios/$scenario.yml" --ports free --inventory "$work/inventory.yml") >"$work/lab.log" 2>&1 &
lab=$!
trap 'kill "$lab" 2>/dev/null || true; wait "$lab" 2>/dev/null || true; rm -rf "$work"' EXIT
for _ in $(seq 100); do
    [ -s "$work/inventory.yml" ] && break
    if ! kill -0 "$lab" 2>/dev/null; then
        cat "$work/lab.log" >&2
        exit 1
    fi
    sleep 0.1
done
cd "$top"

# The table goes to standard error; hold it back, so that the demo ends with it.
play() {
    result=0
    ansible-playbook -i "$work/inventory.yml" "winpki.keyprovider.$playbook" -e lync_certificates_hosts=lync "$@" 2>"$work/table" || result=$?
    cat "$work/table"
    if [ $result != 0 ]; then
        printf '\nThe playbook ended with exit code %s; the messages after "fatal" say why and what to do.\n' $result
        exit $result
    fi
}
changes() {
    python tools/demo_changes.py "$(sed -n 's|/report\.json$||p' "$work/table")" "$@"
}

playbook=enforce
if [ -n "${CONVERT:-}" ]; then
    # What changes, the tables and what is told at the end are enough here.
    export ANSIBLE_DISPLAY_OK_HOSTS=false ANSIBLE_DISPLAY_SKIPPED_HOSTS=false
    set -- --diff -e lync_certificates_repair=convert "$@"
    printf 'What a conversion would do (check mode):\n'
    play --check "$@"
    printf '\nThe conversion:\n'
    play "$@"
    # The former keys are recorded in a store of their own.
    ansible-playbook -i "$work/inventory.yml" winpki.keyprovider.audit -e lync_certificates_hosts=lync "$@" \
        -e lync_certificates_store=KeyProviderFormer -e lync_certificates_assignments=false \
        -e lync_certificates_report_table=false -e "lync_certificates_report_dir=$work/former" >"$work/former.log" 2>&1 || cat "$work/former.log"
    changes "$work/former/report.json"
elif [ -n "${ENFORCE:-}${TEMPLATE:-}" ]; then
    play -e lync_certificates_directory_host=dc01 --diff -e "lync_certificates_template='${TEMPLATE:-LyncWebServer}'" \
        -e lync_certificates_ca_host=ca01 "$@"
    changes
else
    playbook=audit
    play -e lync_certificates_directory_host=dc01 "$@"
    printf '\nNext: make demo ENFORCE=1 replaces in the lab what Lync uses and cannot use: it makes the template LyncWebServer right,\n'
    printf 'requests new certificates from the CA, proves their keys, assigns them and audits again. make demo CONVERT=1 moves keys\n'
    printf 'instead, on servers whose certificates cannot be requested anew.\n'
fi
