// The product page while one service is away: its part says so, the rest stands.
//
// Between a storefront of our own and the real gateway (GATEWAY_URL) sits a proxy that answers as the gateway does
// when that service is gone: its fields null, each with an error at its path.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { launch, patienceMs, visit } from './browser.mjs';

const gatewayUrl = process.env.GATEWAY_URL ?? 'http://127.0.0.1:4000/graphql';
const slug = process.env.E2E_PRODUCT ?? 'house-blend-beans';

/** What each service gives to the product page. */
const partsOf = {
  user: [['product', 'seller']],
  order: [
    ['product', 'rating'],
    ['product', 'reviews'],
    ['product', 'seller', 'rating'],
  ],
  listing: [
    ['product', 'listings'],
    ['product', 'lowestListingPrice'],
    ['product', 'resaleDiscountPercent'],
  ],
  product: [['product']],
};

let away = null;
let proxy;
let web;
let webUrl;
let browser;

before(async () => {
  proxy = http.createServer(forward).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const port = await freePort();
  webUrl = `http://127.0.0.1:${port}`;
  web = spawn(process.execPath, [path.join(import.meta.dirname, '../server.mjs')], {
    env: {
      ...process.env,
      PORT: String(port),
      HOSTNAME: '127.0.0.1',
      GATEWAY_URL: `http://127.0.0.1:${proxy.address().port}/graphql`,
      EXIT_WITH_PARENT: '1',
      DATA_DIR: '',
    },
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  await untilHealthy();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  web?.kill();
  proxy?.close();
});

for (const [service, notice] of [
  ['order', 'Reviews are not available right now'],
  ['listing', 'Offers from other people cannot be shown right now'],
  ['user', 'We cannot show the seller right now'],
]) {
  test(`without the ${service} service the product page shows everything else`, async () => {
    away = service;
    const { context, page, problems } = await visit(browser, { baseURL: webUrl });
    const response = await page.goto(`/products/${slug}`);
    assert.equal(response.status(), 200);
    await page.getByText(notice).waitFor();
    await page.getByRole('button', { name: 'Add to cart' }).waitFor();
    assert.match(await page.locator('main').innerText(), /\$\d+\.\d\d/);
    assert.deepEqual(problems, []);
    await context.close();
  });
}

test('without the product service the page says so, and is not a 404', async () => {
  away = 'product';
  const { context, page } = await visit(browser, { baseURL: webUrl });
  const response = await page.goto(`/products/${slug}`);
  assert.notEqual(response.status(), 404);
  await page.getByRole('heading', { name: 'cannot be shown right now' }).waitFor();
  await page.getByRole('link', { name: 'Kopitiam, home' }).waitFor();
  await context.close();
});

test('with every service there, nothing is said to be missing', async () => {
  away = null;
  const { context, page } = await visit(browser, { baseURL: webUrl });
  await page.goto(`/products/${slug}`);
  assert.doesNotMatch(await page.locator('main').innerText(), /right now/);
  await context.close();
});

test('the storefront ends when the process that started it is gone', async () => {
  const ended = once(web, 'exit');
  web.stdin.end();
  await ended;
});

async function forward(request, response) {
  const body = await text(request);
  const { authorization } = request.headers;
  const headers = {
    'content-type': 'application/json',
    accept: request.headers.accept ?? '*/*',
    ...(authorization ? { authorization } : {}),
  };
  const upstream = await fetch(gatewayUrl, { method: 'POST', headers, body });
  const answer = await upstream.json();
  if (away && answer.data?.product) blank(answer, partsOf[away]);
  response.writeHead(upstream.status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(answer));
}

function blank(answer, parts) {
  answer.errors = [];
  for (const part of parts) {
    const parent = part.slice(0, -1).reduce((value, step) => value?.[step], answer.data);
    if (!parent) continue;
    parent[part.at(-1)] = null;
    answer.errors.push({
      message: 'the service is not reachable',
      path: part,
      extensions: { code: 'SUBGRAPH_UNAVAILABLE' },
    });
  }
}

async function text(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

async function freePort() {
  const server = http.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

async function untilHealthy() {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const answer = await fetch(`${webUrl}/health`).catch(() => null);
    if (answer?.ok) return;
    if (Date.now() > deadline || web.exitCode !== null)
      throw new Error('the storefront does not answer');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
