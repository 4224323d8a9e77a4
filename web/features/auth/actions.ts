'use server';
// Signing in, signing up and signing out. The tokens stop here: the browser gets a sealed cookie.
import { headers } from 'next/headers';
import { redirect } from 'next/navigation';
import { mergeGuestCart } from '@/features/cart/merge';
import { ask } from '@/graphql/client';
import { byField, failureText, type Answer, type FieldErrors } from '@/graphql/errors';
import {
  LoginDocument,
  LogoutDocument,
  RegisterDocument,
  type SessionPartsFragment,
} from '@/graphql/generated';
import { safePath } from '@/lib/safe-path';
import { currentSession, dropSession, storeSession } from '@/lib/session/cookies';
import { sessionFrom } from '@/lib/session/session';
import { checkLogin, checkRegistration, loginFields, registrationFields } from './forms';

export type AuthFormState = FieldErrors & {
  /** What was typed, without the passwords, so that a refused form is not an empty one. */
  values: Record<string, string>;
};

export async function login(_: AuthFormState, form: FormData): Promise<AuthFormState> {
  const input = { email: text(form, 'email').trim(), password: text(form, 'password') };
  const values = { email: input.email };
  const fields = checkLogin(input);
  if (Object.keys(fields).length > 0) return { form: [], fields, values };
  const answer = await ask(LoginDocument, { input }, await fromClient());
  const refused = await open(pick(answer, 'login'), loginFields);
  if (refused) return { ...refused, values };
  redirect(safePath(form.get('next')));
}

export async function register(_: AuthFormState, form: FormData): Promise<AuthFormState> {
  const input = {
    email: text(form, 'email').trim(),
    username: text(form, 'username').trim(),
    password: text(form, 'password'),
    fullName: text(form, 'fullName').trim() || null,
  };
  const values = {
    email: input.email,
    username: input.username,
    fullName: input.fullName ?? '',
  };
  const fields = checkRegistration({ ...input, repeated: text(form, 'repeated') });
  if (Object.keys(fields).length > 0) return { form: [], fields, values };
  const answer = await ask(RegisterDocument, { input }, await fromClient());
  const refused = await open(pick(answer, 'register'), registrationFields);
  if (refused) return { ...refused, values };
  redirect(safePath(form.get('next')));
}

export async function logout(): Promise<void> {
  const session = await currentSession();
  // The cookie goes in any case; telling the service only ends the refresh token early.
  if (session) await ask(LogoutDocument, { everywhere: false }, { token: session.accessToken });
  await dropSession();
  redirect('/');
}

/** Stores the session an answer opens and merges the guest cart; otherwise what to show at the form. */
async function open(
  answer: Answer<SessionPartsFragment>,
  known: readonly string[],
): Promise<FieldErrors | null> {
  if (!answer.ok) return { form: [failureText(answer.failure)], fields: {} };
  const session = sessionFrom(answer.data, Date.now());
  if (!session) {
    const errors = byField(answer.data.userErrors, known);
    const silent = errors.form.length === 0 && Object.keys(errors.fields).length === 0;
    return silent ? { form: ['That did not work. Please try again.'], fields: {} } : errors;
  }
  await storeSession(session);
  await mergeGuestCart(session);
  return null;
}

function pick<Key extends string>(
  answer: Answer<Record<Key, SessionPartsFragment>>,
  key: Key,
): Answer<SessionPartsFragment> {
  return answer.ok ? { ...answer, data: answer.data[key] } : answer;
}

/** Where the browser is, as the proxy in front of the storefront (or its own listener) noted it. */
async function fromClient(): Promise<{ forwardedFor: string | null }> {
  return { forwardedFor: (await headers()).get('x-forwarded-for') };
}

function text(form: FormData, name: string): string {
  const value = form.get(name);
  return typeof value === 'string' ? value : '';
}
