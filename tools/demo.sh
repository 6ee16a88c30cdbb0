#!/usr/bin/env bash
# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# Start the lab, audit it as a pipeline would, stop the lab. TEMPLATE=NAME in the environment sets that certificate
# template right before; arguments go to ansible-playbook.
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
if [ -n "${TEMPLATE:-}" ]; then
    playbook=enforce
    set -- --diff -e "lync_certificates_template='$TEMPLATE'" "$@"
fi
# The table goes to standard error; hold it back, so that the demo ends with it.
result=0
ansible-playbook -i "$work/inventory.yml" "winpki.keyprovider.$playbook" "$@" 2>"$work/table" || result=$?
cat "$work/table"
if [ $result = 0 ] && [ $playbook = audit ]; then
    printf '\nNext: make demo TEMPLATE=LyncWebServer sets that template right in the lab, shows the change and audits again.\n'
fi
exit $result
