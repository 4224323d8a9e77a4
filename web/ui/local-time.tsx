'use client';
import { useSyncExternalStore } from 'react';

const nothing = () => () => {};

/** True once the page runs in a browser; false on the server and in the first client render. */
export function useHydrated(): boolean {
  return useSyncExternalStore(
    nothing,
    () => true,
    () => false,
  );
}

type LocalTimeProps = { at: string; style?: 'date' | 'moment' };

/** A moment in the reader's own zone; until the page is alive, and without scripts, in UTC and saying so. */
export function LocalTime({ at, style = 'moment' }: LocalTimeProps) {
  const hydrated = useHydrated();
  const format = new Intl.DateTimeFormat('en-GB', {
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    ...(style === 'moment' ? { hour: '2-digit', minute: '2-digit' } : {}),
    ...(hydrated ? {} : { timeZone: 'UTC' }),
    ...(hydrated || style === 'date' ? {} : { timeZoneName: 'short' }),
  });
  return <time dateTime={at}>{format.format(new Date(at))}</time>;
}
