#!/usr/bin/env bash
# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# Start the lab, audit it as a pipeline would, stop the lab.
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
# The table goes to standard error; hold it back, so that the demo ends with it.
result=0
ansible-playbook -i "$work/inventory.yml" winpki.keyprovider.audit "$@" 2>"$work/table" || result=$?
cat "$work/table"
exit $result
