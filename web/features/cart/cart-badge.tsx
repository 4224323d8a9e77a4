import { cartCount } from './current';

export async function CartBadge() {
  const count = await cartCount();
  if (!count) return null;
  return (
    <span className="absolute right-0 top-0 grid min-w-5 place-items-center rounded-full bg-roast px-1.5 text-xs font-bold leading-5 text-on-roast">
      {count}
      <span className="sr-only"> {count === 1 ? 'piece' : 'pieces'}</span>
    </span>
  );
}
