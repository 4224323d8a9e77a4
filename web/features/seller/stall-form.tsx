'use client';
import { useActionState } from 'react';
import { FormErrors } from '@/features/forms/errors';
import { freshForm } from '@/features/forms/state';
import { Field, TextArea } from '@/ui/field';
import { SubmitButton } from '@/ui/submit-button';
import { openStall } from './actions';

/** A name, an address and a few words: enough to sell. */
export function StallForm() {
  const [state, action] = useActionState(openStall, freshForm());
  const field = (name: string) => ({
    name,
    defaultValue: state.values[name],
    error: state.fields[name],
  });
  return (
    <form action={action} noValidate className="grid gap-5">
      <FormErrors messages={state.form} />
      <Field {...field('displayName')} label="Name of your stall" maxLength={80} required />
      <Field
        {...field('handle')}
        label="Its address"
        hint="Small letters, digits and dashes; it stays."
        autoCapitalize="none"
        maxLength={40}
        required
      />
      <TextArea {...field('bio')} label="What you do (optional)" maxLength={2000} />
      <SubmitButton busy="Opening…">Open my stall</SubmitButton>
    </form>
  );
}
