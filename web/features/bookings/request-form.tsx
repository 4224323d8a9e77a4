'use client';
import { useActionState } from 'react';
import { FormErrors } from '@/features/forms/errors';
import { freshForm } from '@/features/forms/state';
import { TextArea } from '@/ui/field';
import { MomentField } from '@/ui/moment-field';
import { SubmitButton } from '@/ui/submit-button';
import { requestBooking } from './actions';

/** When, and what the stall should know. Nothing is paid by asking. */
export function RequestForm({
  listingId,
  idempotencyKey,
}: {
  listingId: string;
  idempotencyKey: string;
}) {
  const [state, action] = useActionState(requestBooking, freshForm(idempotencyKey));
  return (
    <form action={action} noValidate className="grid gap-4 border-t border-line pt-4">
      <input type="hidden" name="listingId" value={listingId} />
      <FormErrors messages={state.form} />
      <MomentField
        name="startsAt"
        label="When would you like it? (optional)"
        defaultValue={state.values.startsAt}
        error={state.fields.startsAt}
      />
      <TextArea
        name="note"
        label="What should they know? (optional)"
        maxLength={500}
        defaultValue={state.values.note}
        error={state.fields.note}
      />
      <SubmitButton busy="Asking…">Ask for it</SubmitButton>
      <p className="text-sm text-muted">
        Nothing is paid yet. When the stall accepts, you pay the deposit: it waits in escrow until
        both of you say that it is done.
      </p>
    </form>
  );
}
