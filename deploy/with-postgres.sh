#!/usr/bin/env bash
# Runs a command with a private PostgreSQL on loopback: a new data folder, no durability, gone at the end.
#   deploy/with-postgres.sh cargo test …
# The command sees KOPITIAM_TEST_POSTGRES=postgres://…; without PostgreSQL on the machine it runs all the same, and the
# tests that need it say that they were skipped.
set -euo pipefail
if [ -n "${KOPITIAM_TEST_POSTGRES:-}" ]; then exec "$@"; fi

bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1 || true)
if [ -z "$bin" ]; then
  command -v initdb >/dev/null || { echo 'PostgreSQL is not installed: its half of the service tests is skipped'; exec "$@"; }
  bin=$(dirname "$(readlink -f "$(command -v initdb)")")
fi

work=$(mktemp -d)
as=()
# PostgreSQL refuses to run as root.
if [ "$(id -u)" = 0 ]; then
  chown postgres "$work"
  as=(setpriv --reuid=postgres --regid=postgres --clear-groups)
fi
cleanup() {
  "${as[@]}" "$bin/pg_ctl" -D "$work/data" -m immediate -s stop 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

port=$(node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })')
cd "$work"
"${as[@]}" "$bin/initdb" -D "$work/data" -U postgres -A trust --locale=C.UTF-8 -E UTF8 >/dev/null
"${as[@]}" "$bin/pg_ctl" -D "$work/data" -s -w -l "$work/log" \
  -o "-h 127.0.0.1 -p $port -k $work -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=300" start
cd - >/dev/null
KOPITIAM_TEST_POSTGRES="postgres://postgres@127.0.0.1:$port/postgres" "$@"
