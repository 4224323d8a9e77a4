import type { Metadata } from 'next';
import { ResetPasswordForm } from '@/features/auth/letter-forms';
import { LetterPage } from '@/features/auth/letter-page';
import { Notice } from '@/ui/notice';

export const metadata: Metadata = {
  title: 'New password',
  robots: { index: false },
  // The token stays out of it; with 'no-referrer' a form sent without scripts has no origin, and is refused.
  referrer: 'strict-origin',
};

type Props = { searchParams: Promise<{ token?: string | string[] }> };

export default async function ResetPasswordPage({ searchParams }: Props) {
  const { token } = await searchParams;
  return (
    <LetterPage title="New password" lead="Choose one that you use nowhere else.">
      {typeof token === 'string' && token ? (
        <ResetPasswordForm token={token} />
      ) : (
        <Notice tone="danger">This link is not complete. Please copy it from the letter.</Notice>
      )}
    </LetterPage>
  );
}
