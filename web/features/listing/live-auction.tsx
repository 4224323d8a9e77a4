'use client';
import { useRouter } from 'next/navigation';
import { useEffect } from 'react';
import { LiveRefresh } from '@/ui/live-refresh';

type LiveAuctionProps = { listingId: string; endsAt: string; serverNow: string };

/** After its end an auction waits this long for bids whose funds are on their way. */
const afterEndMs = 6000;
/** The longest wait that a browser's timer takes. */
const timerMaxMs = 2 ** 31 - 1;

/** Shows nothing; asks for the page again whenever a bid changed, and once the auction is over. */
export function LiveAuction({ listingId, endsAt, serverNow }: LiveAuctionProps) {
  const router = useRouter();

  const overInMs = Date.parse(endsAt) - Date.parse(serverNow) + afterEndMs;
  useEffect(() => {
    if (overInMs > timerMaxMs) return;
    const timer = setTimeout(() => router.refresh(), overInMs);
    return () => clearTimeout(timer);
  }, [overInMs, router]);

  return <LiveRefresh path={`/api/listings/${encodeURIComponent(listingId)}/events`} />;
}
