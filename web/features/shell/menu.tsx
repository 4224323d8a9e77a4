'use client';
import { usePathname } from 'next/navigation';
import { useEffect, useRef, type ReactNode } from 'react';

type MenuProps = { label: string; summary: ReactNode; children: ReactNode };

/**
 * A disclosure that opens without scripts; with them it also closes by Escape, by a click elsewhere and when
 * the page changes.
 */
export function Menu({ label, summary, children }: MenuProps) {
  const details = useRef<HTMLDetailsElement>(null);
  const pathname = usePathname();

  useEffect(() => {
    if (details.current) details.current.open = false;
  }, [pathname]);

  useEffect(() => {
    function close(event: Event) {
      const menu = details.current;
      if (!menu?.open) return;
      if (event instanceof KeyboardEvent) {
        if (event.key !== 'Escape') return;
        menu.querySelector('summary')?.focus();
      } else if (event.target instanceof Node && menu.contains(event.target)) {
        return;
      }
      menu.open = false;
    }
    document.addEventListener('click', close);
    document.addEventListener('keydown', close);
    return () => {
      document.removeEventListener('click', close);
      document.removeEventListener('keydown', close);
    };
  }, []);

  return (
    <details ref={details} className="relative">
      <summary
        aria-label={label}
        className="icon-button list-none md:w-auto md:gap-2 md:px-3 [&::-webkit-details-marker]:hidden"
      >
        {summary}
      </summary>
      {children}
    </details>
  );
}
