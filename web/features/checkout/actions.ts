'use server';
// Placing the order. The key was made when the form was opened, so sending it twice is one order.
import { redirect } from 'next/navigation';
import { ask } from '@/graphql/client';
import { failureText } from '@/graphql/errors';
import { CheckoutDocument } from '@/graphql/generated';
import { currentSession } from '@/lib/session/cookies';

export type CheckoutState = { error: string | null };

export async function placeOrder(_: CheckoutState, form: FormData): Promise<CheckoutState> {
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
    return { error: 'This form is incomplete. Please load the page again.' };
  }
  const answer = await ask(
    CheckoutDocument,
    { input: { cartId, expectedTotal, currency }, key },
    { token: session.accessToken },
  );
  if (!answer.ok) return { error: failureText(answer.failure) };
  const { order, userErrors } = answer.data.checkout;
  if (!order)
    return { error: userErrors[0]?.message ?? 'The order was not placed. Nothing was charged.' };
  redirect(`/orders/${encodeURIComponent(order.number)}`);
}
