// Money as the gateway sends it: a decimal string and an ISO currency.
//
// Never a JavaScript number: sums are made in BigInt minor units and shown from the string itself.

export type Money = { amount: string; currency: string };

const decimalPattern = /^(-?)(\d+)(?:\.(\d+))?$/;

/** How many decimals a currency has: 2 for USD, 0 for JPY. */
export function decimalsOf(currency: string): number {
  return (
    new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions()
      .maximumFractionDigits ?? 2
  );
}

/** Minor units (cents) of an amount. Throws when the text is no decimal or is finer than the currency. */
export function toMinor({ amount, currency }: Money): bigint {
  const match = decimalPattern.exec(amount);
  if (!match) throw new RangeError(`not a decimal amount: ${amount}`);
  const [, sign = '', whole = '0', fraction = ''] = match;
  const decimals = decimalsOf(currency);
  if (/[1-9]/.test(fraction.slice(decimals))) {
    throw new RangeError(`${amount} is finer than one unit of ${currency}`);
  }
  const minor = BigInt(whole + fraction.slice(0, decimals).padEnd(decimals, '0'));
  return sign === '-' ? -minor : minor;
}

/** The inverse of `toMinor`: always written with all decimals of the currency. */
export function fromMinor(minor: bigint, currency: string): Money {
  const decimals = decimalsOf(currency);
  const digits = (minor < 0n ? -minor : minor).toString().padStart(decimals + 1, '0');
  const cut = digits.length - decimals;
  const text = decimals === 0 ? digits : `${digits.slice(0, cut)}.${digits.slice(cut)}`;
  return { amount: minor < 0n ? `-${text}` : text, currency };
}

/** Left minus right, exact. */
export function subtract(left: Money, right: Money): Money {
  if (left.currency !== right.currency) {
    throw new RangeError(`cannot subtract ${right.currency} from ${left.currency}`);
  }
  return fromMinor(toMinor(left) - toMinor(right), left.currency);
}

/** What is missing to pay `price` from `balance`; null when the balance covers it. */
export function shortfall(price: Money, balance: Money): Money | null {
  const missing = subtract(price, balance);
  return toMinor(missing) > 0n ? missing : null;
}

/** The amount as people read it, exact for any size: Intl takes the decimal string as it is. */
export function formatMoney({ amount, currency }: Money, locale = 'en-US'): string {
  if (!decimalPattern.test(amount)) throw new RangeError(`not a decimal amount: ${amount}`);
  return new Intl.NumberFormat(locale, { style: 'currency', currency }).format(
    amount as Intl.StringNumericLiteral,
  );
}
