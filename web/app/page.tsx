import Link from 'next/link';
import { Suspense, type ReactNode } from 'react';
import { CategoryTiles } from '@/features/catalog/category-tiles';
import { Featured } from '@/features/catalog/featured';
import { EndingSoon } from '@/features/listing/ending-soon';
import { Hero } from '@/features/shell/hero';
import { LinesSkeleton, ProductGridSkeleton } from '@/ui/skeleton';

export default function HomePage() {
  return (
    <>
      <Hero />
      <div className="shell grid gap-16 pt-14 md:gap-20 md:pt-20">
        <Section title="Walk the stalls" eyebrow="Categories">
          <Suspense fallback={<LinesSkeleton label="Loading categories" lines={2} />}>
            <CategoryTiles />
          </Suspense>
        </Section>
        <Section
          title="Fresh on the counter"
          eyebrow="New"
          more={{ href: '/search?sort=NEWEST', label: 'All products' }}
        >
          <Suspense fallback={<ProductGridSkeleton count={8} />}>
            <Featured />
          </Suspense>
        </Section>
        <Section title="Going, going…" eyebrow="Auctions ending soon">
          <Suspense fallback={<LinesSkeleton label="Loading auctions" lines={2} />}>
            <EndingSoon />
          </Suspense>
        </Section>
      </div>
    </>
  );
}

type SectionProps = {
  title: string;
  eyebrow: string;
  more?: { href: string; label: string };
  children: ReactNode;
};

function Section({ title, eyebrow, more, children }: SectionProps) {
  return (
    <section>
      <div className="mb-6 flex flex-wrap items-end justify-between gap-3">
        <div>
          <p className="eyebrow mb-1.5">{eyebrow}</p>
          <h2 className="text-3xl md:text-4xl">{title}</h2>
        </div>
        {more ? (
          <Link href={more.href} className="link">
            {more.label}
          </Link>
        ) : null}
      </div>
      {children}
    </section>
  );
}
