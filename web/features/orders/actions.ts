'use server';
// What a buyer may do with an order that is placed.
import { refresh } from 'next/cache';
import { ask } from '@/graphql/client';
import { failureText } from '@/graphql/errors';
import { send, sent, text } from '@/features/forms/send';
import type { FormState } from '@/features/forms/state';
import { CancelOrderDocument, PayOrderDocument } from '@/graphql/generated';
import { currentSession } from '@/lib/session/cookies';

export type CancelState = { error: string | null };

/** Asks to cancel. Whether it succeeds is decided by the order service; the page then shows what became of it. */
export async function cancelOrder(_: CancelState, form: FormData): Promise<CancelState> {
  const session = await currentSession();
  const [id, key] = [form.get('id'), form.get('key')];
  if (!session || typeof id !== 'string' || typeof key !== 'string') {
    return { error: 'Please load the page again.' };
  }
  const answer = await ask(CancelOrderDocument, { id, key }, { token: session.accessToken });
  if (!answer.ok) return { error: failureText(answer.failure) };
  refresh();
  return { error: answer.data.cancelOrder.userErrors[0]?.message ?? null };
}

/** Pays what is reserved. The order is confirmed once the money is held, which its page then shows. */
export async function payOrder(state: FormState, form: FormData): Promise<FormState> {
  const variables = { id: text(form, 'id'), key: state.key };
  const answer = await send(state, PayOrderDocument, variables, (data) => data.payOrder);
  refresh();
  return answer.ok ? sent() : answer.state;
}
