import { expect, it } from 'vitest';
import { remainingText } from './remaining';

it('shows two units, seconds only in the last hour', () => {
  expect(remainingText(90_061_000)).toBe('1 d 1 h');
  expect(remainingText(3_661_000)).toBe('1 h 1 min');
  expect(remainingText(61_000)).toBe('1 min 1 s');
  expect(remainingText(500)).toBe('0 min 0 s');
  expect(remainingText(0)).toBe('ended');
  expect(remainingText(-5)).toBe('ended');
});
