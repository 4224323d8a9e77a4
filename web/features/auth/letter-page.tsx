import type { ReactNode } from 'react';

/** One narrow card with a title: everything about signing in looks like this. */
export function LetterPage({
  title,
  lead,
  children,
}: {
  title: string;
  lead: string;
  children: ReactNode;
}) {
  return (
    <div className="shell grid max-w-xl gap-8 py-12 md:py-20">
      <div>
        <h1 className="mb-2 text-4xl">{title}</h1>
        <p className="text-muted">{lead}</p>
      </div>
      <div className="card p-6 shadow-card md:p-8">{children}</div>
    </div>
  );
}
