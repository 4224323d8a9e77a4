import { beforeEach, describe, expect, it, vi } from 'vitest';
import { freshForm } from '@/features/forms/state';
import { CreateAuctionDocument, CreateItemDocument } from '@/graphql/generated';
import { offerAuction } from './actions';
import { withMade, type AuctionState } from './kinds';

type Input = { title?: string; input?: { itemId: string } };

const ask = vi.hoisted(() => vi.fn<(document: unknown, variables: Input) => unknown>());

vi.mock('@/graphql/client', () => ({ ask }));
vi.mock('@/features/auth/refresh', () => ({}));
vi.mock('@/lib/session/cookies', () => ({ currentSession: () => ({ accessToken: 'token' }) }));
vi.mock('next/navigation', () => ({
  redirect: (to: string) => {
    throw new Error(`redirect ${to}`);
  },
}));

const ok = (data: unknown) => ({ ok: true, data, errors: [] });
const item = ok({ createItem: { item: { id: 'item-1' }, userErrors: [] } });
const refusal = ok({
  createAuction: {
    listing: null,
    userErrors: [{ code: 'X', message: 'Too soon.', field: ['input', 'endsAt'] }],
  },
});
const unreached = { ok: false, failure: { kind: 'unreachable', detail: '', errors: [] } };
const opened = ok({ createAuction: { listing: { id: 'listing-1' }, userErrors: [] } });

const fresh: AuctionState = { ...freshForm('key'), made: null };

function typed(fields: Record<string, string>): FormData {
  const form = new FormData();
  const whole = { title: 'A bell', startPrice: '10', endsAt: '2026-12-01T12:00', ...fields };
  for (const [name, value] of Object.entries(whole)) form.set(name, value);
  return form;
}

const asked = (document: unknown) => ask.mock.calls.filter(([sent]) => sent === document);

describe('an auction of a new thing', () => {
  beforeEach(() => void ask.mockReset());

  it.each([
    ['refused', refusal],
    ['not answered', unreached],
  ])('that is %s adds the thing once, however often it is tried', async (_, answer) => {
    ask.mockImplementation((document) => (document === CreateItemDocument ? item : answer));
    const first = await offerAuction(fresh, typed({ newItem: 'Bell' }));
    expect(first.made).toEqual({ id: 'item-1', name: 'Bell' });
    expect(first.values).toMatchObject({ itemId: 'item-1', newItem: '', title: 'A bell' });
    expect(withMade([], first.made)).toEqual([first.made]);

    // A mistake in between forgets nothing.
    const second = await offerAuction(first, typed({ ...first.values, startPrice: 'much' }));
    expect(second.made).toEqual(first.made);

    ask.mockReturnValue(opened);
    const again = offerAuction(second, typed({ ...second.values, startPrice: '10' }));
    await expect(again).rejects.toThrow('redirect /listings/listing-1');
    expect(asked(CreateItemDocument)).toHaveLength(1);
    expect(asked(CreateAuctionDocument).at(-1)?.[1].input?.itemId).toBe('item-1');
  });

  it('that could not be added is no auction', async () => {
    ask.mockReturnValue(ok({ createItem: { item: null, userErrors: [] } }));
    const state = await offerAuction(fresh, typed({ newItem: 'Bell' }));
    expect(state.form).toHaveLength(1);
    expect(state.values.newItem).toBe('Bell');
    expect(asked(CreateAuctionDocument)).toHaveLength(0);
  });

  it('is offered once when the collection has it too', () => {
    const made = { id: 'item-1', name: 'Bell' };
    expect(withMade([made], made)).toEqual([made]);
    expect(withMade([made], null)).toEqual([made]);
  });
});
