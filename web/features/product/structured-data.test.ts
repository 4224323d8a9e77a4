import { expect, it } from 'vitest';
import type { Product } from './load';
import { productJsonLd, scriptJson } from './structured-data';

const product: Product = {
  id: 'p1',
  slug: 'tea',
  name: 'Tea </script><script>alert(1)</script>',
  description: 'Green',
  price: { amount: '11.20', currency: 'USD' },
  supplier: null,
  images: [{ url: '/images/products/tea.svg', alt: '', width: 800, height: 800 }],
  categories: [],
  availability: { inStock: false, available: 0 },
  rating: { average: 4.25, count: 3 },
  seller: null,
  lowestListingPrice: null,
  resaleDiscountPercent: null,
  listings: null,
  reviews: null,
};

it('tells price, stock and rating as the page does', () => {
  expect(productJsonLd(product)).toMatchObject({
    offers: { price: '11.20', priceCurrency: 'USD', availability: 'https://schema.org/OutOfStock' },
    aggregateRating: { ratingValue: '4.3', reviewCount: 3 },
  });
});

it('names no rating where there is none', () => {
  expect(productJsonLd({ ...product, rating: { average: 0, count: 0 } })).not.toHaveProperty(
    'aggregateRating',
  );
  expect(productJsonLd({ ...product, rating: null })).not.toHaveProperty('aggregateRating');
});

it('cannot be closed by the text of a product', () => {
  const text = scriptJson(productJsonLd(product));
  expect(text).not.toContain('<');
  expect(JSON.parse(text)).toMatchObject({ name: product.name });
});
