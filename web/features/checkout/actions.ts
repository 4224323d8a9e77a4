'use server';
// Placing the order. The key was made when the form was opened, so sending it twice is one order.
import { redirect } from 'next/navigation';
import { randomUUID } from 'node:crypto';
import { ask } from '@/graphql/client';
import { failureText } from '@/graphql/errors';
import { CheckoutDocument } from '@/graphql/generated';
import { currentSession } from '@/lib/session/cookies';

export type CheckoutState = {
  error: string | null;
  /**
   * The key for the next try. A refusal is an answer, so trying again is a new attempt and needs a new key; when
   * no answer came, the order may exist, and only the same key finds it.
   */
  key: string;
};

export async function placeOrder(state: CheckoutState, form: FormData): Promise<CheckoutState> {
  const session = await currentSession();
  if (!session) redirect('/login?next=/checkout');
  const [cartId, expectedTotal, currency, key] = ['cartId', 'expectedTotal', 'currency', 'key'].map(
    (name) => form.get(name),
  );
  if (
    typeof cartId !== 'string' ||
    typeof expectedTotal !== 'string' ||
    typeof currency !== 'string' ||
    typeof key !== 'string'
  ) {
    return { ...state, error: 'This form is incomplete. Please load the page again.' };
  }
  const answer = await ask(
    CheckoutDocument,
    { input: { cartId, expectedTotal, currency }, key },
    { token: session.accessToken },
  );
  if (!answer.ok) return { error: failureText(answer.failure), key };
  const { order, userErrors } = answer.data.checkout;
  if (!order) {
    const error = userErrors[0]?.message ?? 'The order was not placed. Nothing was charged.';
    return { error, key: randomUUID() };
  }
  redirect(`/orders/${encodeURIComponent(order.number)}`);
}
