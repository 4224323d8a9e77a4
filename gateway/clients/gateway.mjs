// Starts the gateway binary on a free port of loopback, and stops it.
import { execFile, spawn } from 'node:child_process';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

const START_TIMEOUT_MS = 60_000;

/** The binary under test. */
export const binary = path.resolve(process.env.GATEWAY ?? '../../target/debug/gateway');

/** Composes a supergraph of running subgraphs with the binary; gives the file. */
export async function compose(folder, subgraphs) {
  const entries = Object.entries(subgraphs).map(
    ([name, url]) => `  ${name}:\n    routing_url: ${url}\n    schema: { subgraph_url: ${url} }\n`,
  );
  const config = path.join(folder, 'supergraph.yaml');
  const output = path.join(folder, 'supergraph.graphql');
  writeFileSync(config, `subgraphs:\n${entries.join('')}`);
  // Not waited for in place: the subgraphs, which are asked for their schemas, may be of this process.
  await promisify(execFile)(binary, ['compose', '--config', config, '--output', output]);
  return output;
}

/** Replaces a file as a whole. */
export function write(file, text) {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}

/**
 * Serves a supergraph with settings (YAML, which JSON is). Gives the URL, the file of the settings, and `stop`.
 * @param {string} folder for the settings of this gateway alone
 */
export async function serve(folder, supergraph, settings) {
  mkdirSync(folder, { recursive: true });
  const file = path.join(folder, 'gateway.yaml');
  write(
    file,
    JSON.stringify({ ...settings, supergraph: { ...settings.supergraph, file: supergraph } }),
  );
  const args = ['serve', '--config', file, '--listen', '127.0.0.1:0', '--log-format', 'json'];
  const gateway = spawn(binary, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  const address = await new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`the gateway did not start in time:\n${log}`)),
      START_TIMEOUT_MS,
    );
    gateway.once('error', reject);
    gateway.once('exit', () => reject(new Error(`the gateway stopped:\n${log}`)));
    gateway.stderr.setEncoding('utf8').on('data', (text) => {
      log += text;
      const match =
        /"message":"listening".*?"address":"([^"]+)"|"address":"([^"]+)".*?"message":"listening"/.exec(
          log,
        );
      if (!match) return;
      clearTimeout(timer);
      log = '';
      gateway.stderr.removeAllListeners('data').resume();
      resolve(match[1] ?? match[2]);
    });
  });
  return {
    url: `http://${address}/graphql`,
    file,
    stop: () => new Promise((resolve) => (gateway.once('exit', resolve), gateway.kill('SIGTERM'))),
  };
}
