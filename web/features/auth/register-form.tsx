'use client';
import Link from 'next/link';
import { useActionState } from 'react';
import { Field } from '@/ui/field';
import { Notice } from '@/ui/notice';
import { SubmitButton } from '@/ui/submit-button';
import { register } from './actions';
import { passwordLengthMin } from './forms';

export function RegisterForm({ next }: { next: string }) {
  const [state, action] = useActionState(register, { form: [], fields: {}, values: {} });
  const field = (name: string) => ({ name, error: state.fields[name], required: true });
  return (
    <form action={action} noValidate className="grid gap-5">
      <input type="hidden" name="next" value={next} />
      {state.form.map((message) => (
        <Notice key={message} tone="danger">
          {message}
        </Notice>
      ))}
      <Field
        {...field('email')}
        label="E-mail"
        type="email"
        autoComplete="email"
        defaultValue={state.values.email}
      />
      <Field
        {...field('username')}
        label="User name"
        hint="Shown beside your reviews."
        autoComplete="username"
        defaultValue={state.values.username}
      />
      <Field
        {...field('fullName')}
        required={false}
        label="Full name (optional)"
        autoComplete="name"
        defaultValue={state.values.fullName}
      />
      <Field
        {...field('password')}
        label="Password"
        type="password"
        hint={`At least ${passwordLengthMin} characters.`}
        autoComplete="new-password"
      />
      <Field
        {...field('repeated')}
        label="Password again"
        type="password"
        autoComplete="new-password"
      />
      <SubmitButton busy="Setting your place…">Create account</SubmitButton>
      <p className="text-center text-muted">
        Have an account?{' '}
        <Link href={`/login?next=${encodeURIComponent(next)}`} className="link">
          Sign in
        </Link>
      </p>
    </form>
  );
}
