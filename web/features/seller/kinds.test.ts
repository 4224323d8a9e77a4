import { describe, expect, it } from 'vitest';
import { isAmount } from '@/features/forms/state';
import { checkOffer, readKind } from './kinds';

describe('an offer', () => {
  it('of an unknown kind is none', () => {
    expect(readKind('tickets')).toBe('tickets');
    expect(readKind('constructor')).toBeNull();
  });

  it('without its parts is refused at each of them', () => {
    const service = { title: '', price: '0', description: '', depositPercent: '101' };
    expect(Object.keys(checkOffer(service, isAmount)).toSorted()).toEqual([
      'depositPercent',
      'description',
      'price',
      'title',
    ]);
  });

  it('may leave out what is optional', () => {
    const auction = {
      title: 'A bell',
      startPrice: '10.00',
      reservePrice: '',
      buyNowPrice: '',
      endsAt: '2026-12-01T12:00',
    };
    expect(checkOffer(auction, isAmount)).toEqual({});
    expect(checkOffer({ ...auction, reservePrice: 'much' }, isAmount)).toHaveProperty(
      'reservePrice',
    );
  });

  it('needs whole pieces', () => {
    expect(checkOffer({ quantity: '1.5' }, isAmount)).toHaveProperty('quantity');
    expect(checkOffer({ quantity: '0' }, isAmount)).toHaveProperty('quantity');
    expect(checkOffer({ quantity: '12' }, isAmount)).toEqual({});
  });
});
