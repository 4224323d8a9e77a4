'use client';
import Link from 'next/link';

/** Catches what no section caught; the header and footer stay. */
export default function ErrorPage({ reset }: { error: Error; reset: () => void }) {
  return (
    <div role="alert" className="shell grid justify-items-center gap-4 py-24 text-center">
      <p className="eyebrow">That was us</p>
      <h1 className="text-3xl md:text-4xl">Something spilled</h1>
      <p className="max-w-prose text-muted">
        The page could not be made. Trying again usually helps.
      </p>
      <div className="mt-2 flex gap-3">
        <button type="button" onClick={reset} className="button button-primary">
          Try again
        </button>
        <Link href="/" className="button button-quiet">
          Home
        </Link>
      </div>
    </div>
  );
}
