import { describe, expect, it, vi } from 'vitest';
import { metadata as resetPassword } from './reset-password/page';
import { metadata as verifyEmail } from './verify-email/page';

vi.mock('@/features/auth/letter-forms', () => ({}));
vi.mock('@/features/auth/letter-page', () => ({}));

describe('a page that a letter leads to', () => {
  it.each([
    ['verify-email', verifyEmail],
    ['reset-password', resetPassword],
  ])('%s tells the origin, which its form needs, and never the token', (_, { referrer }) => {
    // `no-referrer` makes browsers post with `Origin: null`; every other policy but these names the path somewhere.
    expect(['origin', 'strict-origin']).toContain(referrer);
  });
});
