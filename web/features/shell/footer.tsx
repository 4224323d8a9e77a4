import Link from 'next/link';

export function Footer() {
  return (
    <footer className="mt-20">
      <div className="tiles" aria-hidden="true" />
      <div className="bg-raised">
        <div className="shell grid gap-6 py-10 md:grid-cols-[1fr_auto] md:items-end">
          <div>
            <p className="font-display text-xl font-semibold">Many stalls, one table.</p>
            <p className="mt-1 max-w-prose text-sm text-muted">
              Kopitiam brings small makers under one roof: roasters, weavers, tinkerers and book
              people.
            </p>
          </div>
          <nav aria-label="Footer" className="flex flex-wrap gap-x-6 gap-y-2 text-sm">
            <Link className="link" href="/search">
              All products
            </Link>
            <Link className="link" href="/orders">
              My orders
            </Link>
            <Link className="link" href="/account">
              Account
            </Link>
          </nav>
        </div>
      </div>
    </footer>
  );
}
