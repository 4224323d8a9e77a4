// What people do with the letters of the shop: confirm their address, choose a new password.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, register, visit } from './browser.mjs';
import { linkFor } from './mailbox.mjs';

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

test('someone new confirms the address by the letter, which works once', async () => {
  const { context, page, problems } = await visit(browser);
  const { email } = await register(page);
  await page.goto('/account');
  await page.getByText('Your address is not confirmed yet').waitFor();
  const link = await linkFor(email, '/verify-email');
  await page.goto(link);
  await page.getByRole('button', { name: 'Confirm my address' }).click();
  await page.getByText('Your address is confirmed').waitFor();
  await page.getByRole('link', { name: 'To your account' }).click();
  await page.waitForURL('**/account');
  await page.getByText('here since').waitFor();
  assert.equal(await page.getByText('Your address is not confirmed yet').count(), 0);

  await page.goto(link);
  await page.getByRole('button', { name: 'Confirm my address' }).click();
  await page.getByRole('alert').and(page.locator('main *')).waitFor();
  assert.equal(await page.getByText('Your address is confirmed').count(), 0, 'it works twice');
  assert.deepEqual(problems, []);
  await context.close();
});

test('a letter is asked for again when the first one got lost', async () => {
  const { context, page } = await visit(browser);
  const { email } = await register(page);
  const first = await linkFor(email, '/verify-email');
  await page.goto('/account');
  await page.getByRole('button', { name: 'Send the letter again' }).click();
  await page.getByText('The letter is on its way').waitFor();
  assert.notEqual(await linkFor(email, '/verify-email', [first]), first);
  await context.close();
});

test('a forgotten password is replaced by the letter, and the old one is over', async () => {
  const { context, page, problems } = await visit(browser);
  const { email, password } = await register(page);
  await context.clearCookies();
  await page.goto('/login');
  await page.getByRole('link', { name: 'Forgot your password?' }).click();
  await page.waitForURL('**/forgot-password');
  await page.getByLabel('E-mail').fill(email);
  await page.getByRole('button', { name: 'Send me a link' }).click();
  await page.getByText('a letter with a link is on its way').waitFor();

  await page.goto(await linkFor(email, '/reset-password'));
  await page.getByLabel('New password', { exact: true }).fill('short');
  await page.getByRole('button', { name: /Change password/ }).click();
  await page.locator('#newPassword-error').waitFor();
  const chosen = 'kaya-toast-and-two-eggs';
  await page.getByLabel('New password', { exact: true }).fill(chosen);
  await page.getByLabel('New password again').fill(chosen);
  await page.getByRole('button', { name: /Change password/ }).click();
  await page.waitForURL('**/account');

  await context.clearCookies();
  await signIn(page, email, password);
  await page.getByRole('alert').and(page.locator('main *')).waitFor();
  await signIn(page, email, chosen);
  await page.waitForURL((url) => url.pathname === '/');
  assert.deepEqual(problems, []);
  await context.close();
});

test('whether an address has an account is not told', async () => {
  const { context, page } = await visit(browser);
  await page.goto('/forgot-password');
  await page.getByLabel('E-mail').fill(`nobody-${Date.now()}@example.com`);
  await page.getByRole('button', { name: 'Send me a link' }).click();
  await page.getByText('a letter with a link is on its way').waitFor();
  await context.close();
});

async function signIn(page, email, password) {
  await page.goto('/login');
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

test('someone whose rights change stays signed in', async () => {
  const { context, page } = await visit(browser);
  const { username } = await register(page);
  const login =
    'mutation($in: LoginInput!) { login(input: $in) { accessToken userErrors { code } } }';
  const admin = { email: 'admin@kopitiam.example', password: 'kopitiam-2026' };
  const token = (await ask(login, { in: admin })).login.accessToken;
  const found = 'query($name: String!) { users(first: 1, query: $name) { edges { node { id } } } }';
  const { id } = (await ask(found, { name: username }, token)).users.edges[0].node;
  const set =
    'mutation($id: ID!) { setRoles(id: $id, roles: [USER, MANAGER]) { userErrors { code } } }';
  assert.deepEqual((await ask(set, { id }, token)).setRoles.userErrors, []);
  // The page leads round by the session's end, which both the browser and the client router hear of; here the router first.
  const detour = /\/session\/ended/;
  const routers = page.waitForResponse(
    (response) => detour.test(response.url()) && response.request().resourceType() === 'fetch',
  );
  await page.route(detour, async (route) => {
    if (route.request().resourceType() === 'document') await routers;
    await route.continue();
  });
  await page.goto('/account');
  await page.getByText('here since').waitFor();
  assert.equal(new URL(page.url()).pathname, '/account');
  assert.equal((await routers).status(), 200, 'led on, the router keeps the address of the detour');
  await context.close();
});

/** Asks the gateway beside the storefront, as a program would. */
async function ask(query, variables, token) {
  const response = await fetch(process.env.GATEWAY_URL ?? 'http://127.0.0.1:4000/graphql', {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token ? { authorization: `Bearer ${token}` } : {}),
    },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined);
  return data;
}
