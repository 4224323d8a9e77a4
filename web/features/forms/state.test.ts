import { describe, expect, it } from 'vitest';
import { isAmount, typedAmount, typedMoment } from './state';

describe('amounts', () => {
  it.each([
    ['12,50', '12.50'],
    [' 1 200.5 ', '1200.5'],
    ['1,200', '1,200'],
  ])('%s is sent as %s', (typed, sent) => expect(typedAmount(typed)).toBe(sent));

  it.each(['0', '0.00', '-1', '1.234', '1e3', '', '1,200'])('%s cannot be sent', (text) =>
    expect(isAmount(text)).toBe(false),
  );

  it.each(['1', '0.01', '999999999999.99'])('%s can be sent', (text) =>
    expect(isAmount(text)).toBe(true),
  );
});

describe('moments', () => {
  it('are what the browser worked out', () =>
    expect(typedMoment('2026-11-21T20:00', '2026-11-21T12:00:00.000Z')).toBe(
      '2026-11-21T12:00:00.000Z',
    ));
  it('are read as UTC without scripts', () =>
    expect(typedMoment('2026-11-21T20:00', '')).toBe('2026-11-21T20:00:00.000Z'));
  it('may be missing or nonsense', () => {
    expect(typedMoment('', '')).toBeNull();
    expect(typedMoment('soon', '')).toBeNull();
  });
});
