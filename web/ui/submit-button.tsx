'use client';
import type { ReactNode } from 'react';
import { useFormStatus } from 'react-dom';

type SubmitButtonProps = {
  children: ReactNode;
  /** Shown while the form is on its way. */
  busy: string;
  className?: string;
};

/** Sends its form once: while the answer is under way a second click does nothing. */
export function SubmitButton({ children, busy, className = 'button-primary' }: SubmitButtonProps) {
  const { pending } = useFormStatus();
  return (
    <button
      type="submit"
      className={`button ${className}`}
      aria-disabled={pending}
      onClick={(event) => {
        if (pending) event.preventDefault();
      }}
    >
      {pending ? busy : children}
    </button>
  );
}
