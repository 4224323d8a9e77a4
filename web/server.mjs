// Starts the built storefront: `node server.mjs` after `npm run build`.
//
// Environment: PORT (3000), HOSTNAME (127.0.0.1), GATEWAY_URL, WEB_ORIGIN, SESSION_SECRET, DATA_DIR,
// EXIT_WITH_PARENT=1 (end when standard input closes, that is, when the process that started us is gone).
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';

const standalone = path.join(import.meta.dirname, '.next/standalone/server.js');

process.env.PORT ??= '3000';
process.env.HOSTNAME ??= '127.0.0.1';
process.env.NEXT_TELEMETRY_DISABLED = '1';
process.env.SESSION_SECRET ||= sessionSecret(process.env.DATA_DIR);

if (process.env.EXIT_WITH_PARENT === '1') {
  process.stdin.on('end', () => process.exit(0));
  process.stdin.on('error', () => process.exit(0));
  process.stdin.resume();
}

// The framework closes its listener and waits for open answers; live streams never end by themselves.
const stopWithinMs = 3000;
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => {
    for (const stream of globalThis.kopitiamStreams ?? []) stream.abort();
    setTimeout(() => process.exit(0), stopWithinMs).unref();
  });
}

if (!existsSync(standalone)) {
  console.error('web: not built yet: run `npm run build` first');
  process.exit(1);
}
await import(standalone);

/** A secret kept in the data folder, so that a restart signs nobody out; without a folder, one for this run. */
function sessionSecret(dataDir) {
  const fresh = () => randomBytes(32).toString('base64url');
  if (!dataDir) return fresh();
  const file = path.join(dataDir, 'web-session-secret');
  try {
    return readFileSync(file, 'utf8').trim() || fresh();
  } catch {
    const secret = fresh();
    mkdirSync(dataDir, { recursive: true });
    writeFileSync(file, `${secret}\n`, { mode: 0o600 });
    return secret;
  }
}
