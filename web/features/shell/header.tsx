import Link from 'next/link';
import { Suspense } from 'react';
import { logout } from '@/features/auth/actions';
import { CartBadge } from '@/features/cart/cart-badge';
import { CategoryLinks } from '@/features/catalog/category-links';
import { ThemeToggle } from '@/features/theme/theme-toggle';
import type { Theme } from '@/features/theme/theme';
import { Bell } from '@/features/notifications/bell';
import type { Viewer } from '@/lib/session/session';
import { Icon } from '@/ui/icon';
import { Logo } from './logo';
import { Menu } from './menu';

export function Header({ viewer, theme }: { viewer: Viewer | null; theme: Theme }) {
  return (
    <header className="sticky top-0 z-20 border-b border-line bg-paper">
      <div className="shell grid grid-cols-[1fr_auto] items-center gap-x-4 gap-y-2 py-2.5 md:grid-cols-[auto_minmax(0,1fr)_auto] md:gap-x-8">
        <Link href="/" aria-label="Kopitiam, home" className="justify-self-start">
          <Logo />
        </Link>
        <div className="flex items-center gap-0.5 md:order-last">
          <ThemeToggle initial={theme} />
          {viewer ? <Bell /> : null}
          {viewer ? <AccountMenu viewer={viewer} /> : <SignInLink />}
          <Link href="/cart" className="icon-button" aria-label="Cart">
            <Icon name="cart" />
            <Suspense>
              <CartBadge />
            </Suspense>
          </Link>
        </div>
        <SearchForm />
      </div>
      <nav aria-label="Categories" className="shell overflow-x-auto pb-2 [scrollbar-width:none]">
        <Suspense fallback={<div className="h-8" />}>
          <CategoryLinks />
        </Suspense>
      </nav>
    </header>
  );
}

function SearchForm() {
  return (
    <form action="/search" role="search" className="relative col-span-2 md:col-span-1">
      <label htmlFor="site-search" className="sr-only">
        Search the stalls
      </label>
      <input
        id="site-search"
        name="q"
        type="search"
        enterKeyHint="search"
        placeholder="Search beans, batik, books…"
        className="field rounded-full pl-11"
      />
      <button
        type="submit"
        aria-label="Search"
        className="absolute inset-y-0 left-0 grid w-11 place-items-center text-muted"
      >
        <Icon name="search" />
      </button>
    </form>
  );
}

function SignInLink() {
  return (
    <Link
      href="/login"
      className="icon-button md:w-auto md:px-3 md:font-semibold"
      aria-label="Sign in"
    >
      <Icon name="user" className="size-5 md:hidden" />
      <span className="hidden md:inline">Sign in</span>
    </Link>
  );
}

function AccountMenu({ viewer }: { viewer: Viewer }) {
  const link = 'block rounded-lg px-3 py-2.5 hover:bg-raised';
  return (
    <Menu
      label={`Account of ${viewer.username}`}
      summary={
        <>
          <Icon name="user" />
          <span className="hidden max-w-32 truncate font-semibold md:inline">
            {viewer.username}
          </span>
        </>
      }
    >
      <div className="card absolute right-0 z-30 mt-1 w-56 p-2 shadow-lift">
        <p className="truncate px-3 py-2 text-sm text-muted">Signed in as {viewer.username}</p>
        <Link href="/orders" className={link}>
          My orders
        </Link>
        <Link href="/bookings" className={link}>
          My bookings
        </Link>
        <Link href="/account" className={link}>
          Account and wallet
        </Link>
        <Link href="/seller" className={link}>
          {viewer.sellerHandle ? 'My stall' : 'Open a stall'}
        </Link>
        <form action={logout}>
          <button type="submit" className={`${link} w-full text-left`}>
            Sign out
          </button>
        </form>
      </div>
    </Menu>
  );
}
