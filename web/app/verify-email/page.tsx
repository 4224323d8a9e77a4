import type { Metadata } from 'next';
import { VerifyEmailForm } from '@/features/auth/letter-forms';
import { LetterPage } from '@/features/auth/letter-page';
import { Notice } from '@/ui/notice';

export const metadata: Metadata = {
  title: 'Confirm your address',
  robots: { index: false },
  // The token stays out of it; with 'no-referrer' a form sent without scripts has no origin, and is refused.
  referrer: 'strict-origin',
};

type Props = { searchParams: Promise<{ token?: string | string[] }> };

export default async function VerifyEmailPage({ searchParams }: Props) {
  const { token } = await searchParams;
  return (
    <LetterPage title="Confirm your address" lead="So that our letters reach you and nobody else.">
      {typeof token === 'string' && token ? (
        <VerifyEmailForm token={token} />
      ) : (
        <Notice tone="danger">This link is not complete. Please copy it from the letter.</Notice>
      )}
    </LetterPage>
  );
}
