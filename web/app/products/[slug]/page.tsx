import type { Metadata } from 'next';
import Link from 'next/link';
import { notFound } from 'next/navigation';
import { Gallery } from '@/features/product/gallery';
import { productPage, type Product } from '@/features/product/load';
import { Offers } from '@/features/product/offers';
import { Purchase } from '@/features/product/purchase';
import { Reviews } from '@/features/product/reviews';
import { SellerCard } from '@/features/product/seller-card';
import { productJsonLd, scriptJson } from '@/features/product/structured-data';
import { Resting } from '@/features/shell/resting';
import { Stars } from '@/ui/stars';

type Props = { params: Promise<{ slug: string }> };

export async function generateMetadata({ params }: Props): Promise<Metadata> {
  const { slug } = await params;
  const page = await productPage(slug);
  if (page.kind !== 'found') return { title: 'Product', robots: { index: false } };
  const { name, description, images } = page.product;
  return {
    title: name,
    description: description.slice(0, 160),
    alternates: { canonical: `/products/${slug}` },
    openGraph: {
      title: name,
      description: description.slice(0, 160),
      images: images[0] && [images[0].url],
    },
  };
}

export default async function ProductRoute({ params }: Props) {
  const { slug } = await params;
  const page = await productPage(slug);
  if (page.kind === 'missing') notFound();
  if (page.kind === 'broken') return <Resting what="This product" />;
  const { product, errors } = page;
  return (
    <div className="shell py-6 md:py-10">
      <script
        type="application/ld+json"
        dangerouslySetInnerHTML={{ __html: scriptJson(productJsonLd(product)) }}
      />
      <Breadcrumb categories={product.categories} />
      <div className="grid gap-8 lg:grid-cols-2 lg:gap-14">
        <Gallery images={product.images} name={product.name} />
        <div className="grid content-start gap-6">
          <div className="grid gap-3">
            <h1 className="text-[clamp(2rem,4.5vw,3.1rem)]">{product.name}</h1>
            {product.rating && product.rating.count > 0 ? (
              <Link href="#reviews" className="justify-self-start">
                <Stars average={product.rating.average} count={product.rating.count} />
              </Link>
            ) : null}
          </div>
          <Purchase product={product} />
          <SellerCard product={product} errors={errors} />
          <div>
            <h2 className="mb-2 text-xl">About it</h2>
            <p className="prose-text">{product.description}</p>
            {product.supplier ? (
              <p className="mt-3 text-sm text-muted">Supplied by {product.supplier}</p>
            ) : null}
          </div>
        </div>
      </div>
      <div className="mt-14 grid gap-14">
        <Offers product={product} errors={errors} />
        <Reviews product={product} errors={errors} />
      </div>
    </div>
  );
}

function Breadcrumb({ categories }: { categories: Product['categories'] }) {
  return (
    <nav aria-label="Breadcrumb" className="mb-5 flex flex-wrap gap-x-2 text-sm text-muted">
      <Link href="/search" className="hover:underline">
        All products
      </Link>
      {categories.slice(0, 2).map((category) => (
        <span key={category.slug} className="flex gap-x-2">
          <span aria-hidden="true">/</span>
          <Link href={`/c/${category.slug}`} className="hover:underline">
            {category.name}
          </Link>
        </span>
      ))}
    </nav>
  );
}
