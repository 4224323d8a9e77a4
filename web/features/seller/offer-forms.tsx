'use client';
// One form for each kind of offer.
import { useActionState } from 'react';
import { FormErrors } from '@/features/forms/errors';
import { freshForm, type FormState } from '@/features/forms/state';
import { Field, Select, TextArea } from '@/ui/field';
import { MomentField } from '@/ui/moment-field';
import { SubmitButton } from '@/ui/submit-button';
import { withMade, type Choice } from './kinds';
import { offerAuction, offerFixedPrice, offerService } from './actions';

/** A text field of this form, with what was typed and what is wrong with it. */
function fieldOf(state: FormState, name: string) {
  return { name, defaultValue: state.values[name], error: state.fields[name] };
}

const amount = { inputMode: 'decimal', autoComplete: 'off' } as const;

export function FixedPriceForm({
  products,
  idempotencyKey,
}: {
  /** The stall's products, which the offer may be of; none for tickets. */
  products: Choice[];
  idempotencyKey: string;
}) {
  const [state, action] = useActionState(offerFixedPrice, freshForm(idempotencyKey));
  return (
    <form action={action} noValidate className="grid gap-5">
      <FormErrors messages={state.form} />
      <Field {...fieldOf(state, 'title')} label="Title" maxLength={120} required />
      {products.length > 0 ? (
        <Select {...fieldOf(state, 'productId')} label="Product (optional)">
          <option value="">None of my products</option>
          {products.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </Select>
      ) : null}
      <Field {...fieldOf(state, 'price')} {...amount} label="Price of one in USD" required />
      <Field
        {...fieldOf(state, 'quantity')}
        defaultValue={state.values.quantity ?? '1'}
        inputMode="numeric"
        label="How many"
        required
      />
      <SubmitButton busy="Putting it out…">Put it on offer</SubmitButton>
    </form>
  );
}

export function ServiceForm({ idempotencyKey }: { idempotencyKey: string }) {
  const [state, action] = useActionState(offerService, freshForm(idempotencyKey));
  return (
    <form action={action} noValidate className="grid gap-5">
      <FormErrors messages={state.form} />
      <Field {...fieldOf(state, 'title')} label="Title" maxLength={120} required />
      <TextArea
        {...fieldOf(state, 'description')}
        label="What is done"
        maxLength={4000}
        rows={6}
        required
      />
      <Field {...fieldOf(state, 'price')} {...amount} label="Price in USD" required />
      <Field
        {...fieldOf(state, 'depositPercent')}
        defaultValue={state.values.depositPercent ?? '25'}
        inputMode="numeric"
        label="Deposit in percent"
        hint="Paid before you begin; it waits in escrow."
        required
      />
      <Field
        {...fieldOf(state, 'durationMinutes')}
        inputMode="numeric"
        label="Takes about, in minutes (optional)"
      />
      <SubmitButton busy="Putting it out…">Put it on offer</SubmitButton>
    </form>
  );
}

export function AuctionForm({
  items,
  idempotencyKey,
}: {
  /** Things of the collection that are free. */
  items: Choice[];
  idempotencyKey: string;
}) {
  const [state, action] = useActionState(offerAuction, {
    ...freshForm(idempotencyKey),
    made: null,
  });
  const choices = withMade(items, state.made);
  return (
    <form action={action} noValidate className="grid gap-5">
      <FormErrors messages={state.form} />
      {choices.length > 0 ? (
        // What is chosen at first is read once only, so another choice is another control.
        <Select
          key={state.values.itemId}
          {...fieldOf(state, 'itemId')}
          label="Thing of your collection"
        >
          <option value="">A new one</option>
          {choices.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </Select>
      ) : null}
      <Field
        {...fieldOf(state, 'newItem')}
        label={choices.length > 0 ? 'Or a new thing' : 'Which thing'}
        hint="Added to your collection. There is only one of it."
        maxLength={120}
      />
      <Field {...fieldOf(state, 'title')} label="Title of the auction" maxLength={120} required />
      <Field
        {...fieldOf(state, 'startPrice')}
        {...amount}
        label="Bidding starts at, USD"
        required
      />
      <Field
        {...fieldOf(state, 'reservePrice')}
        {...amount}
        label="Reserve in USD (optional)"
        hint="Below this nothing is sold. Nobody sees it."
      />
      <Field
        {...fieldOf(state, 'buyNowPrice')}
        {...amount}
        label="Buy now in USD (optional)"
        hint="A bid of this much ends the auction at once."
      />
      <MomentField {...fieldOf(state, 'endsAt')} label="Ends" required />
      <SubmitButton busy="Opening…">Open the auction</SubmitButton>
    </form>
  );
}
