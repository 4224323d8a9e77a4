import { describe, expect, it } from 'vitest';
import { formatMoney, fromMinor, shortfall, subtract, toMinor } from './money';

const usd = (amount: string) => ({ amount, currency: 'USD' });

describe('money', () => {
  it('shows an amount that no double can hold without losing a cent', () => {
    expect(formatMoney(usd('90071992547409.93'))).toBe('$90,071,992,547,409.93');
    expect(formatMoney(usd('9007199254740993.01'))).toBe('$9,007,199,254,740,993.01');
  });

  it('shows the decimals of the currency', () => {
    expect(formatMoney(usd('12.5'))).toBe('$12.50');
    expect(formatMoney({ amount: '1200', currency: 'JPY' })).toBe('¥1,200');
    expect(formatMoney(usd('-3.20'))).toBe('-$3.20');
  });

  it('adds tenths exactly', () => {
    expect(fromMinor(toMinor(usd('0.10')) + toMinor(usd('0.20')), 'USD')).toEqual(usd('0.30'));
  });

  it('goes to minor units and back', () => {
    for (const amount of ['0.00', '0.05', '-0.05', '12.50', '123456789012345678.99']) {
      expect(fromMinor(toMinor(usd(amount)), 'USD').amount).toBe(amount);
    }
    expect(toMinor({ amount: '1200', currency: 'JPY' })).toBe(1200n);
    expect(fromMinor(1200n, 'JPY').amount).toBe('1200');
  });

  it('refuses what is not a decimal amount of that currency', () => {
    for (const amount of ['', '1e3', '12,50', 'NaN', '.5', '1.', ' 1']) {
      expect(() => toMinor(usd(amount))).toThrow(RangeError);
    }
    expect(() => formatMoney(usd('1e3'))).toThrow(RangeError);
    expect(() => toMinor(usd('0.001'))).toThrow(RangeError);
    expect(toMinor(usd('0.100'))).toBe(10n);
  });

  it('tells what is missing, and nothing when the balance covers the price', () => {
    expect(shortfall(usd('149.00'), usd('100.00'))).toEqual(usd('49.00'));
    expect(shortfall(usd('100.00'), usd('100.00'))).toBeNull();
    expect(() => subtract(usd('1.00'), { amount: '1', currency: 'JPY' })).toThrow(RangeError);
  });
});
