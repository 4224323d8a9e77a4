import type { LedgerKind } from '@/graphql/generated';
import type { Money } from '@/lib/money';
import { LocalTime } from '@/ui/local-time';
import { Price } from '@/ui/price';

type Entry = {
  id: string;
  at: string;
  kind: LedgerKind;
  amount: Money;
  balanceAfter: Money;
  reference: string;
};

const labels: Record<LedgerKind, string> = {
  GRANT: 'Credit',
  HOLD: 'Set aside',
  RELEASE: 'Set free',
  CAPTURE: 'Paid',
  FEE: 'Fee',
  PAYOUT: 'Payout',
  REFUND: 'Refund',
  TOP_UP: 'Top-up',
};

export function Ledger({ entries }: { entries: Entry[] }) {
  if (entries.length === 0) return <p className="text-muted">No movements yet.</p>;
  return (
    <div className="card overflow-hidden">
      <table className="w-full text-left text-sm">
        <caption className="sr-only">Movements of your wallet, newest first</caption>
        <thead className="border-b border-line text-muted">
          <tr>
            {['When', 'What', 'Amount', 'Balance'].map((title, at) => (
              <th
                key={title}
                scope="col"
                className={`px-4 py-3 font-semibold ${at > 1 ? 'text-right' : ''} ${at === 3 ? 'max-sm:hidden' : ''}`}
              >
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody className="divide-y divide-line">
          {entries.map((entry) => (
            <tr key={entry.id}>
              <td className="px-4 py-3 text-muted sm:whitespace-nowrap">
                <LocalTime at={entry.at} />
              </td>
              <td className="px-4 py-3">
                <span className="font-semibold">{labels[entry.kind]}</span>
                <span className="block max-w-32 truncate text-muted sm:max-w-64">
                  {entry.reference}
                </span>
              </td>
              <td className="px-4 py-3 text-right">
                <Price money={entry.amount} />
              </td>
              <td className="px-4 py-3 text-right text-muted max-sm:hidden">
                <Price money={entry.balanceAfter} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
