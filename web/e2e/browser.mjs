// One Chromium for the tests of a file, against a storefront that already runs at WEB_URL.
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { chromium } from 'playwright-core';

export const webUrl = (process.env.WEB_URL ?? 'http://127.0.0.1:3000').replace(/\/+$/, '');
const output = path.join(import.meta.dirname, 'output');

/** Longest wait for anything a person would wait for; conditions end it earlier. */
export const patienceMs = 30_000;

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/** A fresh visitor. `problems` collects what the browser complains about while they are here. */
export async function visit(browser, options = {}) {
  const context = await browser.newContext({
    baseURL: webUrl,
    viewport: { width: 1280, height: 900 },
    ...options,
  });
  context.setDefaultTimeout(patienceMs);
  const page = await context.newPage();
  const problems = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => {
    // What did not load is named by its address alone.
    if (message.type() === 'error') {
      problems.push(`${message.text()} (${message.location().url || page.url()})`);
    }
  });
  return { context, page, problems };
}

/** Registers someone new through the form and answers who they are. */
export async function register(page, next = '/') {
  const username = `guest${Date.now().toString(36)}${Math.floor(Math.random() * 1e6).toString(36)}`;
  const person = { username, email: `${username}@example.com`, password: 'a-long-enough-password' };
  await page.goto(`/register?next=${encodeURIComponent(next)}`);
  await page.getByLabel('E-mail').fill(person.email);
  await page.getByLabel('User name').fill(person.username);
  await page.getByLabel('Password', { exact: true }).fill(person.password);
  await page.getByLabel('Password again').fill(person.password);
  await page.getByRole('button', { name: 'Create account' }).click();
  await page.waitForURL((url) => url.pathname === next);
  return person;
}

export async function addToCart(page, slug) {
  await page.goto(`/products/${slug}`);
  await page.getByRole('button', { name: 'Add to cart' }).click();
  await page.getByText('Added to your cart').waitFor();
}

export async function screenshot(page, name) {
  await mkdir(output, { recursive: true });
  await page.screenshot({
    path: path.join(output, `${name}.png`),
    fullPage: true,
    caret: 'initial',
  });
}
