'use server';
// Putting money into the wallet.
import { send, sent, text } from '@/features/forms/send';
import { isAmount, refusedForm, typedAmount, type FormState } from '@/features/forms/state';
import { StartTopUpDocument } from '@/graphql/generated';

export type TopUpState = FormState & {
  /** Where to pay; null as long as there is nothing to pay. */
  payAt: string | null;
};

/** Begins a top-up. The wallet grows when the payment provider has told the shop, which the page then shows. */
export async function startTopUp(state: TopUpState, form: FormData): Promise<TopUpState> {
  const values = { amount: typedAmount(text(form, 'amount')) };
  if (!isAmount(values.amount)) {
    const fields = { amount: 'Enter an amount such as 20.00.' };
    return { ...refusedForm(state, { fields }, values), payAt: null };
  }
  const answer = await send(
    state,
    StartTopUpDocument,
    { amount: values.amount, currency: text(form, 'currency'), key: state.key },
    (data) => data.startTopUp,
    values,
  );
  if (!answer.ok) return { ...answer.state, payAt: null };
  return { ...sent(), payAt: webAddress(answer.data.startTopUp.providerUrl) };
}

/** Only an address that a browser may be sent to. */
function webAddress(address: string | null): string | null {
  return address && /^https?:\/\//.test(address) ? address : null;
}
