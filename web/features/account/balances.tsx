import type { Money } from '@/lib/money';
import { Price } from '@/ui/price';

/** Sums side by side, the first one the important one. */
export function Balances({ sums }: { sums: { label: string; money: Money }[] }) {
  return (
    <dl className="grid gap-3 sm:grid-cols-3">
      {sums.map(({ label, money }, at) => (
        <div key={label} className={`card p-5 ${at === 0 ? 'shadow-card' : ''}`}>
          <dt className="text-sm text-muted">{label}</dt>
          <dd className="mt-1">
            <Price money={money} className="font-display text-2xl font-semibold" />
          </dd>
        </div>
      ))}
    </dl>
  );
}
