import Link from 'next/link';
import type { ReactNode } from 'react';

/** A list with nothing in it: says so and offers the next step. */
export function Empty({
  title,
  children,
  action,
}: {
  title: string;
  children?: ReactNode;
  action?: { href: string; label: string };
}) {
  return (
    <div className="card grid justify-items-center gap-3 px-6 py-14 text-center">
      <EmptyCup />
      <h2 className="text-2xl">{title}</h2>
      {children ? <p className="max-w-prose text-muted">{children}</p> : null}
      {action ? (
        <Link href={action.href} className="button button-primary mt-2">
          {action.label}
        </Link>
      ) : null}
    </div>
  );
}

function EmptyCup() {
  return (
    <svg viewBox="0 0 120 90" className="h-24 w-32" fill="none" aria-hidden="true">
      <ellipse cx="56" cy="80" rx="46" ry="6" className="fill-raised" />
      <path
        d="M20 30h72l-5 32c-2 9-10 15-19 15H44c-9 0-17-6-19-15l-5-32Z"
        className="fill-surface stroke-line-strong"
        strokeWidth="2.5"
      />
      <path d="M89 40h8a11 11 0 0 1 0 23h-9" className="stroke-line-strong" strokeWidth="2.5" />
      <path d="M26 47h60" className="stroke-pandan" strokeWidth="5" strokeDasharray="3 6" />
      <ellipse
        cx="56"
        cy="30"
        rx="36"
        ry="6"
        className="fill-raised stroke-line-strong"
        strokeWidth="2.5"
      />
      <path
        d="M44 20c-4-6 4-8 0-14m14 14c-4-6 4-8 0-14"
        className="steam stroke-line-strong"
        strokeWidth="2.5"
        strokeLinecap="round"
      />
    </svg>
  );
}
