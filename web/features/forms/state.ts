// What a form shows between one try and the next. Pure.
import type { FieldErrors } from '@/graphql/errors';

export type FormState = FieldErrors & {
  /** What was typed, without passwords, so that a refused form is not an empty one. */
  values: Record<string, string>;
  /** The idempotency key of the next try: the same one while no answer came, a new one after an answer. */
  key: string;
  /** It worked, and the page stays. */
  done: boolean;
};

/** A form that was not sent yet. */
export function freshForm(key = ''): FormState {
  return { form: [], fields: {}, values: {}, key, done: false };
}

/** Sent in vain: what to say, with everything else as it was. */
export function refusedForm(
  state: FormState,
  errors: Partial<FieldErrors>,
  values: Record<string, string> = state.values,
): FormState {
  return { form: [], fields: {}, ...errors, values, key: state.key, done: false };
}

export function hasErrors({ form, fields }: FieldErrors): boolean {
  return form.length > 0 || Object.keys(fields).length > 0;
}

/** An amount as people type it, as the gateway takes it: `1 200,50` is `1200.50`. */
export function typedAmount(text: string): string {
  const tight = text.replace(/\s/g, '');
  return /^\d+,\d{1,2}$/.test(tight) ? tight.replace(',', '.') : tight;
}

/** Whether an amount can be sent: a positive decimal with two digits after the point at most. */
export function isAmount(text: string): boolean {
  return /^\d{1,12}(\.\d{1,2})?$/.test(text) && /[1-9]/.test(text);
}

/**
 * The moment of a `datetime-local` field, in UTC: as the reader's browser worked it out, else the text read as UTC,
 * which is what the field says without scripts. Null for what is no moment.
 */
export function typedMoment(local: string, iso: string): string | null {
  const text = iso || (local ? `${local}Z` : '');
  const time = Date.parse(text);
  return Number.isNaN(time) ? null : new Date(time).toISOString();
}
