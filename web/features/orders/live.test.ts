import { expect, it } from 'vitest';
import { newer, readLiveMessage, type LiveOrder } from './live';

const order = (version: number, status: LiveOrder['status']): LiveOrder => ({
  version,
  status,
  statusReason: null,
  history: [],
  invoice: null,
});

it('a late message never takes an order back', () => {
  const shown = order(3, 'CONFIRMED');
  expect(newer(shown, order(1, 'PENDING'))).toBe(shown);
  expect(newer(shown, order(3, 'PENDING'))).toBe(shown);
  expect(newer(shown, order(4, 'FULFILLED')).status).toBe('FULFILLED');
});

it('reads the order of a message and nothing from a broken one', () => {
  const message = JSON.stringify({ data: { orderChanged: order(2, 'CONFIRMED') } });
  expect(readLiveMessage(message)?.status).toBe('CONFIRMED');
  expect(readLiveMessage('{"data":null,"errors":[{"message":"x"}]}')).toBeNull();
  expect(readLiveMessage('{')).toBeNull();
});
