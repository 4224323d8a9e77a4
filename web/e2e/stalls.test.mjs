// Both sides of a stall: opening one, putting every kind of offer out, and what buyers do with them.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, register, screenshot, visit } from './browser.mjs';

let browser;
let seller;
before(async () => {
  browser = await launch();
  seller = await visit(browser);
  await openStall(seller.page);
});
after(() => browser?.close());

/** Registers someone and opens a stall for them. */
async function openStall(page) {
  const { username } = await register(page, '/seller');
  await page.getByLabel('Name of your stall').fill('Stall of Ours');
  await page.getByLabel('Its address').fill(username);
  await page.getByRole('button', { name: 'Open my stall' }).click();
  await page.getByRole('link', { name: 'New offer' }).waitFor();
}

/** Opens the form of a kind of offer as people find it. */
async function newOffer(page, kind) {
  await page.goto('/seller');
  await page.getByRole('link', { name: 'New offer' }).click();
  await page.getByRole('link', { name: kind, exact: true }).click();
  await page.getByRole('heading', { name: kind, level: 1 }).waitFor();
}

/** The path of the listing that was made. */
async function made(page) {
  await page.waitForURL('**/listings/*');
  return new URL(page.url()).pathname;
}

/** A mark on the window is gone after any reload. */
function mark(page) {
  return page.evaluate(() => {
    window.sameDocument = true;
  });
}

function isMarked(page) {
  return page.evaluate(() => window.sameDocument);
}

test('tickets are put out, reserved, paid and told of', async () => {
  await newOffer(seller.page, 'Tickets');
  await seller.page.getByRole('button', { name: 'Put it on offer' }).click();
  await seller.page.locator('#title-error').waitFor();
  await seller.page.getByLabel('Title').fill('Supper club, one seat');
  await seller.page.getByLabel('Price of one in USD').fill('12,50');
  await seller.page.getByLabel('How many').fill('3');
  await seller.page.getByRole('button', { name: 'Put it on offer' }).click();
  const path = await made(seller.page);
  await seller.page.getByText('3 left').waitFor();
  assert.equal(
    await seller.page.getByRole('button', { name: 'Reserve one' }).count(),
    0,
    'the own stall sells to its owner',
  );

  const { context, page, problems } = await visit(browser);
  await page.goto(path);
  await page.getByRole('link', { name: 'Sign in to reserve' }).waitFor();
  await register(page, path);
  await page.getByRole('button', { name: 'Reserve one' }).click();
  await page.waitForURL('**/orders/*');
  await page.getByRole('heading', { name: 'Kept for you' }).waitFor();
  await page.locator('[role="timer"]').waitFor();
  // Paying asks for the lock that the listing's service just gave.
  await page.getByText('The listing is reserved').waitFor();
  await mark(page);
  await page.getByRole('button', { name: /Pay \$12\.50/ }).dblclick();
  await page.getByTestId('order-status').and(page.locator('[data-status="CONFIRMED"]')).waitFor();
  assert.equal(await isMarked(page), true, 'the page was loaded again');
  await page.goto(path);
  await page.getByText('2 left').waitFor();
  await seller.page.getByText('2 left').waitFor();

  await page.getByTestId('unread').waitFor();
  await page.getByRole('link', { name: 'Notifications' }).click();
  await page.getByText(/Order .* is confirmed/).waitFor();
  await page.getByRole('button', { name: 'Mark as read' }).click();
  await page.getByTestId('unread').waitFor({ state: 'detached' });
  await screenshot(page, 'notifications');
  assert.deepEqual(problems, []);
  await context.close();
});

test('a service is asked for, accepted, held in escrow, done and paid, with both sides looking on', async () => {
  const shop = seller.page;
  await newOffer(shop, 'Service');
  await shop.getByLabel('Title').fill('Kite repair');
  await shop.getByLabel('What is done').fill('New paper, new string, one test flight.');
  await shop.getByLabel('Price in USD').fill('40');
  await shop.getByLabel('Deposit in percent').fill('25');
  await shop.getByRole('button', { name: 'Put it on offer' }).click();
  const path = await made(shop);

  const { context, page, problems } = await visit(browser);
  await register(page, path);
  await page.getByLabel(/When would you like it/).fill('2027-01-31T18:30');
  await page.getByLabel(/What should they know/).fill('It is a big one.');
  await page.getByRole('button', { name: 'Ask for it' }).click();
  await page.waitForURL('**/bookings/*');
  await mark(page);
  const state = (where, name) =>
    where
      .getByTestId('booking-state')
      .and(where.locator(`[data-state="${name}"]`))
      .waitFor();
  await state(page, 'REQUESTED');

  await shop.goto('/seller');
  await shop.getByRole('link', { name: 'Kite repair' }).last().click();
  await shop.waitForURL('**/bookings/*');
  await mark(shop);
  const steps = [
    [shop, 'Accept', 'ACCEPTED'],
    [page, 'Pay the deposit', 'DEPOSIT_HELD'],
    [shop, 'It is done', 'DELIVERED'],
    [page, 'Yes, it is done', 'BALANCE_DUE'],
    [page, 'Pay the rest', 'CLOSED'],
  ];
  for (const [who, button, then] of steps) {
    await who.getByRole('button', { name: button, exact: true }).click();
    await Promise.all([state(page, then), state(shop, then)]);
    if (then === 'DEPOSIT_HELD') await shop.getByText('$10.00').first().waitFor();
  }
  assert.deepEqual([await isMarked(page), await isMarked(shop)], [true, true], 'loaded again');
  await screenshot(page, 'booking');
  await page.goto('/account');
  await page.getByText('$60.00').first().waitFor();
  await page.goto('/bookings');
  await page.getByRole('link', { name: 'Kite repair' }).waitFor();
  assert.deepEqual(problems, []);
  await context.close();
});

test('a booking is called off with a word why', async () => {
  const shop = seller.page;
  await newOffer(shop, 'Service');
  await shop.getByLabel('Title').fill('Fortune telling');
  await shop.getByLabel('What is done').fill('Tea leaves, one cup.');
  await shop.getByLabel('Price in USD').fill('8');
  await shop.getByRole('button', { name: 'Put it on offer' }).click();
  const path = await made(shop);
  const { context, page } = await visit(browser);
  await register(page, path);
  await page.getByRole('button', { name: 'Ask for it' }).click();
  await page.waitForURL('**/bookings/*');
  await page.locator('summary', { hasText: 'Call it off' }).click();
  await page.getByLabel('Why? (optional)').fill('I foresaw it.');
  await page.getByRole('button', { name: 'Call it off' }).click();
  await page.locator('[data-state="CANCELLED"]').waitFor();
  await page.getByText('I foresaw it.').waitFor();
  await context.close();
});

test('one thing at a fixed price, and one at auction, are put out', async () => {
  const { page, problems } = seller;
  await newOffer(page, 'Fixed price');
  await page.getByLabel('Title').fill('Tin of buttons');
  await page.getByLabel('Price of one in USD').fill('3.20');
  await page.getByRole('button', { name: 'Put it on offer' }).click();
  await made(page);
  await page.getByText('the only one').waitFor();

  await newOffer(page, 'Auction');
  await page.getByLabel('Which thing').fill('Bell of the last ferry');
  await page.getByLabel('Title of the auction').fill('The last ferry bell');
  await page.getByLabel('Bidding starts at, USD').fill('15.00');
  await page.getByLabel('Ends').fill('2020-01-01T12:00');
  await page.getByRole('button', { name: 'Open the auction' }).click();
  await page.locator('#endsAt-error').waitFor();
  const inADay = new Date(Date.now() + 26 * 60 * 60 * 1000).toISOString().slice(0, 16);
  await page.getByLabel('Ends').fill(inADay);
  await page.getByRole('button', { name: 'Open the auction' }).click();
  await made(page);
  await page.getByText('Open', { exact: true }).waitFor();
  assert.deepEqual(problems, []);
});

test('money is put into the wallet at the payment page, and the wallet shows it', async () => {
  const { context, page } = await visit(browser);
  await register(page, '/account');
  await page.getByText('$100.00').first().waitFor();
  await page.getByLabel('Amount in USD').fill('nothing');
  await page.getByRole('button', { name: 'To the payment' }).click();
  await page.locator('#amount-error').waitFor();
  await page.getByLabel('Amount in USD').fill('20');
  await page.getByRole('button', { name: 'To the payment' }).click();
  await page.getByRole('button', { name: 'Pay', exact: true }).click();
  await page.waitForURL('**/account');
  await page.getByText('$120.00').first().waitFor();
  await page.getByText('Top-up').first().waitFor();
  await context.close();
});

test('pages of others are not told of', async () => {
  const { context, page } = await visit(browser);
  await page.goto('/bookings/01900000-0000-7000-8000-0000000703e8');
  await page.waitForURL('**/login?**');
  await register(page);
  const response = await page.goto('/bookings/01900000-0000-7000-8000-0000000703e8');
  assert.equal(response.status(), 404);
  assert.equal((await page.goto('/bookings/nonsense')).status(), 404);
  await context.close();
});
