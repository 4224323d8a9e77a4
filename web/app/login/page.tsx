import type { Metadata } from 'next';
import { redirect } from 'next/navigation';
import { LoginForm } from '@/features/auth/login-form';
import { safePath } from '@/lib/safe-path';
import { currentSession } from '@/lib/session/cookies';

export const metadata: Metadata = { title: 'Sign in', robots: { index: false } };

type Props = { searchParams: Promise<{ next?: string | string[] }> };

export default async function LoginPage({ searchParams }: Props) {
  const next = safePath((await searchParams).next);
  if (await currentSession()) redirect(next);
  return (
    <div className="shell grid max-w-xl gap-8 py-12 md:py-20">
      <div>
        <h1 className="mb-2 text-4xl">Welcome back</h1>
        <p className="text-muted">Your table is where you left it.</p>
      </div>
      <div className="card p-6 shadow-card md:p-8">
        <LoginForm next={next} />
      </div>
    </div>
  );
}
