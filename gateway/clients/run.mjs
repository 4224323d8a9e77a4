// Starts two subgraphs and the gateway binary in front of them, runs every `tests/*.test.mjs` against it, and stops it all.
//   npm ci && GATEWAY=../../target/debug/gateway node run.mjs [tests/urql.test.mjs …]
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { compose, serve, write } from './gateway.mjs';
import { compileRelay } from './relay/compile.mjs';
import { startSubgraphs } from './subgraphs.mjs';

process.chdir(path.dirname(fileURLToPath(import.meta.url)));

/** The Python with gql in it; undefined, with a line that says why, where Python cannot have one. */
function python() {
  const venv = path.resolve('.venv');
  const executable = path.join(venv, 'bin', 'python');
  const requirements = path.resolve('gql/requirements.txt');
  const installed = path.join(venv, 'installed.txt');
  const wanted = readFileSync(requirements, 'utf8');
  if (existsSync(installed) && readFileSync(installed, 'utf8') === wanted) return executable;
  rmSync(venv, { recursive: true, force: true });
  const made = spawnSync('python3', ['-m', 'venv', venv], { encoding: 'utf8' });
  if (made.status !== 0) {
    console.log('python3 or its venv module is missing: the Python client gql was not tested');
    return undefined;
  }
  const pip = [
    '-m',
    'pip',
    'install',
    '--quiet',
    '--disable-pip-version-check',
    '-r',
    requirements,
  ];
  if (spawnSync(executable, pip, { stdio: 'inherit' }).status !== 0)
    throw new Error('gql could not be installed');
  write(installed, wanted);
  return executable;
}

const settings = {
  introspection: true,
  documents: { automatic: { enabled: true } },
  batching: { enabled: true },
  uploads: { enabled: true },
  subgraphs: { by_name: { reviews: { subscriptions: { protocol: 'websocket' } } } },
};

async function until(what, condition) {
  for (const deadline = Date.now() + 30_000; !(await condition());) {
    if (Date.now() > deadline) throw new Error(`never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function run(folder) {
  const supergraph = await compose(folder, await startSubgraphs());
  const gateway = await serve(path.join(folder, 'main'), supergraph, settings);
  try {
    // Relay compiles against the schema that clients see, and its documents are given to the gateway while it runs.
    const manifest = await compileRelay(gateway.url, folder);
    const documents = { ...settings.documents, persisted: { file: manifest } };
    write(
      gateway.file,
      JSON.stringify({ ...settings, documents, supergraph: { file: supergraph } }),
    );
    const id = Object.keys(JSON.parse(readFileSync(manifest, 'utf8')))[0];
    await until('Relay’s documents are known', async () => {
      const body = JSON.stringify({ documentId: id, variables: {} });
      const headers = { 'content-type': 'application/json' };
      const answer = await (await fetch(gateway.url, { method: 'POST', headers, body })).json();
      return answer.errors?.[0].extensions.code !== 'PERSISTED_QUERY_NOT_IN_LIST';
    });
    const named = process.argv.slice(2);
    const files =
      named.length > 0 ? named : readdirSync('tests').map((file) => path.join('tests', file));
    const env = {
      ...process.env,
      GATEWAY_URL: gateway.url,
      GATEWAY_SUPERGRAPH_FILE: supergraph,
      GATEWAY_RELAY: path.join(folder, 'relay'),
      GATEWAY_PYTHON: python() ?? '',
    };
    const tests = spawn(process.execPath, ['--test', '--test-reporter=spec', ...files.sort()], {
      env,
      stdio: 'inherit',
    });
    return await new Promise((resolve) => tests.once('exit', (code) => resolve(code ?? 1)));
  } finally {
    await gateway.stop();
  }
}

const folder = mkdtempSync(path.join(tmpdir(), 'gateway-clients-'));
try {
  process.exitCode = await run(folder);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
// The subgraphs keep connections open.
process.exit();
