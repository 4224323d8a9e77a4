import Link from 'next/link';
import { SectionNotice } from '@/ui/notice';
import { categories } from './categories';

export async function CategoryTiles() {
  const top = (await categories()).filter((category) => !category.parent);
  if (top.length === 0)
    return <SectionNotice>The stalls cannot be listed right now.</SectionNotice>;
  return (
    <ul className="grid grid-cols-2 gap-3 sm:grid-cols-3 lg:grid-cols-4 lg:gap-5">
      {top.map((category) => (
        <li key={category.id}>
          <Link
            href={`/c/${category.slug}`}
            className="card group flex items-center gap-2.5 overflow-hidden p-2.5 sm:gap-3 sm:p-3 transition-shadow hover:shadow-lift"
          >
            <img
              src={`/images/categories/${category.slug}.svg`}
              alt=""
              width={112}
              height={112}
              loading="lazy"
              className="size-12 shrink-0 rounded-xl sm:size-14 object-cover lg:size-16"
            />
            <span className="min-w-0 font-display text-base font-semibold sm:text-lg">
              {category.name}
            </span>
          </Link>
        </li>
      ))}
    </ul>
  );
}
