'use server';
// Marking what was told as read.
import { refresh } from 'next/cache';
import { ask } from '@/graphql/client';
import { MarkNotificationsReadDocument } from '@/graphql/generated';
import { currentSession } from '@/lib/session/cookies';

/** Marks the notifications that the form names; a try that fails leaves them as they are, and the page shows it. */
export async function markRead(form: FormData): Promise<void> {
  const session = await currentSession();
  const ids = form.getAll('id').filter((id) => typeof id === 'string');
  if (!session || ids.length === 0) return;
  await ask(MarkNotificationsReadDocument, { ids }, { token: session.accessToken });
  refresh();
}
