'use client';
import { useState } from 'react';
import { Field } from './field';
import { useHydrated } from './local-time';

type MomentFieldProps = {
  name: string;
  label: string;
  hint?: string;
  error?: string;
  required?: boolean;
  defaultValue?: string;
};

/**
 * A day and a time in the reader's own zone. The moment in UTC is sent beside it as `<name>Iso`; without scripts there is
 * none, and the field says that it is read as UTC.
 */
export function MomentField({ name, hint, defaultValue = '', ...field }: MomentFieldProps) {
  const hydrated = useHydrated();
  const [value, setValue] = useState(defaultValue);
  const zone = hydrated ? 'In your own time.' : 'In UTC.';
  const time = hydrated && value ? new Date(value) : null;
  return (
    <>
      <Field
        {...field}
        name={name}
        type="datetime-local"
        defaultValue={defaultValue}
        onChange={(event) => setValue(event.currentTarget.value)}
        hint={hint ? `${hint} ${zone}` : zone}
      />
      {time && !Number.isNaN(time.getTime()) ? (
        <input type="hidden" name={`${name}Iso`} value={time.toISOString()} />
      ) : null}
    </>
  );
}
