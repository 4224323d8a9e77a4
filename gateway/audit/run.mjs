#!/usr/bin/env node
// Runs the cases of the public federation audit against this repository's gateway, one gateway process per suite.
//
// In: a running audit server (it serves suites, supergraphs, cases and the subgraphs themselves) and a gateway binary.
// Out: one line per suite and `N passed, N failed`; exit code 0 all passed, 1 some failed, 2 could not run.
// Every subgraph request goes through a proxy in this process, which counts it.
//
// Node 20 or newer, no packages. README.md beside this file says how to start the audit server.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { isDeepStrictEqual, parseArgs } from 'node:util';

const USAGE = `usage: node gateway/audit/run.mjs [options] [suite…]
  --audit-url URL   the audit's server (http://127.0.0.1:4200)
  --gateway FILE    the gateway binary (target/debug/gateway)
  --strict          a case that does not say whether it has errors must have none
  --compose         supergraphs composed by the gateway from the subgraphs' SDL, not the audit's own
  --verbose         show query, expected and received of each failed case`;

const START_MS = 20_000;
const CASE_MS = 10_000;
const LOG_LIMIT = 20_000;

class CannotRun extends Error {}

function options() {
  const spec = {
    'audit-url': { type: 'string', default: 'http://127.0.0.1:4200' },
    gateway: { type: 'string', default: 'target/debug/gateway' },
    strict: { type: 'boolean', default: false },
    compose: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  };
  try {
    const { values, positionals } = parseArgs({ options: spec, allowPositionals: true });
    return {
      ...values,
      audit: new URL(values['audit-url']).origin,
      gateway: resolve(values.gateway),
      suites: positionals,
    };
  } catch (error) {
    throw new CannotRun(`${error.message}\n${USAGE}`);
  }
}

async function get(url, read) {
  const answer = await fetch(url).catch((error) => {
    throw new CannotRun(`${url}: ${error.cause?.message ?? error.message}; is the audit's server running?`);
  });
  if (!answer.ok) throw new CannotRun(`${url}: HTTP ${answer.status}`);
  return answer[read]();
}

/** Passes everything on to `target` and counts it. The origin to use instead of the target's is `origin`. */
async function countingProxy(target) {
  const { hostname, port } = new URL(target);
  const agent = new http.Agent({ keepAlive: true });
  const proxy = { requests: 0 };
  const server = http.createServer((request, response) => {
    proxy.requests += 1;
    const headers = { ...request.headers, host: `${hostname}:${port || 80}` };
    const onward = http.request(
      { hostname, port: port || 80, path: request.url, method: request.method, headers, agent },
      (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      },
    );
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  proxy.origin = `http://127.0.0.1:${server.address().port}`;
  proxy.close = () => {
    server.closeAllConnections();
    agent.destroy();
    server.close();
  };
  return proxy;
}

/** Starts the binary and collects what it writes; `ended` resolves to its exit code. */
function start(binary, args) {
  const child = spawn(binary, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const process = { child, output: '' };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text) => {
      process.output = (process.output + text).slice(-LOG_LIMIT);
      child.emit('text');
    });
  }
  process.ended = new Promise((done, fail) => {
    child.once('error', (error) => fail(new CannotRun(`${binary}: ${error.message}`)));
    child.once('close', (code) => done(code));
  });
  process.ended.catch(() => {});
  return process;
}

/** The audit's supergraph of a suite, or ours of the same subgraphs, with the proxy in the place of the audit. */
async function supergraph(suite, settings, proxy, folder) {
  const file = join(folder, `${suite}.graphql`);
  const throughProxy = (text) => text.replaceAll(`${settings.audit}/`, `${proxy.origin}/`);
  if (!settings.compose) {
    await writeFile(file, throughProxy(await get(`${settings.audit}/${suite}/supergraph`, 'text')));
    return file;
  }
  const subgraphs = await get(`${settings.audit}/${suite}/subgraphs`, 'json');
  const named = {};
  for (const [index, { name, sdl, url }] of subgraphs.entries()) {
    const schema = join(folder, `${suite}-${index}.graphql`);
    await writeFile(schema, sdl);
    named[name] = { routing_url: throughProxy(url), schema: { file: schema } };
  }
  // JSON is YAML too.
  const config = join(folder, `${suite}.yaml`);
  await writeFile(config, JSON.stringify({ subgraphs: named }));
  const composing = start(settings.gateway, ['compose', '--config', config, '--output', file]);
  if ((await composing.ended) !== 0) throw new Error(`does not compose: ${composing.output.trim()}`);
  return file;
}

/** Starts the gateway on a free port, which it tells in its first log lines. */
async function gateway(settings, file) {
  const running = start(settings.gateway, [
    'serve', '--supergraph', file, '--listen', '127.0.0.1:0', '--log-format', 'json',
  ]);
  const address = await new Promise((found, fail) => {
    const late = setTimeout(() => fail(new Error('the gateway did not start in time')), START_MS);
    const look = () => {
      const match = /"address":"([^"]+)"/.exec(running.output);
      if (match) {
        clearTimeout(late);
        found(match[1]);
      }
    };
    running.child.on('text', look);
    running.ended.then(
      (code) => fail(new Error(`the gateway ended with ${code}: ${running.output.trim()}`)),
      fail,
    ).finally(() => clearTimeout(late));
  }).catch(async (error) => {
    running.child.kill('SIGKILL');
    await running.ended;
    throw error;
  });
  return { url: `http://${address}/graphql`, running };
}

async function stop({ running }) {
  const late = setTimeout(() => running.child.kill('SIGKILL'), START_MS);
  running.child.kill('SIGTERM');
  await running.ended;
  clearTimeout(late);
}

/** What is wrong with the answer to a case; nothing when it passes. */
async function check(url, { query, expected }, strict) {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { accept: 'application/json', 'content-type': 'application/json' },
    body: JSON.stringify({ query }),
    signal: AbortSignal.timeout(CASE_MS),
  });
  const received = await answer.json();
  const wrong = [];
  if (!isDeepStrictEqual(received.data ?? null, expected.data ?? null)) wrong.push('data differs');
  const hasErrors = (received.errors?.length ?? 0) > 0;
  const wantsErrors = expected.errors ?? (strict ? false : hasErrors);
  if (hasErrors !== wantsErrors) wrong.push(wantsErrors ? 'no errors, some expected' : 'errors, none expected');
  return { wrong, received };
}

async function runSuite(suite, settings, proxy, folder) {
  const cases = await get(`${settings.audit}/${suite}/tests`, 'json');
  const result = { passed: 0, failures: [] };
  let serving;
  try {
    serving = await gateway(settings, await supergraph(suite, settings, proxy, folder));
  } catch (error) {
    if (error instanceof CannotRun) throw error;
    result.failures = cases.map((_, index) => `case ${index + 1}: ${error.message}`);
    return result;
  }
  const before = proxy.requests;
  try {
    // One after the other: the cases of one suite share the subgraphs' state.
    for (const [index, each] of cases.entries()) {
      const { wrong, received } = await check(serving.url, each, settings.strict).catch((error) => ({
        wrong: [`no answer (${error.message})`],
      }));
      if (wrong.length === 0) {
        result.passed += 1;
        continue;
      }
      const details = settings.verbose
        ? [each.query, JSON.stringify(each.expected), JSON.stringify(received)].map((text) => `\n    ${text}`).join('')
        : '';
      result.failures.push(`case ${index + 1}: ${wrong.join(', ')}${details}`);
    }
  } finally {
    await stop(serving);
  }
  result.requests = proxy.requests - before;
  return result;
}

async function main() {
  const settings = options();
  if (settings.help) {
    console.log(USAGE);
    return 0;
  }
  const known = await get(`${settings.audit}/ids`, 'json');
  const unknown = settings.suites.filter((suite) => !known.includes(suite));
  if (unknown.length > 0) throw new CannotRun(`no such suite: ${unknown.join(', ')}`);
  const suites = settings.suites.length > 0 ? settings.suites : known;

  const folder = await mkdtemp(join(tmpdir(), 'federation-audit-'));
  const proxy = await countingProxy(settings.audit);
  const total = { passed: 0, failed: 0, requests: 0 };
  try {
    for (const suite of suites) {
      const { passed, failures, requests = 0 } = await runSuite(suite, settings, proxy, folder);
      total.passed += passed;
      total.failed += failures.length;
      total.requests += requests;
      console.log(
        `${failures.length === 0 ? 'ok  ' : 'FAIL'} ${suite.padEnd(40)} ` +
          `${passed} passed, ${failures.length} failed, ${requests} subgraph requests`,
      );
      for (const failure of failures) console.log(`  ${failure}`);
    }
  } finally {
    proxy.close();
    await rm(folder, { recursive: true, force: true });
  }
  console.log(`${total.requests} subgraph requests`);
  console.log(`${total.passed} passed, ${total.failed} failed`);
  return total.failed === 0 ? 0 : 1;
}

main().then(
  (code) => { process.exitCode = code; },
  (error) => {
    console.error(error instanceof CannotRun ? error.message : error);
    process.exitCode = 2;
  },
);
