import type { ReactNode } from 'react';
import { Icon } from './icon';

/** One section that could not be filled: quiet, because the rest of the page is fine. */
export function SectionNotice({ children }: { children: ReactNode }) {
  return (
    <p
      role="status"
      className="flex items-center gap-2.5 rounded-xl border border-dashed border-line-strong px-4 py-3 text-sm text-muted"
    >
      <Icon name="clock" />
      <span>{children}</span>
    </p>
  );
}

const tones = {
  danger: { box: 'bg-danger-soft text-danger', icon: 'alert', role: 'alert' },
  good: { box: 'bg-pandan-soft text-pandan', icon: 'check', role: 'status' },
  note: { box: 'bg-gold-soft text-ink', icon: 'alert', role: 'status' },
} as const;

/** A message about what the reader did or must do. */
export function Notice({ tone, children }: { tone: keyof typeof tones; children: ReactNode }) {
  const { box, icon, role } = tones[tone];
  return (
    <div role={role} className={`flex items-start gap-3 rounded-xl px-4 py-3 ${box}`}>
      <Icon name={icon} className="mt-0.5 size-5" />
      <div className="min-w-0">{children}</div>
    </div>
  );
}
