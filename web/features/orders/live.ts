// The state of an order as an open page holds it: newer versions replace older ones, never the reverse. Pure.
import type { OrderLiveSubscription, OrderStatus } from '@/graphql/generated';

export type LiveOrder = {
  status: OrderStatus;
  statusReason: string | null;
  version: number;
  history: { at: string; status: OrderStatus; note: string | null }[];
  invoice: { number: string } | null;
};

/** The newer of two states; on equal versions the one already shown, so that nothing flickers. */
export function newer(shown: LiveOrder, arrived: LiveOrder): LiveOrder {
  return arrived.version > shown.version ? arrived : shown;
}

/** Reads one `next` message of the stream; null when it carries no order. */
export function readLiveMessage(text: string): LiveOrder | null {
  try {
    const { data } = JSON.parse(text) as { data?: Partial<OrderLiveSubscription> | null };
    return data?.orderChanged ?? null;
  } catch {
    return null;
  }
}
