import Link from 'next/link';

export default function NotFound() {
  return (
    <div className="shell grid justify-items-center gap-4 py-24 text-center">
      <p className="font-display text-7xl font-semibold text-roast">404</p>
      <h1 className="text-3xl md:text-4xl">No such stall</h1>
      <p className="max-w-prose text-muted">
        We looked behind the counter, too. The page may have moved, or the thing is sold and gone.
      </p>
      <div className="mt-2 flex flex-wrap justify-center gap-3">
        <Link href="/search" className="button button-primary">
          Browse the stalls
        </Link>
        <Link href="/" className="button button-quiet">
          Home
        </Link>
      </div>
    </div>
  );
}
