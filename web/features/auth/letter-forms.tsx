'use client';
// The forms behind the links of our letters, and those that ask for a letter.
import Link from 'next/link';
import { useActionState } from 'react';
import { FormErrors } from '@/features/forms/errors';
import { freshForm } from '@/features/forms/state';
import { Field } from '@/ui/field';
import { Notice } from '@/ui/notice';
import { SubmitButton } from '@/ui/submit-button';
import { forgotPassword, resetPassword, sendVerification, verifyEmail } from './actions';
import { passwordLengthMin } from './forms';

/** A button and not the link alone: programs that look into letters open links too. */
export function VerifyEmailForm({ token }: { token: string }) {
  const [state, action] = useActionState(verifyEmail, freshForm());
  if (state.done) {
    return (
      <div className="grid gap-5">
        <Notice tone="good">Your address is confirmed. Thank you!</Notice>
        <Link href="/account" className="button button-primary">
          To your account
        </Link>
      </div>
    );
  }
  return (
    <form action={action} className="grid gap-5">
      <input type="hidden" name="token" value={token} />
      <FormErrors messages={state.form} />
      <SubmitButton busy="Confirming…">Confirm my address</SubmitButton>
    </form>
  );
}

export function SendVerificationForm() {
  const [state, action] = useActionState(sendVerification, freshForm());
  if (state.done) return <Notice tone="good">The letter is on its way.</Notice>;
  return (
    <form action={action} className="grid justify-items-start gap-3">
      <FormErrors messages={state.form} />
      <SubmitButton busy="Sending…" className="button-quiet">
        Send the letter again
      </SubmitButton>
    </form>
  );
}

export function ForgotPasswordForm() {
  const [state, action] = useActionState(forgotPassword, freshForm());
  if (state.done) {
    return (
      <Notice tone="good">
        If there is an account with this address, a letter with a link is on its way to it.
      </Notice>
    );
  }
  return (
    <form action={action} noValidate className="grid gap-5">
      <FormErrors messages={state.form} />
      <Field
        name="email"
        label="E-mail"
        type="email"
        autoComplete="email"
        defaultValue={state.values.email}
        error={state.fields.email}
        required
      />
      <SubmitButton busy="Sending…">Send me a link</SubmitButton>
      <p className="text-center text-muted">
        It came back to you?{' '}
        <Link href="/login" className="link">
          Sign in
        </Link>
      </p>
    </form>
  );
}

export function ResetPasswordForm({ token }: { token: string }) {
  const [state, action] = useActionState(resetPassword, freshForm());
  return (
    <form action={action} noValidate className="grid gap-5">
      <input type="hidden" name="token" value={token} />
      <FormErrors messages={state.form} />
      <Field
        name="newPassword"
        label="New password"
        type="password"
        hint={`At least ${passwordLengthMin} characters. Every other session ends.`}
        autoComplete="new-password"
        error={state.fields.newPassword}
        required
      />
      <Field
        name="repeated"
        label="New password again"
        type="password"
        autoComplete="new-password"
        error={state.fields.repeated}
        required
      />
      <SubmitButton busy="Changing…">Change password and sign in</SubmitButton>
      {state.form.length > 0 ? (
        <p className="text-center text-muted">
          <Link href="/forgot-password" className="link">
            Ask for another letter
          </Link>
        </p>
      ) : null}
    </form>
  );
}
