// What search engines read of a product page (schema.org JSON-LD).
import { siteOrigin } from '@/lib/site';
import type { Product } from './load';

export function productJsonLd(product: Product): object {
  const origin = siteOrigin();
  const { rating } = product;
  return {
    '@context': 'https://schema.org',
    '@type': 'Product',
    name: product.name,
    description: product.description,
    sku: product.id,
    image: product.images.map((image) => new URL(image.url, origin).href),
    ...(product.supplier ? { brand: { '@type': 'Brand', name: product.supplier } } : {}),
    ...(rating && rating.count > 0
      ? {
          aggregateRating: {
            '@type': 'AggregateRating',
            ratingValue: rating.average.toFixed(1),
            reviewCount: rating.count,
          },
        }
      : {}),
    offers: {
      '@type': 'Offer',
      url: `${origin}/products/${product.slug}`,
      price: product.price.amount,
      priceCurrency: product.price.currency,
      availability: product.availability.inStock
        ? 'https://schema.org/InStock'
        : 'https://schema.org/OutOfStock',
      ...(product.seller
        ? { seller: { '@type': 'Organization', name: product.seller.displayName } }
        : {}),
    },
  };
}

/** JSON that is safe inside a `<script>` element: no text of a product can close it. */
export function scriptJson(value: object): string {
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (found) => {
    return `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
