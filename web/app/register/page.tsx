import type { Metadata } from 'next';
import { redirect } from 'next/navigation';
import { RegisterForm } from '@/features/auth/register-form';
import { safePath } from '@/lib/safe-path';
import { currentSession } from '@/lib/session/cookies';

export const metadata: Metadata = { title: 'Create account', robots: { index: false } };

type Props = { searchParams: Promise<{ next?: string | string[] }> };

export default async function RegisterPage({ searchParams }: Props) {
  const next = safePath((await searchParams).next);
  if (await currentSession()) redirect(next);
  return (
    <div className="shell grid max-w-xl gap-8 py-12 md:py-20">
      <div>
        <h1 className="mb-2 text-4xl">Take a seat</h1>
        <p className="text-muted">
          One account for every stall. You start with a little credit to try things out.
        </p>
      </div>
      <div className="card p-6 shadow-card md:p-8">
        <RegisterForm next={next} />
      </div>
    </div>
  );
}
