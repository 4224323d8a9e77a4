import Link from 'next/link';

/** A whole page whose own service did not answer: the shop around it still works. */
export function Resting({ what }: { what: string }) {
  return (
    <div className="shell grid justify-items-center gap-4 py-24 text-center">
      <p className="eyebrow">Back in a moment</p>
      <h1 className="text-3xl md:text-4xl">{what} cannot be shown right now</h1>
      <p className="max-w-prose text-muted">
        One of our stalls is taking a short break. Nothing is lost; please try again in a minute.
      </p>
      {/* A full load on purpose: it asks the server again. */}
      <div className="mt-2 flex gap-3">
        <a href="" className="button button-primary">
          Try again
        </a>
        <Link href="/" className="button button-quiet">
          Home
        </Link>
      </div>
    </div>
  );
}
