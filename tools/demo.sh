#!/usr/bin/env bash
# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# Start the lab, audit it as a pipeline would, stop the lab. ENFORCE=1 in the environment replaces what is unsuitable;
# TEMPLATE=NAME does it with that certificate template, made right before. Arguments go to ansible-playbook.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$top/tests" && exec python -m lab lab/scenarios/demo.yml --ports free --inventory "$work/inventory.yml") >"$work/lab.log" 2>&1 &
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
set -- -e lync_certificates_hosts=lync -e lync_certificates_directory_host=dc01 "$@"
playbook=audit
if [ -n "${ENFORCE:-}${TEMPLATE:-}" ]; then
    playbook=enforce
    set -- --diff -e "lync_certificates_template='${TEMPLATE:-LyncWebServer}'" -e lync_certificates_ca_host=ca01 "$@"
fi
# The table goes to standard error; hold it back, so that the demo ends with it.
result=0
ansible-playbook -i "$work/inventory.yml" "winpki.keyprovider.$playbook" "$@" 2>"$work/table" || result=$?
cat "$work/table"
if [ $result = 0 ] && [ $playbook = audit ]; then
    printf '\nNext: make demo ENFORCE=1 replaces in the lab what Lync uses and cannot use: it makes the template LyncWebServer right,\n'
    printf 'requests new certificates from the CA, proves their keys, assigns them and audits again.\n'
elif [ $result = 0 ]; then
    python tools/demo_changes.py "$(sed -n 's|/report\.json$||p' "$work/table")"
else
    printf '\nThe playbook ended with exit code %s; the messages after "fatal" say why and what to do.\n' $result
fi
exit $result
