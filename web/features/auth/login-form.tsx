'use client';
import Link from 'next/link';
import { useActionState } from 'react';
import { Field } from '@/ui/field';
import { Notice } from '@/ui/notice';
import { SubmitButton } from '@/ui/submit-button';
import { login } from './actions';

export function LoginForm({ next }: { next: string }) {
  const [state, action] = useActionState(login, { form: [], fields: {}, values: {} });
  return (
    <form action={action} noValidate className="grid gap-5">
      <input type="hidden" name="next" value={next} />
      {state.form.map((message) => (
        <Notice key={message} tone="danger">
          {message}
        </Notice>
      ))}
      <Field
        name="email"
        label="E-mail"
        type="email"
        autoComplete="email"
        defaultValue={state.values.email}
        error={state.fields.email}
        required
      />
      <Field
        name="password"
        label="Password"
        type="password"
        autoComplete="current-password"
        error={state.fields.password}
        required
      />
      <SubmitButton busy="Signing in…">Sign in</SubmitButton>
      <p className="text-center">
        <Link href="/forgot-password" className="link">
          Forgot your password?
        </Link>
      </p>
      <p className="text-center text-muted">
        New here?{' '}
        <Link href={`/register?next=${encodeURIComponent(next)}`} className="link">
          Create an account
        </Link>
      </p>
    </form>
  );
}
