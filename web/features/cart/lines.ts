// Quantities per product, as carts and forms hold them. Pure.

export type Quantities = Map<string, number>;

/** Most pieces of one product in a cart; the stock decides below that. */
export const quantityMax = 99;

type Line = { quantity: number; product: { id: string } | null };

/** Lines whose product is not available right now are left as they are, so they count nothing here. */
export function quantitiesOf(lines: readonly Line[]): Quantities {
  const quantities: Quantities = new Map();
  for (const { product, quantity } of lines) {
    if (product) quantities.set(product.id, (quantities.get(product.id) ?? 0) + quantity);
  }
  return quantities;
}

/** A quantity as a form sends it; null when it is no whole number from 0 to the most we take. */
export function readQuantity(value: unknown): number | null {
  if (typeof value !== 'string' || !/^\d{1,3}$/.test(value)) return null;
  const quantity = Number(value);
  return quantity <= quantityMax ? quantity : null;
}
