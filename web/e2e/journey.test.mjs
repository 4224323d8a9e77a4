// A buyer's way through the shop, in a real browser against the real system at WEB_URL.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { addToCart, launch, register, screenshot, visit, webUrl } from './browser.mjs';

/** Cheap, well stocked, and within the credit of someone who has just registered. */
const slug = process.env.E2E_PRODUCT ?? 'house-blend-beans';

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

test('someone new orders a product and sees it confirmed without a reload', async () => {
  const { context, page, problems } = await visit(browser);
  await register(page);
  await addToCart(page, slug);
  await page.goto('/cart');
  await page.getByRole('link', { name: 'Check out' }).click();
  await page.waitForURL('**/checkout');
  await page.getByRole('button', { name: 'Place order' }).dblclick();
  await page.waitForURL('**/orders/*');
  // A mark on the window is gone after any reload.
  await page.evaluate(() => {
    window.sameDocument = true;
  });
  const status = page.getByTestId('order-status');
  await status.and(page.locator('[data-status="CONFIRMED"]')).waitFor();
  assert.equal(await page.evaluate(() => window.sameDocument), true, 'the page was loaded again');

  await page.goto('/orders');
  await page.locator('main li h2').first().waitFor();
  assert.equal(await page.locator('main li h2').count(), 1, 'a double click placed two orders');
  await page.goto('/cart');
  await page.getByText('Your cart is empty').waitFor();
  assert.deepEqual(problems, []);
  await context.close();
});

test('what a visitor put in the cart is there after signing in', async () => {
  const { context, page } = await visit(browser);
  await addToCart(page, slug);
  await register(page, '/cart');
  await page.locator('main li').getByRole('link').first().waitFor();
  assert.equal(await page.locator('main li').count(), 1);
  await context.close();
});

test('two people bid against each other, and the one who is passed reads it without a reload', async () => {
  const [ann, ben] = [await visit(browser), await visit(browser)];
  const state = (page, status) =>
    page.getByTestId('own-bid').and(page.locator(`[data-status="${status}"]`));
  await ann.page.goto('/');
  const path = await ann.page.locator('main a[href^="/listings/"]').first().getAttribute('href');
  await ann.page.goto(path);
  await ann.page.getByRole('link', { name: 'Sign in to bid' }).waitFor();
  await register(ann.page, path);
  await ann.page.getByRole('button', { name: 'Place bid' }).click();
  await state(ann.page, 'ACCEPTED').waitFor();
  await ann.page.evaluate(() => {
    window.sameDocument = true;
  });

  await register(ben.page, path);
  await ben.page.getByLabel(/Your bid/).fill('0.50');
  await ben.page.getByRole('button', { name: 'Place bid' }).click();
  await ben.page.getByText(/The next bid is at least/).waitFor();
  await ben.page.goto(path);
  await ben.page.getByRole('button', { name: 'Place bid' }).click();
  await state(ben.page, 'ACCEPTED').waitFor();
  await state(ann.page, 'OUTBID').waitFor();
  assert.equal(
    await ann.page.evaluate(() => window.sameDocument),
    true,
    'the page was loaded again',
  );
  assert.deepEqual([...ann.problems, ...ben.problems], []);
  await ann.context.close();
  await ben.context.close();
});

test('the browser never holds a token it could read', async () => {
  const { context, page } = await visit(browser);
  await register(page);
  const cookies = await context.cookies();
  const session = cookies.find((cookie) => cookie.name === 'kopitiam_session');
  assert.ok(session?.httpOnly, 'the session cookie is open to scripts');
  assert.equal(session.sameSite, 'Lax');
  const readable = await page.evaluate(
    () =>
      document.cookie +
      JSON.stringify({ ...localStorage }) +
      JSON.stringify({ ...sessionStorage }) +
      document.documentElement.outerHTML,
  );
  // Every JSON Web Token starts with the coded `{"`.
  const token = /eyJ[\w-]{10,}\.[\w-]{10,}\./;
  assert.doesNotMatch(readable, token);
  assert.doesNotMatch(session.value, token);
  await context.close();
});

test('a refused form says at which field, and keeps what was typed', async () => {
  const { context, page } = await visit(browser);
  const person = await register(page);
  await context.clearCookies();
  await page.goto('/register');
  await page.getByLabel('E-mail').fill(person.email);
  await page.getByLabel('User name').fill(`${person.username}x`);
  await page.getByLabel('Password', { exact: true }).fill('short');
  await page.getByRole('button', { name: 'Create account' }).click();
  await page.locator('#password-error').waitFor();
  assert.equal(await page.getByLabel('E-mail').inputValue(), person.email);

  await page.getByLabel('Password', { exact: true }).fill(person.password);
  await page.getByLabel('Password again').fill(person.password);
  await page.getByRole('button', { name: 'Create account' }).click();
  await page.locator('#email-error').waitFor();
  await context.close();
});

test('a product can be read without scripts', async () => {
  const { context, page } = await visit(browser, { javaScriptEnabled: false });
  await page.goto(`/products/${slug}`);
  assert.ok((await page.locator('h1').innerText()).length > 0);
  assert.match(await page.locator('main').innerText(), /\$\d+\.\d\d/);
  assert.ok(await page.getByRole('button', { name: 'Add to cart' }).isVisible());
  const jsonLd = await page.locator('script[type="application/ld+json"]').textContent();
  const { '@type': type, offers } = JSON.parse(jsonLd);
  assert.equal(type, 'Product');
  assert.match(offers.price, /^\d+\.\d\d$/);
  await context.close();
});

test('the chosen colours stay, and the server already sends them', async () => {
  const { context, page } = await visit(browser, { colorScheme: 'light' });
  await page.goto('/');
  const toggle = page.getByRole('button', { name: /colours/i });
  await toggle.click();
  await toggle.click();
  assert.equal(await page.locator('html').getAttribute('data-theme'), 'dark');
  const sent = await (await page.request.get('/')).text();
  assert.match(sent, /<html[^>]* data-theme="dark"/);
  await context.close();
});

test('filters live in the address, and going back brings the former list', async () => {
  const { context, page } = await visit(browser);
  await page.goto('/search');
  const count = page.locator('main h2').first();
  const all = await count.innerText();
  await page.getByLabel('Highest price').fill('10');
  await page.getByLabel('Sort by').selectOption('PRICE_ASC');
  await page.getByRole('button', { name: 'Apply' }).click();
  await page.waitForURL((url) => url.searchParams.get('max') === '10');
  await page.locator('main li h3').first().waitFor();
  const prices = await page.locator('main li .tabular-nums').allInnerTexts();
  assert.ok(prices.length > 0);
  const amounts = prices.map((price) => Number(price.slice(1)));
  assert.deepEqual(
    amounts,
    [...amounts].sort((a, b) => a - b),
  );
  assert.ok(amounts.every((amount) => amount <= 10));
  await page.goBack();
  await page.getByText(all, { exact: true }).waitFor();
  await context.close();
});

test('a page that needs an account asks to sign in and comes back', async () => {
  const { context, page } = await visit(browser);
  await page.goto('/orders');
  const url = new URL(page.url());
  assert.equal(url.pathname + url.search, '/login?next=%2Forders');
  await context.close();
});

test('the icons that browsers ask for by themselves are there', async () => {
  // A browser that has not seen the page's own icon yet asks for these, and says so where they are missing.
  for (const [file, type] of [
    ['/favicon.ico', 'image/x-icon'],
    ['/icon.svg', 'image/svg+xml'],
    ['/apple-icon.png', 'image/png'],
  ]) {
    const answer = await fetch(new URL(file, webUrl));
    assert.deepEqual([file, answer.status, answer.headers.get('content-type')], [file, 200, type]);
  }
});

test('unknown addresses are 404, and every page forbids foreign scripts', async () => {
  for (const [path, status] of [
    ['/', 200],
    ['/products/no-such-thing', 404],
    ['/c/no-such-thing', 404],
    ['/nowhere', 404],
  ]) {
    const response = await fetch(webUrl + path);
    assert.equal(response.status, status, path);
    const policy = response.headers.get('content-security-policy') ?? '';
    assert.match(policy, /script-src 'self' 'nonce-[^']+' 'strict-dynamic';/);
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
  }
});

for (const [colorScheme, width, height] of [
  ['light', 1280, 900],
  ['dark', 1280, 900],
  ['light', 390, 844],
  ['dark', 390, 844],
]) {
  test(`pages fit ${width} px in ${colorScheme} colours, without a complaint of the browser`, async () => {
    const { context, page, problems } = await visit(browser, {
      colorScheme,
      viewport: { width, height },
    });
    for (const [name, path] of [
      ['home', '/'],
      ['search', '/search?q=kopi'],
      ['product', `/products/${slug}`],
      ['login', '/login'],
      ['cart', '/cart'],
    ]) {
      await page.goto(path, { waitUntil: 'load' });
      await screenshot(page, `${name}-${colorScheme}-${width}`);
      const overflow = await page.evaluate(
        () => document.documentElement.scrollWidth - window.innerWidth,
      );
      assert.ok(overflow <= 0, `${name} is ${overflow} px too wide`);
      const canvas = await page.evaluate(
        () => getComputedStyle(document.documentElement).backgroundColor,
      );
      assert.equal(
        isDark(canvas),
        colorScheme === 'dark',
        `${name} has the wrong colours: ${canvas}`,
      );
    }
    assert.deepEqual(problems, []);
    await context.close();
  });
}

function isDark(rgb) {
  const channels = rgb.match(/\d+/g).slice(0, 3).map(Number);
  return channels.reduce((sum, channel) => sum + channel, 0) < 3 * 128;
}
