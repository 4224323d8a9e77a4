#!/usr/bin/env bash
# Starts the whole marketplace on free ports and an empty data folder, runs the browser journey against it, and stops it.
#   deploy/test-e2e.sh target/debug/marketplace
set -euo pipefail
cd "$(dirname "$0")/.."
marketplace=$1
chromium=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
if [ -z "$chromium" ]; then
  if [ "${CI:-}" = true ]; then echo 'error: Chromium is missing: the browser journey cannot run' >&2; exit 1; fi
  echo 'Chromium is not installed: the browser journey was not run'
  exit 0
fi

data=$(mktemp -d)
pid=
cleanup() {
  if [ -n "$pid" ]; then kill -TERM "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; fi
  rm -rf "$data"
}
trap cleanup EXIT

# Below the range that the system hands out by itself, so that no connection of this machine takes them meanwhile.
read -r web gateway < <(node -e '
  const net = require("net"), found = [];
  const attempt = () => {
    const port = 10000 + Math.floor(Math.random() * 20000);
    const server = net.createServer().on("error", attempt).listen(port, "127.0.0.1", () => server.close(() => {
      if (!found.includes(port)) found.push(port);
      if (found.length < 2) attempt(); else console.log(...found);
    }));
  };
  attempt();')
PAYMENT_PROVIDER=simulator WEB_PORT=$web GATEWAY_PORT=$gateway DATA_DIR=$data/db "$marketplace" run --web web > "$data/log" 2>&1 &
pid=$!
for attempt in $(seq 1 600); do
  kill -0 "$pid" 2>/dev/null || { tail -40 "$data/log" >&2; echo 'error: the marketplace stopped while starting' >&2; exit 1; }
  if grep -q '^ready' "$data/log"; then break; fi
  if [ "$attempt" = 600 ]; then tail -40 "$data/log" >&2; echo 'error: the marketplace was not ready in 120 s' >&2; exit 1; fi
  sleep 0.2
done

# By the name that letters and the payment page lead back to.
if ! (cd web && CHROMIUM=$chromium WEB_URL=http://localhost:$web MAILBOX=$data/db/mailbox GATEWAY_URL=http://127.0.0.1:$gateway/graphql npm run --silent e2e); then
  echo '---- the end of the marketplace log' >&2
  tail -40 "$data/log" >&2
  exit 1
fi
