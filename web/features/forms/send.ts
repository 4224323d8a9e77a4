// How a form of someone signed in is sent: reading its fields, asking the gateway, sorting what it says.
import 'server-only';
import { randomUUID } from 'node:crypto';
import { ask } from '@/graphql/client';
import { byField, failureText, isTokenRefused, type UserError } from '@/graphql/errors';
import type { TypedDocumentString } from '@/graphql/generated';
import { currentSession } from '@/lib/session/cookies';
import { hasErrors, refusedForm, type FormState } from './state';

/** A text field as it was sent; empty when there is none. */
export function text(form: FormData, name: string): string {
  const value = form.get(name);
  return typeof value === 'string' ? value.trim() : '';
}

/** Several text fields at once, by their names. */
export function texts<Name extends string>(
  form: FormData,
  names: readonly Name[],
): Record<Name, string> {
  return Object.fromEntries(names.map((name) => [name, text(form, name)])) as Record<Name, string>;
}

type Payload = { userErrors: UserError[] };

export type Sent<Data> = { ok: true; data: Data } | { ok: false; state: FormState };

/**
 * Asks with the session's token. `known` are the fields of the form; what concerns none of them is said above it. An
 * answer, whatever it says, uses the key up.
 */
export async function send<Data, Variables>(
  state: FormState,
  document: TypedDocumentString<Data, Variables>,
  variables: Variables,
  payload: (data: Data) => Payload,
  values: Record<string, string> = {},
): Promise<Sent<Data>> {
  const session = await currentSession();
  const refused = (errors: Partial<FormState>): Sent<Data> => ({
    ok: false,
    state: { ...refusedForm(state, errors, values), key: errors.key ?? state.key },
  });
  if (!session) return refused({ form: ['Your session has ended. Please sign in again.'] });
  const answer = await ask(document, variables, { token: session.accessToken });
  if (!answer.ok) return refused({ form: [failureText(answer.failure)] });
  if (isTokenRefused(answer)) return refused({ form: ['Please load the page again.'] });
  const part = payload(answer.data) as Payload | null;
  if (!part) return refused({ form: ['That did not work. Please try again.'] });
  const errors = byField(part.userErrors, Object.keys(values));
  return hasErrors(errors)
    ? refused({ ...errors, key: randomUUID() })
    : { ok: true, data: answer.data };
}

/** It worked: an empty form with a new key. */
export function sent(): FormState {
  return { form: [], fields: {}, values: {}, key: randomUUID(), done: true };
}
