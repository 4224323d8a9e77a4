import type { Metadata, Viewport } from 'next';
import localFont from 'next/font/local';
import { cookies } from 'next/headers';
import type { ReactNode } from 'react';
import { Footer } from '@/features/shell/footer';
import { Header } from '@/features/shell/header';
import { readTheme, themeCookie } from '@/features/theme/theme';
import { currentSession } from '@/lib/session/cookies';
import { siteOrigin } from '@/lib/site';
import './globals.css';

const figtree = localFont({
  src: '../node_modules/@fontsource-variable/figtree/files/figtree-latin-wght-normal.woff2',
  variable: '--font-figtree',
  weight: '300 900',
});
const fraunces = localFont({
  src: '../node_modules/@fontsource-variable/fraunces/files/fraunces-latin-wght-normal.woff2',
  variable: '--font-fraunces',
  weight: '100 900',
});

// Every page carries a nonce and the reader's theme and session, so none can be made ahead of the request.
export const dynamic = 'force-dynamic';

export function generateMetadata(): Metadata {
  return {
    metadataBase: new URL(siteOrigin()),
    title: { default: 'Kopitiam: many stalls, one table', template: '%s · Kopitiam' },
    description: 'Coffee, batik, books and tinkered things from small makers under one roof.',
    openGraph: { siteName: 'Kopitiam', type: 'website' },
  };
}

export const viewport: Viewport = {
  width: 'device-width',
  initialScale: 1,
  themeColor: [
    { media: '(prefers-color-scheme: light)', color: '#fbf6ec' },
    { media: '(prefers-color-scheme: dark)', color: '#17100b' },
  ],
};

export default async function RootLayout({ children }: { children: ReactNode }) {
  const theme = readTheme((await cookies()).get(themeCookie)?.value);
  const session = await currentSession();
  return (
    <html lang="en" data-theme={theme} className={`${figtree.variable} ${fraunces.variable}`}>
      <body className="flex flex-col">
        <a
          href="#main"
          className="button button-primary fixed left-3 top-3 z-50 -translate-y-24 focus:translate-y-0"
        >
          Skip to content
        </a>
        <Header viewer={session?.viewer ?? null} theme={theme} />
        <main id="main" tabIndex={-1} className="flex-1 outline-none">
          {children}
        </main>
        <Footer />
      </body>
    </html>
  );
}
