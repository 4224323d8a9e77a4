'use server';
// Signing in, signing up and signing out. The tokens stop here: the browser gets a sealed cookie.
import { headers } from 'next/headers';
import { redirect } from 'next/navigation';
import { mergeGuestCart } from '@/features/cart/merge';
import { ask } from '@/graphql/client';
import { send, sent } from '@/features/forms/send';
import { hasErrors, refusedForm, type FormState } from '@/features/forms/state';
import { byField, failureText, type Answer, type FieldErrors } from '@/graphql/errors';
import {
  LoginDocument,
  LogoutDocument,
  RegisterDocument,
  RequestEmailVerificationDocument,
  RequestPasswordResetDocument,
  ResetPasswordDocument,
  VerifyEmailDocument,
  type SessionPartsFragment,
} from '@/graphql/generated';
import { safePath } from '@/lib/safe-path';
import { currentSession, dropSession, storeSession } from '@/lib/session/cookies';
import { sessionFrom } from '@/lib/session/session';
import {
  checkLogin,
  checkNewPassword,
  checkRegistration,
  loginFields,
  newPasswordFields,
  registrationFields,
} from './forms';

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

/** Verifies the address that the letter's token was sent to. Nobody has to be signed in for it. */
export async function verifyEmail(state: FormState, form: FormData): Promise<FormState> {
  const answer = await ask(VerifyEmailDocument, { token: text(form, 'token') }, await fromClient());
  if (!answer.ok) return refusedForm(state, { form: [failureText(answer.failure)] });
  const errors = byField(answer.data.verifyEmail.userErrors, []);
  return hasErrors(errors) ? refusedForm(state, errors) : sent();
}

/** Sends the letter with the token once more. */
export async function sendVerification(state: FormState): Promise<FormState> {
  const answer = await send(
    state,
    RequestEmailVerificationDocument,
    {},
    (data) => data.requestEmailVerification,
  );
  return answer.ok ? sent() : answer.state;
}

/** Asks for a letter to choose a new password. Whether there is such an account is never told. */
export async function forgotPassword(state: FormState, form: FormData): Promise<FormState> {
  const email = text(form, 'email').trim();
  if (!email) return refusedForm(state, { fields: { email: 'Enter your e-mail address.' } });
  const answer = await ask(RequestPasswordResetDocument, { email }, await fromClient());
  if (!answer.ok) return refusedForm(state, { form: [failureText(answer.failure)] }, { email });
  const errors = byField(answer.data.requestPasswordReset.userErrors, ['email']);
  return hasErrors(errors) ? refusedForm(state, errors, { email }) : sent();
}

/** Sets a new password by the letter's token and signs in; every other session ends. */
export async function resetPassword(state: FormState, form: FormData): Promise<FormState> {
  const input = { newPassword: text(form, 'newPassword'), repeated: text(form, 'repeated') };
  const fields = checkNewPassword(input);
  if (Object.keys(fields).length > 0) return refusedForm(state, { fields });
  const variables = { token: text(form, 'token'), newPassword: input.newPassword };
  const answer = await ask(ResetPasswordDocument, variables, await fromClient());
  const refused = await open(pick(answer, 'resetPassword'), newPasswordFields);
  if (refused) return refusedForm(state, refused);
  redirect('/account');
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
