import Link from 'next/link';
import { categories } from './categories';

export async function CategoryLinks() {
  const all = await categories();
  return (
    <ul className="-ml-3 flex min-h-8 items-center gap-1 text-sm font-medium">
      {all.map((category) => (
        <li key={category.id}>
          <Link
            href={`/c/${category.slug}`}
            className="block whitespace-nowrap rounded-full px-3 py-1.5 text-muted hover:bg-raised hover:text-ink"
          >
            {category.name}
          </Link>
        </li>
      ))}
    </ul>
  );
}
