import { expect, it } from 'vitest';
import { quantitiesOf, readQuantity } from './lines';

it('adds up lines of the same product and leaves out those without one', () => {
  const line = (id: string, quantity: number) => ({ product: { id }, quantity });
  const quantities = quantitiesOf([line('a', 2), { product: null, quantity: 4 }, line('a', 3)]);
  expect([...quantities]).toEqual([['a', 5]]);
});

it('a quantity is a whole number from 0 to 99', () => {
  expect(readQuantity('0')).toBe(0);
  expect(readQuantity('99')).toBe(99);
  for (const value of ['', '-1', '1.5', '100', '1e1', ' 2', null, 3]) {
    expect(readQuantity(value)).toBeNull();
  }
});
