'use server';
// Opening a stall, and putting something on offer.
import { redirect } from 'next/navigation';
import { renew } from '@/features/auth/refresh';
import { send, text, texts } from '@/features/forms/send';
import {
  isAmount,
  refusedForm,
  typedAmount,
  typedMoment,
  type FormState,
} from '@/features/forms/state';
import {
  BecomeSellerDocument,
  CreateAuctionDocument,
  CreateFixedPriceDocument,
  CreateItemDocument,
  CreateServiceDocument,
} from '@/graphql/generated';
import { currentSession, storeSession } from '@/lib/session/cookies';
import { checkOffer, type AuctionState } from './kinds';

/** The shop's currency. */
const currency = 'USD';

/** Opens a stall. The new role is in the next access token, so the session is renewed at once. */
export async function openStall(state: FormState, form: FormData): Promise<FormState> {
  const values = texts(form, ['displayName', 'handle', 'bio']);
  const answer = await send(
    state,
    BecomeSellerDocument,
    { handle: values.handle, displayName: values.displayName, bio: values.bio || null },
    (data) => data.becomeSeller,
    values,
  );
  if (!answer.ok) return answer.state;
  const session = await currentSession();
  const renewal = session ? await renew(session) : null;
  if (renewal?.kind === 'renewed') await storeSession(renewal.session);
  redirect('/seller');
}

type Made = {
  listing: { id: string } | null;
  userErrors: { code: string; message: string; field: string[] | null }[];
};

/** Goes on to what was made; otherwise says that nothing was. */
function goTo(state: FormState, { listing }: Made): FormState {
  if (!listing) return refusedForm(state, { form: ['That did not work. Please try again.'] });
  redirect(`/listings/${listing.id}`);
}

/** Something at a fixed price: one of the catalogue, another thing, or tickets. */
export async function offerFixedPrice(state: FormState, form: FormData): Promise<FormState> {
  const values = texts(form, ['productId', 'title', 'price', 'quantity']);
  values.price = typedAmount(values.price);
  const fields = checkOffer(values, isAmount);
  if (Object.keys(fields).length > 0) return refusedForm(state, { fields }, values);
  const input = {
    productId: values.productId || null,
    title: values.title,
    price: values.price,
    currency,
    quantity: Number(values.quantity),
  };
  const answer = await send(
    state,
    CreateFixedPriceDocument,
    { input, key: state.key },
    (data) => data.createFixedPriceListing,
    values,
  );
  return answer.ok ? goTo(state, answer.data.createFixedPriceListing) : answer.state;
}

export async function offerService(state: FormState, form: FormData): Promise<FormState> {
  const values = texts(form, [
    'title',
    'description',
    'price',
    'depositPercent',
    'durationMinutes',
  ]);
  values.price = typedAmount(values.price);
  const fields = checkOffer(values, isAmount);
  if (Object.keys(fields).length > 0) return refusedForm(state, { fields }, values);
  const input = {
    title: values.title,
    description: values.description,
    price: values.price,
    depositPercent: Number(values.depositPercent),
    durationMinutes: values.durationMinutes ? Number(values.durationMinutes) : null,
    currency,
  };
  const answer = await send(
    state,
    CreateServiceDocument,
    { input, key: state.key },
    (data) => data.createServiceListing,
    values,
  );
  return answer.ok ? goTo(state, answer.data.createServiceListing) : answer.state;
}

/**
 * Auctions a thing of the collection, or one that is added to it now by its name. The thing is there from then on,
 * whatever becomes of its auction: the next try chooses it, and adds none.
 */
export async function offerAuction(state: AuctionState, form: FormData): Promise<AuctionState> {
  const amounts = ['startPrice', 'reservePrice', 'buyNowPrice'] as const;
  const values = texts(form, ['itemId', 'newItem', 'title', ...amounts, 'endsAt']);
  for (const name of amounts) values[name] = typedAmount(values[name]);
  const fields = checkOffer(values, isAmount);
  const endsAt = typedMoment(values.endsAt, text(form, 'endsAtIso'));
  if (!endsAt) fields.endsAt = 'Choose a day and a time.';
  if (!values.itemId && !values.newItem) fields.newItem = 'Choose a thing, or name a new one.';
  if (!endsAt || Object.keys(fields).length > 0) {
    return { ...refusedForm(state, { fields }, values), made: state.made };
  }

  let { made } = state;
  if (!values.itemId) {
    const answer = await send(
      state,
      CreateItemDocument,
      // The same try of the form adds the same thing once.
      { title: values.newItem, key: `${state.key}-item` },
      (data) => data.createItem,
      values,
    );
    if (!answer.ok) return { ...answer.state, made };
    const { item } = answer.data.createItem;
    if (!item) return { ...goTo(state, { listing: null, userErrors: [] }), values, made };
    made = { id: item.id, name: values.newItem };
    values.itemId = item.id;
    values.newItem = '';
  }
  const input = {
    itemId: values.itemId,
    title: values.title,
    startPrice: values.startPrice,
    reservePrice: values.reservePrice || null,
    buyNowPrice: values.buyNowPrice || null,
    currency,
    endsAt,
  };
  const answer = await send(
    state,
    CreateAuctionDocument,
    { input, key: state.key },
    (data) => data.createAuction,
    values,
  );
  const after = answer.ok ? goTo(state, answer.data.createAuction) : answer.state;
  return { ...after, values, made };
}
