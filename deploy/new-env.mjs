// Writes settings for docker-compose.yml to standard output: compose.env.example with new random passwords and keys.
//   (umask 077; node deploy/new-env.mjs > .env)
// Needs nothing but Node.js 20. Run it once: passwords of databases that are there already do not change with it.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';

const random = () => randomBytes(32).toString('base64url');
const filled = {};
for (const service of ['USER', 'PRODUCT', 'ORDER', 'LISTING']) {
  const { privateKey } = generateKeyPairSync('ed25519');
  const { d, x } = privateKey.export({ format: 'jwk' });
  filled[`${service}_DB_PASSWORD`] = random();
  filled[`${service}_MESSAGE_KEY`] = d;
  filled[`${service}_MESSAGE_PUBLIC_KEYS`] = x;
}
filled.SESSION_SECRET = random();
filled.GATEWAY_SIGNING_KEYS = random();

const example = readFileSync(new URL('compose.env.example', import.meta.url), 'utf8');
process.stdout.write(example.replace(/^([A-Z_]+)=$/gm, (line, name) => (name in filled ? `${name}=${filled[name]}` : line)));
