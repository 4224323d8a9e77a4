import type { Metadata } from 'next';
import { CartView } from '@/features/cart/cart-view';
import { cartAddress } from '@/features/cart/current';
import { Resting } from '@/features/shell/resting';
import { isBroken } from '@/graphql/errors';
import { CartContentsDocument } from '@/graphql/generated';
import { askAsViewer } from '@/graphql/viewer';
import { Empty } from '@/ui/empty';

export const metadata: Metadata = { title: 'Cart', robots: { index: false } };

export default async function CartPage() {
  const address = await cartAddress();
  const answer = address
    ? await askAsViewer(CartContentsDocument, { id: address.id }, '/cart')
    : null;
  if (answer && (!answer.ok || (isBroken(answer.errors, 'cart') && !answer.data.cart))) {
    return <Resting what="Your cart" />;
  }
  const cart = answer?.ok ? answer.data.cart : null;
  return (
    <div className="shell py-8 md:py-12">
      <h1 className="mb-6 text-3xl md:text-4xl">Your cart</h1>
      {cart && cart.lines.length > 0 ? (
        <CartView cart={cart} />
      ) : (
        <Empty title="Nothing ordered yet" action={{ href: '/search', label: 'Browse the stalls' }}>
          Your cart is empty. The beans are fresh and the kettle is on.
        </Empty>
      )}
    </div>
  );
}
