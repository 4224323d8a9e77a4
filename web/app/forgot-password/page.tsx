import type { Metadata } from 'next';
import { ForgotPasswordForm } from '@/features/auth/letter-forms';
import { LetterPage } from '@/features/auth/letter-page';

export const metadata: Metadata = { title: 'Forgotten password', robots: { index: false } };

export default function ForgotPasswordPage() {
  return (
    <LetterPage
      title="Forgotten password"
      lead="Tell us your address, and we send you a link to choose a new one."
    >
      <ForgotPasswordForm />
    </LetterPage>
  );
}
